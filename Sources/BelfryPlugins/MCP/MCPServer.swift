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

    struct Call {
        let log: @Sendable ([UInt8]) -> Void
        /// It occupies the server no longer.
        let onDone: @Sendable () -> Void
        var isAbandoned = false
    }

    struct State {
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
    let connection: MCPConnection
    let readiness = Latch<Ready>()
    let state: Mutex<State>
    let hears: Hears

    /// What reaches ``run()`` from elsewhere.
    struct Hears: Sendable {
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
}

/// The connection outlives its server by some callbacks, and must not keep it.
private final class WeakServer: Sendable {
    private struct Box { weak var server: MCPServer? }
    private let box = Mutex(Box())

    var server: MCPServer? { box.withLock { $0.server } }
    func set(_ server: MCPServer) { box.withLock { $0.server = server } }
}
