// A feature of a plugin that speaks exec/1: one process for each attempt.

public import BelfryCore
import FoundationEssentials
import Glibc
import Subprocess
import Synchronization

/// One feature of an installed plugin.
public struct ExecFeature: Feature {
    public let descriptor: FeatureDescriptor
    /// It knows which lines were a sign of life.
    public let keepsTimeouts = true
    private let plugin: InstalledPlugin
    private let schema: JSONSchema
    private let launcher: String
    private let environment: [String: String]
    private let secrets: PluginSecrets
    private let hasSecretParams: Bool
    /// Keeps the plugin's files while an attempt runs.
    private let hold: PluginHold?
    /// Sleeps; injected, so that a test's timeouts need no time.
    var sleep: @Sendable (Duration) async throws -> Void = { try await ContinuousClock().sleep(for: $0) }
    /// Sees every line. Defaults to nobody.
    var trace: PluginTrace?

    /// - Parameters:
    ///   - launcher: the path of belfry-launch.
    ///   - environment: what the plugin's own is chosen from: what every plugin gets, and what this
    ///     one asks for by name.
    ///   - secrets: what the plugin's own are chosen from.
    ///   - hold: keeps the plugin's files for as long as the feature lives.
    /// - Throws: ``BelfryError`` when the feature's schema is none.
    public init(
        plugin: InstalledPlugin,
        entry: PluginManifest.FeatureEntry,
        launcher: String,
        environment: [String: String],
        secrets: PluginSecrets = PluginSecrets(),
        hold: PluginHold? = nil
    ) throws {
        self.secrets = secrets
        self.hold = hold
        hasSecretParams = entry.paramsSchema.text.contains("\"writeOnly\"")
        self.environment = ExecEnvironment.filtered(
            environment,
            asked: plugin.manifest.runner.passedVariables
        )
        self.plugin = plugin
        self.launcher = launcher
        descriptor = plugin.manifest.descriptor(of: entry)
        schema = try JSONSchema(entry.paramsSchema)
    }

    public func accept(_ params: JSONValue, from context: SubmissionContext?) throws -> JSONValue {
        let accepted = try schema.accept(
            SecretParams.opened(params),
            workingDirectory: context?.workingDirectory,
            featureID: descriptor.id
        )
        return hasSecretParams ? SecretParams.sealed(accepted, by: descriptor.paramsSchema) : accepted
    }

    public func params(from arguments: [(key: String, value: String)]) throws -> JSONValue {
        try schema.coerce(arguments, featureID: descriptor.id)
    }

    public func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        let reading = ExecReading(context)
        return try judge(reading, try await attempt(params, context, reading))
    }

    /// - Throws: ``TaskFailure`` or ``TaskSnooze`` when the attempt came to nothing.
    func judge(_ reading: ExecReading, _ end: ExecHost.End) throws -> TaskResult {
        try reading.result(end, program: plugin.executable)
    }

    /// Runs the program to its end, not yet judged; `reading` has what it said, also when this throws.
    func attempt(_ params: JSONValue, _ context: FeatureContext, _ reading: ExecReading) async throws
        -> ExecHost.End
    {
        let params = SecretParams.opened(params)
        let configuration = configuration(params, context)
        trace?(.sent, String(decoding: configuration.input.dropLast(), as: UTF8.self))
        return try await ExecHost(configuration: configuration, sleep: sleep).run(
            onLine: { line in
                trace?(.received, line)
                return reading.take(line)
            },
            onError: { context.log($0) }
        )
    }

    private func configuration(_ params: JSONValue, _ context: FeatureContext) -> ExecHost.Configuration {
        let limits = plugin.manifest.limits
        var environment = self.environment
        environment.merge(plugin.environment) { _, own in own }
        environment.merge(secrets.values(of: plugin.manifest.secrets)) { _, secret in secret }
        environment.merge(ExecEnvironment.ofAttempt(params, context)) { _, own in own }
        var host = ExecHost.Configuration(
            launcher: launcher,
            executable: plugin.executable,
            arguments: plugin.arguments,
            environment: environment,
            workingDirectory: context.outputDirectory
        )
        host.pins = plugin.pins
        host.umask = 0o022
        host.addressSpaceMB = limits.addressSpaceMB
        host.memoryMB = limits.memoryMB
        host.cancelGrace = limits.cancelGrace
        host.maxLineBytes = limits.maxLineBytes
        host.idleTimeout = context.timeouts.idle
        host.totalTimeout = context.timeouts.attempt
        host.input = request(params, context).encoded + [0x0A]
        return host
    }

    private func request(_ params: JSONValue, _ context: FeatureContext) -> JSONValue {
        var request: JSONObject = [
            "protocol": "exec/1", "taskId": .string(context.taskID.rawValue), "fence": .int(context.fence),
            "attempt": .int(Int64(context.attempt)), "featureId": .string(context.featureID),
            "params": params,
            "inputs": [:], "outputDir": .string(context.outputDirectory),
        ]
        request.set("checkpoint", context.checkpoint)
        return .object(request)
    }
}

