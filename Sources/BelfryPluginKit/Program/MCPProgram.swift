// The plugin as an MCP server: each feature is a tool, and one process serves many tasks at once.

import BelfryCore
import BelfryMCP
import Glibc
import Synchronization

enum MCPProgram {
    /// Serves until stdin ends or SIGTERM comes: then what runs is cancelled, and the process ends.
    static func serve(_ features: [any Feature], name: String, version: String) async -> Never {
        let output = LineOutput.takingStandardOutput()
        let input = LineInput()
        Termination.watch { input.stop() }
        let identity = MCPToolServer.Identity(name: name, version: version)
        await MCPToolServer(identity, tools: FeatureTools(features), input: input, output: output).run()
        exit(0)
    }
}

/// Features as tools.
struct FeatureTools: MCPToolProvider {
    private let features: [any Feature]

    init(_ features: [any Feature]) { self.features = features }

    func tools() -> [MCPTool] {
        features.map { feature in
            let descriptor = feature.descriptor
            let words = [descriptor.title, descriptor.summary].filter { !$0.isEmpty }
            return MCPTool(
                descriptor.id,
                title: descriptor.title,
                words.joined(separator: ". "),
                inputSchema: descriptor.paramsSchema
            )
        }
    }

    func call(_ call: MCPToolCall) async throws -> MCPToolResult {
        guard let feature = features.first(where: { $0.descriptor.id == call.name }) else {
            throw RPCError(RPCError.Code.invalidParams, "There is no tool '\(call.name)' here.")
        }
        let attempt = try MCPAttempt(call)
        let outcome = await AttemptOutcome.of(feature, call.arguments, attempt.context)
        attempt.reports.end()
        return attempt.result(outcome)
    }
}

/// One call of a tool as an attempt, of a hub's task or of any other host's.
private struct MCPAttempt {
    let reports: AttemptReports
    let context: FeatureContext
    /// Whether a hub calls: it understands more than MCP has words for.
    private let isFromHub: Bool

    init(_ call: MCPToolCall) throws {
        let meta = call.meta
        let hubsTask = meta[MCP.Meta.taskID]?.string.flatMap { TaskID($0) }
        let isFromHub = hubsTask != nil
        let reports = AttemptReports(tell: Self.teller(call, isFromHub: isFromHub))
        var context = FeatureContext(
            taskID: hubsTask ?? IDGenerator().taskID(at: SystemWallClock().now),
            featureID: call.name,
            attempt: Int(meta[MCP.Meta.attempt]?.int ?? 1),
            fence: meta[MCP.Meta.fence]?.int ?? 0,
            outputDirectory: try meta[MCP.Meta.outputDirectory]?.string ?? Self.makeDirectory(),
            onProgress: { reports.progress($0, $1) },
            onLog: { bytes in
                guard isFromHub else { return LineOutput.writeAll(bytes, to: STDERR_FILENO) }
                reports.log(String(decoding: bytes, as: UTF8.self))
            },
            onCheckpoint: { reports.checkpoint($0) }
        )
        context.checkpoint = meta[MCP.Meta.checkpoint]
        for (name, value) in meta[MCP.Meta.environment]?.object ?? [:] {
            context.deviceEnvironment[name] = value.string
        }
        self.reports = reports
        self.context = context
        self.isFromHub = isFromHub
    }

    /// MCP wants a number with each notification, so one that tells something else repeats the last.
    private static func teller(_ call: MCPToolCall, isFromHub: Bool)
        -> @Sendable (AttemptReports.Report) -> Void
    {
        let last = LastPercent()
        return { report in
            var message: String?
            var meta = JSONObject()
            switch report {
            case .progress(let percent, let words):
                last.set(percent)
                message = words
            case .checkpoint(let value): meta[MCP.Meta.checkpoint] = value ?? .null
            case .log(let text): meta[MCP.Meta.log] = .string(text)
            }
            guard meta.isEmpty || isFromHub else { return }
            let percent = last.value
            call.progress(percent ?? 0, of: percent == nil ? nil : 100, message, meta: meta)
        }
    }

    /// For hosts that give no output directory. It stays: the result names what is in it.
    private static func makeDirectory() throws -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/belfry-plugin-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw RPCError(
                RPCError.Code.internalError,
                "Cannot make a directory in \(parent): \(String(cString: strerror(errno)))."
            )
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func result(_ outcome: AttemptOutcome) -> MCPToolResult {
        switch outcome {
        case .result(let result): return success(result)
        case .failure(let failure):
            var result = MCPToolResult.error(
                failure.fix.map { "\(failure.message)\nFix: \($0)" } ?? failure.message
            )
            result.meta[MCP.Meta.error] = .object(failure.fields)
            return result
        case .snooze(let snooze):
            let why = snooze.message.map { ": \($0)" } ?? "."
            var result = MCPToolResult.error(
                "Not now\(why) Try again in \(Int(snooze.delay.seconds.rounded(.up))) s."
            )
            result.meta[MCP.Meta.snooze] = .object(snooze.fields)
            return result
        }
    }

    private func success(_ result: TaskResult) -> MCPToolResult {
        var content = result.artifacts.map(link)
        if let value = result.value { content.insert(MCPToolResult.text(value.text), at: 0) }
        return MCPToolResult(content: content, structured: structured(result.value))
    }

    /// MCP wants an object here; a hub takes any value.
    private func structured(_ value: JSONValue?) -> JSONValue? {
        guard let value, value.object == nil, !isFromHub else { return value ?? [:] }
        return ["value": value]
    }

    private func link(_ artifact: TaskResult.Artifact) -> JSONValue {
        let name = (FileURI.path(artifact.uri) ?? artifact.uri).split(separator: "/").last.map(String.init)
        var object: JSONObject = [
            "type": "resource_link", "uri": .string(artifact.uri), "name": .string(name ?? artifact.uri),
        ]
        object.set("mimeType", artifact.mime.map { .string($0) })
        return .object(object)
    }
}

private final class LastPercent: Sendable {
    private let state = Mutex<Double?>(nil)
    var value: Double? { state.withLock { $0 } }
    func set(_ percent: Double?) {
        // What a feature says may lie outside; what is told may not.
        if let percent { state.withLock { $0 = min(max(percent, 0), 100) } }
    }
}
