// An observer from the registry as a sink: a process that stays, gets events as lines and answers them. It is
// started when there is something to hear; when it crashes, what it has not answered comes again.

public import BelfryCore
import Subprocess
import Synchronization

/// Delivers events to a plugin that speaks observer/1.
///
/// ``serve()`` keeps the process; the sink's runner calls it.
public final class ObserverPluginSink: Sink {
    /// How the plugin stands, as it is shown.
    public enum Condition: Sendable, Hashable {
        /// Not started yet: there was nothing to hear.
        case idle
        case starting
        case ready
        /// It has events that it has not answered.
        case busy
        /// It crashed and waits for its next start.
        case backoff(String)
        /// It crashed too often and is not started again until somebody enables it.
        case quarantined(String)
        case stopped
    }

    private enum State {
        case idle
        case running(ObserverTalk)
        /// `poison` is the event that made it crash too often, until the runner is told of it.
        case backoff(notBefore: Duration, reason: String, poison: Int64? = nil)
        case quarantined(String, acquitted: Int64?)
        case closed
    }

    public let name: String
    public let batchLimit: Int?
    public let start: SinkStart
    let answerTimeout: Duration
    let clocks: Clocks
    private let filter: EventFilter
    private let process: PluginProcess
    private let hold: PluginHold?
    private let onNote: @Sendable (PluginNote) -> Void
    private let state = Mutex(State.idle)
    private let judge: Mutex<CrashJudge>
    /// Each asks for a process.
    private let talks: AsyncStream<ObserverTalk>
    private let newTalk: AsyncStream<ObserverTalk>.Continuation

    /// - Parameters:
    ///   - launcher: the path of belfry-launch.
    ///   - environment: what the plugin's own is chosen from: what every plugin gets, and what this
    ///     one asks for by name.
    ///   - secrets: what the plugin's own are chosen from, when the sink is made.
    ///   - hold: keeps the plugin's files for as long as the sink lives.
    ///   - directory: where it runs, absolute. Defaults to its own directory.
    ///   - trace: sees each line that goes to it and comes from it. Defaults to nobody.
    ///   - onNote: told of what belongs into its log.
    public init(
        plugin: InstalledPlugin,
        launcher: String,
        environment: [String: String],
        secrets: PluginSecrets = PluginSecrets(),
        hold: PluginHold? = nil,
        directory: String? = nil,
        clocks: Clocks = Clocks(),
        trace: PluginTrace? = nil,
        onNote: @escaping @Sendable (PluginNote) -> Void = { _ in }
    ) {
        let manifest = plugin.manifest
        name = manifest.id
        batchLimit = manifest.observation.window
        start = manifest.observation.start == .now ? .now : .oldest
        filter = manifest.observation.filter
        answerTimeout = manifest.observation.answerTimeout
        self.clocks = clocks
        self.onNote = onNote
        judge = Mutex(CrashJudge(manifest.restart))
        self.hold = hold
        let launch = Launch(
            launcher: launcher,
            executable: plugin.executable,
            arguments: plugin.arguments,
            environment: ExecEnvironment.ofProcess(of: plugin, from: environment, secrets: secrets),
            workingDirectory: directory ?? plugin.directory,
            umask: 0o077,
            addressSpaceMB: manifest.limits.addressSpaceMB,
            memoryMB: manifest.limits.memoryMB,
            cancelGrace: manifest.limits.cancelGrace,
            pins: plugin.pins
        )
        process = PluginProcess(
            launch: launch,
            maxLineBytes: manifest.limits.maxLineBytes,
            sleep: clocks.sleep,
            trace: trace
        )
        (talks, newTalk) = AsyncStream.makeStream()
    }

    public func wants(_ event: EventRecord) -> Bool { filter.matches(event) }