/// What a plugin has said so far, and what that makes of its end.
final class ExecReading: Sendable {
    private struct State {
        var value: JSONValue?
        var hasResult = false
        var artifacts: [ExecLine.Artifact] = []
        var failure: TaskFailure?
        var snooze: TaskSnooze?
        var firstGarbage: String?
        var garbage = 0
    }

    private let context: FeatureContext
    private let state = Mutex(State())

    init(_ context: FeatureContext) { self.context = context }

    /// Lines that were none of the protocol's, and the first of them.
    var garbage: (count: Int, first: String?) { state.withLock { ($0.garbage, $0.firstGarbage) } }

    /// Whether it has come to something: a result, or a file.
    var hasResult: Bool { state.withLock { $0.hasResult || !$0.artifacts.isEmpty } }

    /// - Returns: whether the line was understood.
    func take(_ line: String) -> Bool {
        guard let read = ExecLine(line) else {
            if !line.allSatisfy(\.isWhitespace) { skip(line) }
            return false
        }
        switch read {
        case .progress(let percent, let message):
            if !state.withLock({ $0.hasResult }) { context.progress(percent, message) }
        case .result(let value, let artifacts):
            state.withLock { state in
                state.value = value
                state.hasResult = true
                state.artifacts += artifacts
            }
        case .artifact(let path): state.withLock { $0.artifacts.append(ExecLine.Artifact(path: path)) }
        case .failure(let failure): state.withLock { $0.failure = $0.failure ?? failure }
        case .checkpoint(let value): context.saveCheckpoint(value)
        case .snooze(let snooze): state.withLock { $0.snooze = snooze }
        }
        return true
    }

    private func skip(_ line: String) {
        state.withLock { state in
            state.garbage += 1
            state.firstGarbage = state.firstGarbage ?? line.truncated(toUTF8: 200)
        }
        context.log(Array((line.truncated(toUTF8: 4096) + "\n").utf8))
    }

    /// - Throws: ``TaskFailure`` when the attempt did not succeed, ``TaskSnooze`` when it is to be tried again
    ///   later.
    func result(_ end: ExecHost.End, program: String) throws -> TaskResult {
        let state = state.withLock { $0 }
        let name = program.split(separator: "/").last.map(String.init) ?? program
        if let failure = ExecEnd.failure(end, said: state.failure, program: name) { throw failure }
        if var failure = state.failure {
            failure.logTail = end.errorTail
            throw failure
        }
        if let snooze = state.snooze, !state.hasResult { throw snooze }
        guard state.hasResult || !state.artifacts.isEmpty else {
            throw TaskFailure(
                "no_result",
                "\(name) ended without a result. \(explanation(state, end))",
                fix: "It must print a result line or ::artifact PATH; see Docs/WritingAPlugin.md.",
                logTail: end.errorTail
            )
        }
        let artifacts = try state.artifacts.map { try ArtifactCheck.checked($0, in: context.outputDirectory) }
        return TaskResult(value: state.value, artifacts: artifacts)
    }

    private func explanation(_ state: State, _ end: ExecHost.End) -> String {
        if let line = state.firstGarbage { return "The first line that was not understood: \(line)" }
        if end.discardedLines > 0 {
            let lines = end.discardedLines == 1 ? "1 line was" : "\(end.discardedLines) lines were"
            return "\(lines) longer than limits.max_line_bytes."
        }
        return "It printed nothing."
    }
}

