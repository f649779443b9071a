// One process of an MCP server, from its start to its end, with all the calls that it serves meanwhile.

import BelfryCore
import BelfryMCP
import Synchronization

/// A running MCP server.
final class MCPServer: Sendable {
    /// What it has told of itself once it can be called.
    struct Ready: Sendable {
        var agreement: MCPAgreement
        var tools: [MCPTool]
    }

    enum End: Sendable {
        /// It was told to end, or nobody had asked anything of it.
        case stopped
        case crashed(TaskFailure)
    }

    struct Configuration: Sendable {
        var process: PluginProcess
        /// Such as `mcp-server-git`, for sentences.
        var name: String
        /// From its start to its list of tools. Defaults to two minutes: a first `npx` or `uvx` downloads.
        var startTimeout = Duration.seconds(120)
        /// Whether a call that was cancelled is known to stop. Defaults to false: without an answer within the
        /// grace it is taken to go on, and the process is ended.
        var stopsWhenCancelled = false
        /// Told of tools that are others than before.
        var onTools: @Sendable ([MCPTool]) -> Void = { _ in }
        /// Told when it takes no more calls although it did not end.
        var onRetired: @Sendable () -> Void = {}
        /// Gets its stderr as it comes.
        var onError: @Sendable ([UInt8]) -> Void = { _ in }
        /// Told of what is odd, as a sentence.
        var onRemark: @Sendable (String) -> Void = { _ in }
    }

    private struct Call {
        let log: @Sendable ([UInt8]) -> Void
        /// It occupies the server no longer.
        let onDone: @Sendable () -> Void
        var isAbandoned = false
    }

    private struct State {
        var calls: [Int64: Call] = [:]
        /// Calls that were promised a place and are about to begin.
        var reserved = 0
        var isRetired = false
        /// Calls that were begun: tells idle from busy.
        var begun = 0
        /// The end of its stderr, once it has ended.
        var errorTail: String?
        /// Why we ended it, where that is its fault.
        var fault: TaskFailure?
        var wasAsked = false
        /// Settled when it is known what becomes of the calls that were cancelled.
        var verdict: Latch<Void>?

        var onlyAbandoned: Bool { reserved == 0 && calls.values.allSatisfy(\.isAbandoned) }
        var hasAbandoned: Bool { calls.values.contains(where: \.isAbandoned) }
    }

    let configuration: Configuration
    private let connection: MCPConnection
    private let readiness = Latch<Ready>()
    private let state: Mutex<State>
    private let hears: Hears

    /// What reaches ``run()`` from elsewhere.
    private struct Hears: Sendable {
        let changes: AsyncStream<Void>
        let changed: AsyncStream<Void>.Continuation
        let abandonments: AsyncStream<Int64>
        let abandoned: AsyncStream<Int64>.Continuation
    }

    init(_ configuration: Configuration) {
        self.configuration = configuration
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let (abandonments, abandoned) = AsyncStream.makeStream(of: Int64.self)
        hears = Hears(changes: changes, changed: changed, abandonments: abandonments, abandoned: abandoned)
        state = Mutex(State())
        let weak = WeakServer()
        connection = MCPConnection(
            onRemark: { weak.server?.heard($0) },
            onLate: { weak.server?.settled($0) }
        )
        weak.set(self)
    }

    /// Calls that it works on, those included that nobody waits for any more.
    var busy: Int { state.withLock { $0.calls.count + $0.reserved } }
    var isReady: Bool { if case .success = readiness.outcome { true } else { false } }
    var begun: Int { state.withLock { $0.begun } }
    var garbage: Int { connection.garbage }

    /// Waits until it can be called.
    func ready() async throws -> Ready { try await readiness.value() }

    /// Waits until it can be called and no call hangs about that was cancelled: that may block all others.
    ///
    /// - Returns: whether it takes a call, which must be made then.
    func takesCalls() async throws -> Bool {
        _ = try await readiness.value()
        try await state.withLock { $0.verdict }?.value()
        return state.withLock { state in
            guard !state.isRetired, state.verdict == nil else { return false }
            state.reserved += 1
            return true
        }
    }

    /// Ends it once its calls are done; no more are taken.
    func retire() {
        let (isFirst, stop, verdict): (Bool, PluginChannel.Stop?, Latch<Void>?) = state.withLock { state in
            defer { state.isRetired = true }
            let stop: PluginChannel.Stop = state.hasAbandoned ? .now : .politely
            return (!state.isRetired, state.onlyAbandoned ? stop : nil, state.verdict)
        }
        if let stop { self.stop(stop) }
        if isFirst { configuration.onRetired() }
        verdict?.settle(.success(()))
    }