    public var condition: Condition {
        switch state.withLock({ $0 }) {
        case .idle: .idle
        case .running(let talk): !talk.hasBegun ? .starting : talk.isBusy ? .busy : .ready
        case .backoff(_, let reason, _): .backoff(reason)
        case .quarantined(let reason, _): .quarantined(reason)
        case .closed: .stopped
        }
    }

    public var remark: String? {
        guard case .running(let talk) = state.withLock({ $0 }) else { return nil }
        return talk.status
    }

    // MARK: Delivering

    public func deliver(_ batch: SinkBatch) async throws { try await deliver(batch) { _ in } }

    public func deliver(_ batch: SinkBatch, reached: @escaping @Sendable (Int64) async -> Void) async throws {
        let isWary = judge.withLock { $0.isWary }
        for part in isWary ? batch.singles : [batch] { try await handOver(part, reached) }
        judge.withLock { $0.caughtUp() }
    }

    private func handOver(_ batch: SinkBatch, _ reached: @escaping @Sendable (Int64) async -> Void)
        async throws
    {
        let talk = try talk()
        let positions = batch.events.map(\.position)
        talk.handOver(positions)
        do {
            try await converse(talk, batch, positions.last, reached)
        } catch {
            // What it has and did not answer comes again, to another run: an answer to the first copy must not
            // count for the second.
            if talk.letGo() { talk.dismiss(.now) }
            throw error
        }
    }