/// What the end of a program means when it was not a good one.
enum ExecEnd {
    /// - Parameter said: the error that the program itself told of.
    static func failure(_ end: ExecHost.End, said: TaskFailure?, program: String) -> TaskFailure? {
        switch (end.timeout, end.status) {
        case (.idle, _):
            return TaskFailure(
                "idle_timeout",
                "\(program) gave no sign of life for too long and was stopped.",
                isRetryable: true,
                logTail: end.errorTail
            )
        case (.total, _):
            return TaskFailure(
                "timeout",
                "\(program) took longer than it may and was stopped.",
                isRetryable: true,
                logTail: end.errorTail
            )
        case (nil, .signaled(SIGKILL)) where memoryLimit(end.errorTail) != nil:
            return TaskFailure(
                "memory_limit",
                "\(program) was \(memoryLimit(end.errorTail) ?? "").",
                fix: "Give it less to do, or raise limits.memory_mb in its plugin.json.",
                logTail: end.errorTail
            )
        case (nil, .exited(0)): return nil
        case (nil, _) where said != nil: return nil
        case (nil, .exited(let code)) where code == 126 || code == 127:
            return TaskFailure(
                "cannot_start",
                "\(program) could not be started.\(lastLine(end.errorTail))",
                fix: "See: belfry doctor",
                logTail: end.errorTail
            )
        case (nil, .exited(let code)):
            return TaskFailure(
                "exit_status",
                "\(program) exited with \(code).\(lastLine(end.errorTail))",
                logTail: end.errorTail
            )
        case (nil, .signaled(let signal)):
            let name = strsignal(signal).map { String(cString: $0) } ?? "signal \(signal)"
            return TaskFailure(
                "crashed",
                "\(program) was ended by signal \(signal) (\(name)).\(lastLine(end.errorTail))",
                isRetryable: true,
                logTail: end.errorTail
            )
        }
    }

    /// What belfry-launch says last when it was the memory limit that ended the tree.
    private static func memoryLimit(_ tail: String) -> String? {
        guard let line = tail.split(whereSeparator: \.isNewline).last,
            line.hasPrefix("belfry-launch: over the memory limit")
        else { return nil }
        return String(line.dropFirst("belfry-launch: ".count)).truncated(toUTF8: 300)
    }

    private static func lastLine(_ text: String) -> String {
        guard let line = text.split(whereSeparator: \.isNewline).last else { return "" }
        return " It said: \(String(line).truncated(toUTF8: 300))"
    }
}

/// Which files a plugin may hand over: regular ones inside its output directory, after all links.
enum ArtifactCheck {
    static func checked(_ artifact: ExecLine.Artifact, in directory: String) throws -> TaskResult.Artifact {
        let path = artifact.path.hasPrefix("/") ? artifact.path : "\(directory)/\(artifact.path)"
        guard let real = resolved(path) else {
            throw TaskFailure(
                "bad_artifact",
                "The program named the artifact \(artifact.path), and there is no such file.",
                fix:
                    "Name only what was written, by its path from BELFRY_OUTPUT_DIR, where the program is started; "
                    + "belfry log has what it said."
            )
        }
        guard let root = resolved(directory), real.hasPrefix(root + "/") else {
            throw TaskFailure(
                "bad_artifact",
                "The artifact \(artifact.path) is not a file inside the output directory.",
                fix: "Write results below BELFRY_OUTPUT_DIR."
            )
        }
        var info = stat()
        guard stat(real, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            throw TaskFailure(
                "bad_artifact",
                "The artifact \(artifact.path) is not a regular file.",
                fix: "Name files; of a directory each file in it, or an archive."
            )
        }
        return TaskResult.Artifact(
            uri: FileURI.make(real),
            mime: artifact.mime ?? mime(of: real),
            size: Int64(info.st_size)
        )
    }

    private static func resolved(_ path: String) -> String? {
        guard let pointer = realpath(path, nil) else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }

    private static let mimes = [
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp",
        "gif": "image/gif",
        "svg": "image/svg+xml", "mp4": "video/mp4", "webm": "video/webm", "mkv": "video/x-matroska",
        "mp3": "audio/mpeg", "wav": "audio/wav", "txt": "text/plain", "json": "application/json",
        "pdf": "application/pdf",
        "zip": "application/zip",
    ]

    private static func mime(of path: String) -> String? {
        path.split(separator: ".").last.flatMap { mimes[$0.lowercased()] }
    }
}