    /// Ends it, whatever it does.
    func stop(_ stop: PluginChannel.Stop) {
        state.withLock { $0.wasAsked = true }
        connection.channel.stop(stop)
    }

    // MARK: Its life

    /// Runs the process until it has ended.
    func run() async -> End {
        var failure: TaskFailure?
        do {
            failure = try await withThrowingTaskGroup(of: PluginProcess.End?.self) { group in
                group.addTask { [self] in try await runProcess() }
                group.addTask { [self] in
                    await open()
                    return nil
                }
                group.addTask { [self] in
                    await watchAbandoned()
                    return nil
                }
                defer { group.cancelAll() }
                while let end = try await group.next() {
                    guard let end else { continue }
                    state.withLock { $0.errorTail = end.errorTail }
                    return self.failure(end)
                }
                return nil
            }
        } catch let error as TaskFailure {
            failure = error
        } catch {
            state.withLock { $0.wasAsked = true }
        }
        return ended(failure)
    }

    private func runProcess() async throws -> PluginProcess.End {
        try await configuration.process.run(
            connection.channel,
            onLine: { [connection] in connection.take($0) },
            onError: { [self] bytes in
                configuration.onError(bytes)
                log(bytes)
            },
            onDiscard: { [self] in discarded() }
        )
    }

    private func ended(_ failure: TaskFailure?) -> End {
        let (fault, wasAsked, calls, verdict) = state.withLock { state in
            defer { state.calls = [:] }
            state.isRetired = true
            return (state.fault, state.wasAsked, state.calls, state.verdict)
        }
        let reason =
            fault ?? failure
            ?? TaskFailure(
                "no_result",
                "\(configuration.name) ended without an answer.",
                isRetryable: true,
                logTail: state.withLock { $0.errorTail }
            )
        let wasInUse = !isReady || calls.values.contains { !$0.isAbandoned }
        readiness.settle(.failure(reason))
        verdict?.settle(.success(()))
        connection.end(reason)
        for call in calls.values { call.onDone() }
        if wasAsked { return .stopped }
        if let fault { return .crashed(fault) }
        // An end in order, when nobody wanted anything, is no crash.
        return failure != nil || wasInUse ? .crashed(reason) : .stopped
    }

    /// What the end of the process means to those who waited for it; nil when it ended in order.
    private func failure(_ end: PluginProcess.End) -> TaskFailure? {
        let end = ExecHost.End(
            status: end.status,
            timeout: nil,
            errorTail: end.errorTail,
            discardedLines: end.discardedLines
        )
        guard var failure = ExecEnd.failure(end, said: nil, program: configuration.name) else { return nil }
        if failure.code == "exit_status" { failure.code = "crashed" }
        failure.isRetryable = failure.code == "crashed"
        return failure
    }

    // MARK: Its start

    private func open() async {
        do {
            let ready = try await withinStartTimeout { [self] in
                let agreement = try await MCPHandshake(
                    connection: connection,
                    sleep: configuration.process.sleep
                ).agree()
                return Ready(agreement: agreement, tools: try await tools(agreement))
            }
            readiness.settle(.success(ready))
            configuration.onTools(ready.tools)
            await keepTools(ready.agreement)
        } catch let failure as TaskFailure {
            giveUp(failure)
        } catch let error as RPCError {
            giveUp(Self.failure(error, doing: "listing its tools"))
        } catch {
            // Cancelled: it ends, and its end says why.
        }
    }

    private func giveUp(_ failure: TaskFailure) {
        state.withLock { $0.fault = $0.fault ?? failure }
        readiness.settle(.failure(failure))
        connection.channel.stop(.now)
    }

    private func withinStartTimeout(_ work: @escaping @Sendable () async throws -> Ready) async throws
        -> Ready
    {
        try await withThrowingTaskGroup(of: Ready.self) { group in
            group.addTask(operation: work)
            group.addTask { [configuration] in
                try await configuration.process.sleep(configuration.startTimeout)
                throw TaskFailure(
                    "start_timeout",
                    "\(configuration.name) did not answer within \(configuration.startTimeout) of its start.",
                    fix: "Run it in a terminal to see what it waits for.",
                    isRetryable: true
                )
            }
            defer { group.cancelAll() }
            guard let ready = try await group.next() else { throw CancellationError() }
            return ready
        }
    }