    private func converse(
        _ talk: ObserverTalk,
        _ batch: SinkBatch,
        _ last: Int64?,
        _ reached: @escaping @Sendable (Int64) async -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // A program that reads no more is told of by its end.
                if let gap = batch.gap { try? await talk.channel.send(gap.json.encoded) }
                for event in batch.events { try? await talk.channel.send(event.json) }
            }
            guard let last else { return try await group.next() ?? () }
            group.addTask { try await talk.silence(self.answerTimeout, sleep: self.clocks.sleep) }
            defer { group.cancelAll() }
            while true {
                let news = try await talk.next()
                if news.isAnswer { judge.withLock { $0.answered() } }
                switch news {
                case .reached(let position):
                    await reached(position)
                    if position == last { return }
                case .rejected(let position, let reason):
                    throw SinkError.rejected(position: position, reason)
                case .retry(_, let reason, let after):
                    throw SinkError.unavailable(reason, retryAfter: after)
                case .silent: throw hung(talk)
                case .over(let reason): throw refusal() ?? SinkError.unavailable(reason)
                }
            }
        }
    }

    /// The conversation that goes on, or a new one, which ``serve()`` finds a process for.
    private func talk() throws -> ObserverTalk {
        if let refusal = refusal() { throw refusal }
        let (talk, isNew) = state.withLock { state -> (ObserverTalk, Bool) in
            if case .running(let talk) = state, !talk.isOver, !talk.isDismissed { return (talk, false) }
            let talk = ObserverTalk()
            state = .running(talk)
            return (talk, true)
        }
        if isNew { newTalk.yield(talk) }
        return talk
    }

    /// Why there can be no process now. An event that made it crash too often is told of once.
    private func refusal() -> (any Error)? {
        let now = clocks.lease.now
        return state.withLock { state in
            switch state {
            case .idle, .running: return nil
            case .closed: return CancellationError()
            case .backoff(let notBefore, let reason, let poison?):
                state = .backoff(notBefore: notBefore, reason: reason)
                return SinkError.poisonous(position: poison, "it crashed each time: \(reason)")
            case .backoff(let notBefore, let reason, nil):
                return notBefore > now ? SinkError.unavailable(reason, retryAfter: notBefore - now) : nil
            case .quarantined(let reason, let acquitted):
                // Enabling it makes a new sink.
                return SinkError.broken(reason, acquitting: acquitted)
            }
        }
    }

    private func hung(_ talk: ObserverTalk) -> any Error {
        var reason = "it answered nothing for \(answerTimeout.text)"
        if let garbage = talk.firstGarbage { reason += "; what was not understood began with: \(garbage)" }
        talk.dismiss(.now)
        noteCrash(reason, of: talk)
        return refusal() ?? SinkError.unavailable(reason)
    }

    // MARK: The process

    public func serve() async {
        for await talk in talks { await run(talk) }
    }

    private func run(_ talk: ObserverTalk) async {
        // For whoever comes to hear of it only when the next start is due already.
        var reason = "it has ended"
        defer { talk.end(reason) }
        let lines = Mutex(LineSplitter(limit: PluginNote.longest))
        let say: @Sendable (String) -> Void = { [onNote] in onNote(.said($0)) }
        do {
            talk.begin()
            onNote(.happened("started"))
            let end = try await process.run(
                talk.channel,
                onLine: { talk.take($0) },
                onError: { bytes in lines.withLock { $0.feed(bytes, say) } }
            )
            lines.withLock { $0.finish(say) }
            reason = noteEnd(of: talk, end) ?? reason
        } catch let failure as TaskFailure {
            reason = [failure.message, failure.fix ?? ""].joined(separator: " ")
            noteCrash(reason, of: talk)
        } catch {
            // Cancelled, with all that it had started.
        }
    }

    /// A run that was not asked to end has crashed, whatever its status.
    ///
    /// - Returns: why, then.
    private func noteEnd(of talk: ObserverTalk, _ end: PluginProcess.End) -> String? {
        guard !talk.isDismissed else {
            onNote(.happened("ended"))
            state.withLock { state in
                if case .running(let current) = state, current === talk { state = .idle }
            }
            return nil
        }
        var reason: String
        switch end.status {
        case .exited(let code): reason = "it ended with status \(code)"
        case .signaled(let signal): reason = "it was killed by signal \(signal)"
        }
        if let position = talk.positions.first { reason += " while it had event \(position)" }
        if let last = end.errorTail.split(separator: "\n").last {
            reason += ": \(last)".truncated(toUTF8: 512)
        }
        noteCrash(reason, of: talk)
        return reason
    }

    private func noteCrash(_ reason: String, of talk: ObserverTalk) {
        let notes: [PluginNote] = state.withLock { state in
            guard case .running(let current) = state, current === talk else { return [] }
            let note = PluginNote.happened("crashed: \(reason)")
            switch judge.withLock({ $0.crashed(at: clocks.lease.now, with: talk.positions) }) {
            case .restart(let notBefore):
                state = .backoff(notBefore: notBefore, reason: reason)
                return [note]
            case .poison(let position, let notBefore):
                state = .backoff(notBefore: notBefore, reason: reason, poison: position)
                return [note, .happened("goes on without event \(position), which is put aside")]
            case .quarantine(let acquitted):
                let words = "\(reason). It is not started again until: belfry plugin enable \(name)"
                state = .quarantined(words, acquitted: acquitted)
                return [note, .quarantined(name)]
            }
        }
        for note in notes { onNote(note) }
    }

    public func close() async {
        let last = state.withLock { state -> ObserverTalk? in
            defer { state = .closed }
            if case .running(let talk) = state { return talk }
            return nil
        }
        newTalk.finish()
        guard let last, !last.isOver else { return }
        last.dismiss(.politely)
        await withTaskGroup { group in
            group.addTask { await last.waitForEnd() }
            group.addTask { try? await self.clocks.sleep(Self.farewell) }
            await group.next()
            group.cancelAll()
        }
        last.dismiss(.now)
        await last.waitForEnd()
    }

    /// What an observer has to end by itself after the end of its input.
    static let farewell = Duration.seconds(2)
}

extension Duration {
    /// For people: `60 s`.
    fileprivate var text: String { "\(JSONValue.double(seconds).text) s" }
}

extension SinkBatch {
    /// The same, an event at a time.
    fileprivate var singles: [SinkBatch] {
        var parts = events.map { SinkBatch(events: [$0]) }
        if parts.isEmpty { return [self] }
        parts[0].gap = gap
        return parts
    }
}