    /// All pages of the list of tools.
    private func tools(_ agreement: MCPAgreement) async throws -> [MCPTool] {
        var tools: [MCPTool] = []
        var cursor: JSONValue?
        // A server that never comes to an end of its list has no more than this.
        for _ in 0..<100 {
            let page = try await connection.request(MCP.Method.listTools) { _ in
                var params = JSONObject()
                if !agreement.meta.isEmpty { params["_meta"] = .object(agreement.meta) }
                params.set("cursor", cursor)
                return .object(params)
            }
            tools += (page["tools"]?.array ?? []).compactMap(MCPTool.init)
            cursor = page["nextCursor"]
            guard cursor?.string != nil else { break }
        }
        return tools
    }

    /// Lists the tools anew whenever the server says that they have changed.
    private func keepTools(_ agreement: MCPAgreement) async {
        guard agreement.tellsOfChangedTools else { return }
        await withTaskGroup(of: Void.self) { group in
            if agreement.era == .modern {
                // Answered only when the server hears no more.
                group.addTask { [connection] in
                    _ = try? await connection.request(MCP.Method.listen) { _ in
                        ["notifications": ["toolsListChanged": true], "_meta": .object(agreement.meta)]
                    }
                }
            }
            group.addTask { [self] in
                for await _ in hears.changes {
                    if let tools = try? await tools(agreement) { configuration.onTools(tools) }
                }
            }
        }
    }

    // MARK: Calls

    /// Calls a tool for one attempt.
    ///
    /// - Parameter onDone: told once, when the call occupies the server no longer. That is after this returns when
    ///   the attempt was cancelled and the tool goes on.
    /// - Throws: ``TaskFailure`` as Docs/PluginProtocol.md lists them; `CancellationError` at once when cancelled.
    func call(
        _ tool: String,
        _ params: JSONValue,
        _ context: FeatureContext,
        onDone: @escaping @Sendable () -> Void
    ) async throws -> TaskResult {
        var meta: JSONObject
        do { meta = try await ready().agreement.meta } catch {
            onDone()
            throw error
        }
        meta.add(context)
        let number = Mutex<Int64>(0)
        defer { settled(number.withLock { $0 }, unlessAbandoned: true) }
        do {
            let answer = try await connection.request(
                MCP.Method.callTool,
                onProgress: { context.progress($0, $1) },
                onCancel: { [self] in abandon($0) },
                params: { [meta] id in
                    number.withLock { $0 = id }
                    begin(id, Call(log: { context.log($0) }, onDone: onDone))
                    var meta = meta
                    meta[MCP.Meta.progressToken] = .int(id)
                    return ["name": .string(tool), "arguments": params, "_meta": .object(meta)]
                }
            )
            return try MCPResult(result: answer, outputDirectory: context.outputDirectory).taskResult()
        } catch let error as RPCError {
            throw Self.failure(error, doing: "the tool \(tool)")
        }
    }

    private static func failure(_ error: RPCError, doing what: String) -> TaskFailure {
        let data = error.data.map { " \($0.text.truncated(toUTF8: 500))" } ?? ""
        return TaskFailure(
            "protocol_error",
            "The server answered \(what) with \(error.code): \(error.message)\(data)"
        )
    }

    private func begin(_ id: Int64, _ call: Call) {
        state.withLock { state in
            state.calls[id] = call
            state.reserved -= 1
            state.begun += 1
        }
    }

    /// The server is told that nobody waits for the call any more. That is only a request, and there need not be
    /// an answer.
    private func abandon(_ id: Int64) {
        connection.notify(MCP.Method.cancelled, ["requestId": .int(id), "reason": "cancelled"])
        let isKnown = state.withLock { state in
            state.calls[id]?.isAbandoned = true
            if state.hasAbandoned, !configuration.stopsWhenCancelled, state.verdict == nil {
                state.verdict = Latch()
            }
            return state.calls[id] != nil
        }
        if configuration.stopsWhenCancelled {
            settled(id)
        } else if isKnown {
            hears.abandoned.yield(id)
        }
    }

    /// A call is answered, whether or not anybody still wants to know.
    private func settled(_ id: Int64, unlessAbandoned: Bool = false) {
        let (call, stop, verdict): (Call?, PluginChannel.Stop?, Latch<Void>?) = state.withLock { state in
            guard let call = state.calls[id], !(unlessAbandoned && call.isAbandoned) else {
                return (nil, nil, nil)
            }
            state.calls[id] = nil
            let isLast = state.isRetired && state.onlyAbandoned
            let stop: PluginChannel.Stop = state.hasAbandoned ? .now : .politely
            return (call, isLast ? stop : nil, state.hasAbandoned ? nil : state.verdict.take())
        }
        call?.onDone()
        if let stop { self.stop(stop) }
        verdict?.settle(.success(()))
    }

    /// Ends the server when a call may go on after the grace although it was cancelled. Other calls end first,
    /// unless it answers nothing at all: then that call blocks them.
    private func watchAbandoned() async {
        let (sleep, grace) = (configuration.process.sleep, configuration.process.launch.cancelGrace)
        await withDiscardingTaskGroup { group in
            for await id in hears.abandonments {
                group.addTask { [self] in
                    try? await sleep(grace)
                    guard !Task.isCancelled, state.withLock({ $0.calls[id] != nil }) else { return }
                    configuration.onRemark("a call goes on after it was cancelled: the server is ended")
                    retire()
                    if state.withLock({ !$0.onlyAbandoned }), await !answers(within: grace) { blocked() }
                }
            }
        }
    }

    private func answers(within time: Duration) async -> Bool {
        guard case .success(let ready) = readiness.outcome else { return false }
        let isModern = ready.agreement.era == .modern
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { [connection] in
                do {
                    _ = try await connection.request(isModern ? MCP.Method.discover : MCP.Method.ping) { _ in
                        isModern ? ["_meta": .object(ready.agreement.meta)] : nil
                    }
                } catch { return error is RPCError }
                return true
            }
            group.addTask { [configuration] in
                try? await configuration.process.sleep(time)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    private func blocked() {
        state.withLock { state in
            state.fault = TaskFailure(
                "server_ended",
                "\(configuration.name) was ended, because another call that was cancelled blocked it.",
                fix: "Retry the task.",
                isRetryable: true
            )
        }
        stop(.now)
    }

    // MARK: What it says beside that

    /// stderr belongs to nobody in particular: everybody who is served gets it.
    private func log(_ bytes: [UInt8]) {
        for log in state.withLock({ $0.calls.values.filter { !$0.isAbandoned }.map(\.log) }) { log(bytes) }
    }

    private func heard(_ remark: MCPConnection.Remark) {
        switch remark {
        case .toolsChanged: hears.changed.yield()
        case .message(let text): log(Array((text.truncated(toUTF8: 4096) + "\n").utf8))
        case .garbage(let line):
            if garbage == 1 {
                configuration.onRemark("prints what is not MCP to stdout: \(line.truncated(toUTF8: 200))")
            }
            log(Array((line.truncated(toUTF8: 4096) + "\n").utf8))
        }
    }

    /// Whose answer a line was that nobody could read, is clear only when one is waited for.
    private func discarded() {
        let limit = configuration.process.maxLineBytes
        configuration.onRemark("printed a line of more than \(limit) bytes, which was thrown away")
        let calls = state.withLock { Array($0.calls.keys) }
        guard calls.count == 1, let id = calls.first else { return }
        connection.fail(
            id,
            TaskFailure(
                "line_too_long",
                "\(configuration.name) answered with a line of more than \(limit) bytes.",
                fix: "Let it write files into the output directory, or raise limits.max_line_bytes."
            )
        )
    }
}

/// The connection outlives its server by some callbacks, and must not keep it.
private final class WeakServer: Sendable {
    private struct Box { weak var server: MCPServer? }
    private let box = Mutex(Box())

    var server: MCPServer? { box.withLock { $0.server } }
    func set(_ server: MCPServer) { box.withLock { $0.server = server } }
}

extension JSONObject {
    /// What a tool is told of the attempt that it works for.
    fileprivate mutating func add(_ context: FeatureContext) {
        self[MCP.Meta.taskID] = .string(context.taskID.rawValue)
        self[MCP.Meta.attempt] = .int(Int64(context.attempt))
        self[MCP.Meta.fence] = .int(context.fence)
        if !context.outputDirectory.isEmpty {
            self[MCP.Meta.outputDirectory] = .string(context.outputDirectory)
        }
        set(MCP.Meta.checkpoint, context.checkpoint)
        guard !context.deviceEnvironment.isEmpty else { return }
        var environment = JSONObject()
        for (name, value) in context.deviceEnvironment { environment[name] = .string(value) }
        self[MCP.Meta.environment] = .object(environment)
    }
}
