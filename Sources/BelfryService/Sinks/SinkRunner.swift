// Runs one sink: pulls its events by cursor, retries, parks what is poison, and keeps its state
// for people to see. A sink that is slow, hung or dead has its own runner and harms nobody.

public import BelfryCore
public import Logging
public import ServiceLifecycle
import Synchronization

/// Delivers the event stream to one sink, under supervision.
public final class SinkRunner: Service {
    public struct Configuration: Sendable {
        /// Events that are read at once, and handed over in one delivery where the sink has no limit of its own.
        /// Defaults to 256.
        public var batchSize = 256
        /// Deliveries of a rejected event before it is parked. Defaults to 5.
        public var attempts = 5
        /// The longest wait between two tries. Defaults to 30 seconds.
        public var maxDelay = Duration.seconds(30)
        /// The longest wait that a sink may ask for. Defaults to an hour.
        public var maxRetryAfter = Duration.seconds(3600)
        /// What a shutdown leaves for the last deliveries. Defaults to 2 seconds.
        public var flushTime = Duration.seconds(2)
        /// While there is more of what was read, the cursor is saved at most so often. Defaults to once in 250 ms.
        public var saveInterval = Duration.milliseconds(250)
        /// Events that the sink does not want before the cursor is saved without a delivery. Defaults to 1000.
        public var unwantedBeforeSave: Int64 = 1000

        public init() {}
    }

    struct State {
        var condition = SinkStatus.Condition.starting
        var cursor: EventCursor?
        var saved: EventCursor?
        var savedAt = Duration.zero
        /// How far the delivery that goes on has got; nil while it told nothing.
        var reached: Int64?
        var lastError: String?
        var parked = 0
        /// The last event that was parked on suspicion, as long as nothing was delivered since that would bear it
        /// out: it may come back.
        var suspect: EventRecord?
        var isStopping = false
    }

    let sink: any Sink
    let store: any TaskStore
    let clocks: Clocks
    let state = Mutex(State())
    /// Deliveries and replays, one after the other.
    let turns = Turns()
    private let bus: ObserverBus
    private let configuration: Configuration
    private let logger: Logger
    /// Where the log ended when the runner was made: what ``SinkStart/now`` means. It may begin to run after
    /// the first submission.
    private let startOfRunner: EventCursor
    private let stopping = Occurrence()
    private let opened = Occurrence()
    private let ended = Occurrence()

    /// Made after the bus has learned where the log ends.
    public init(
        sink: any Sink,
        bus: ObserverBus,
        store: any TaskStore,
        configuration: Configuration = Configuration(),
        clocks: Clocks = Clocks(),
        logger: Logger
    ) {
        self.sink = sink
        self.bus = bus
        self.store = store
        self.configuration = configuration
        self.clocks = clocks
        startOfRunner = bus.newest
        var logger = logger
        logger[metadataKey: "sink"] = "\(sink.name)"
        self.logger = logger
    }

    public var status: SinkStatus {
        let newest = bus.newest
        return state.withLock { state in
            let lag = state.cursor.map {
                $0.epoch == newest.epoch ? newest.position - $0.position : newest.position
            }
            return SinkStatus(
                name: sink.name,
                condition: state.condition,
                cursor: state.cursor,
                lag: lag.map { max(0, $0) },
                lastError: state.lastError,
                parked: state.parked,
                remark: sink.remark
            )
        }
    }

    // MARK: Beginning and end

    /// Delivers until shutdown, then flushes; or until ``stop()``. A sink that cannot start is tried again;
    /// this never throws, so that a sink cannot end the hub.
    public func run() async {
        await withTaskGroup { group in
            group.addTask { await self.sink.serve() }
            if !state.withLock({ $0.isStopping }) { await deliverUntilTheEnd() }
            await sink.close()
            group.cancelAll()
        }
        // Who begins next knows nothing of the suspicion: the event is its first.
        if let suspect = state.withLock({ $0.suspect }) { _ = await takeBack(suspect.position) }
        let unsaved = state.withLock { $0.cursor != $0.saved ? $0.cursor : nil }
        if sink.cursorKeeper != .nobody, let unsaved { await save(unsaved) }
        noteEnd()
    }

    private func deliverUntilTheEnd() async {
        await withTaskGroup { group in
            group.addTask { await self.deliverUntilDone() }
            group.addTask {
                // A shutdown lets the delivery that goes on end, and those of what is committed, for so long.
                try? await gracefulShutdown()
                try? await self.clocks.sleep(self.configuration.flushTime)
            }
            group.addTask { await self.stopping.wait() }
            await group.next()
            group.cancelAll()
        }
    }

    /// Ends this sink and nothing else. What is not delivered waits for its next runner.
    public func stop() {
        state.withLock { $0.isStopping = true }
        stopping.happen()
    }

    /// Says that the runner has ended, or will never run.
    func noteEnd() {
        state.withLock { $0.condition = .stopped }
        opened.happen()
        ended.happen()
    }

    /// Returns when the runner has its place in the log, or has failed to get it.
    func opening() async { await opened.wait() }

    /// Returns when ``run()`` is over.
    func end() async { await ended.wait() }

    // MARK: Delivering

    /// Delivers until it is cancelled, or everything is delivered after a shutdown has begun.
    private func deliverUntilDone() async {
        var failures = 0
        while !Task.isCancelled {
            do {
                let reader = try await openReader()
                opened.happen()
                failures = 0
                while let batch = try await nextBatch(reader) {
                    guard await take(batch, upTo: reader.cursor) else { return }
                }
                return
            } catch is CancellationError {
                return
            } catch {
                failures += 1
                note(error, failures: failures)
                opened.happen()
                await sleep(Backoff.delay(failures, upTo: configuration.maxDelay))
                if Task.isShuttingDownGracefully { return }
            }
        }
    }

    /// Waits for events, until a shutdown begins: then there is only what is committed.
    private func nextBatch(_ reader: EventReader) async throws -> SinkBatch? {
        let limit = configuration.batchSize
        if !Task.isShuttingDownGracefully {
            do {
                return try await cancelWhenGracefulShutdown { try await reader.next(limit: limit) }
            } catch is CancellationError {
                try Task.checkCancellation()
            }
        }
        return try await reader.available(limit: limit)
    }

    private func sleep(_ time: Duration) async {
        try? await cancelWhenGracefulShutdown { try await self.clocks.sleep(time) }
    }

    private func openReader() async throws -> EventReader {
        var cursor = state.withLock { $0.cursor }
        if cursor == nil { cursor = try await sink.resumePosition() }
        if cursor == nil, sink.cursorKeeper != .nobody { cursor = try await store.cursor(of: sink.name) }
        let isNew = cursor == nil
        let start =
            sink.start == .oldest ? EventCursor(epoch: startOfRunner.epoch, position: 0) : startOfRunner
        let reader = bus.reader(after: cursor ?? start, wantsProgress: sink.wantsProgress)
        // Saved before anything is delivered: a sink that begins now misses nothing from now on.
        if isNew, sink.cursorKeeper == .store { try await store.saveCursor(reader.cursor, of: sink.name) }
        let parked = try await store.parkedEvents(of: sink.name).count
        state.withLock { state in
            state.cursor = reader.cursor
            if sink.cursorKeeper == .store { state.saved = reader.cursor }
            state.condition = .running
            state.parked = parked
        }
        return reader
    }

    /// Delivers what the sink wants of a batch.
    ///
    /// - Returns: false when the runner is at its end and the batch is not delivered.
    private func take(_ batch: SinkBatch, upTo cursor: EventCursor) async -> Bool {
        var wanted = batch
        wanted.events.removeAll { !sink.wants($0) }
        guard !wanted.isEmpty else {
            await passOver(upTo: cursor)
            return true
        }
        let limit = max(1, sink.batchLimit ?? .max)
        while wanted.events.count > limit {
            let part = SinkBatch(gap: wanted.gap, events: Array(wanted.events.prefix(limit)))
            let last = wanted.events[limit - 1].cursor
            guard await deliver(part, upTo: last, isLast: false), !Task.isCancelled else { return false }
            wanted = wanted.after(last.position)
        }
        return await deliver(wanted, upTo: cursor)
    }

    /// Moves the cursor over what the sink does not want. It is saved now and then only: what is read again
    /// after a crash is passed over again.
    private func passOver(upTo cursor: EventCursor) async {
        let isDue = state.withLock { state in
            state.cursor = cursor
            guard let saved = state.saved, saved.epoch == cursor.epoch else { return true }
            return cursor.position - saved.position >= configuration.unwantedBeforeSave
        }
        if isDue, sink.cursorKeeper == .store { await save(cursor) }
    }

    /// Delivers one batch, trying again until it is delivered or parked, or the runner is at its end.
    ///
    /// - Parameter isLast: whether the cursor is saved at once, and not only now and then.
    private func deliver(_ batch: SinkBatch, upTo cursor: EventCursor, isLast: Bool = true) async -> Bool {
        var batch = batch
        var failures = 0
        var rejections = (position: Int64(-1), count: 0)
        while true {
            var delay: Duration?
            do {
                if !batch.isEmpty { try await attempt(batch, epoch: cursor.epoch) }
                await delivered(upTo: cursor, isLast: isLast)
                return true
            } catch SinkError.rejected(let position, let reason) {
                rejections = (position, rejections.position == position ? rejections.count + 1 : 1)
                failures = rejections.count
                note(SinkError.rejected(position: position, reason), failures: failures)
                batch = batch.after(position - 1)
                if failures >= configuration.attempts, await park(position, reason) {
                    batch = batch.after(position)
                    delay = .zero
                }
            } catch SinkError.poisonous(let position, let reason) where batch.holds(position) {
                failures += 1
                note(SinkError.poisonous(position: position, reason), failures: failures)
                batch = batch.after(position - 1)
                if await park(position, reason) {
                    state.withLock { $0.suspect = batch.events.first }
                    batch = batch.after(position)
                    (delay, failures) = (.zero, 0)
                }
            } catch SinkError.broken(let reason, let acquitted) {
                failures += 1
                note(SinkError.broken(reason, acquitting: acquitted), failures: failures)
                if let acquitted, let event = await takeBack(acquitted) { batch.events.insert(event, at: 0) }
                // Another takes its place; until then there is nothing to try.
                delay = configuration.maxRetryAfter
            } catch {
                if Task.isCancelled { return false }
                failures += 1
                note(error, failures: failures)
                if case SinkError.unavailable(_, let after?) = error {
                    delay = min(after, configuration.maxRetryAfter)
                }
            }
            if let reached = state.withLock({ $0.reached }) { batch = batch.after(reached) }
            if delay != .zero { await sleep(delay ?? Backoff.delay(failures, upTo: configuration.maxDelay)) }
            if Task.isCancelled || (Task.isShuttingDownGracefully && !batch.isEmpty) { return false }
        }
    }

    private func attempt(_ batch: SinkBatch, epoch: String) async throws {
        state.withLock { $0.reached = nil }
        try await turns.withTurn {
            try await sink.deliver(batch) { await self.reach(EventCursor(epoch: epoch, position: $0)) }
        }
        state.withLock { $0.suspect = nil }
    }

    /// Notes how far a delivery has got, and saves it now and then.
    private func reach(_ cursor: EventCursor) async {
        let now = clocks.lease.now
        let isDue = state.withLock { state in
            state.reached = cursor.position
            state.cursor = cursor
            state.suspect = nil
            return now - state.savedAt >= configuration.saveInterval
        }
        if isDue, sink.cursorKeeper == .store { await save(cursor) }
    }

    private func delivered(upTo cursor: EventCursor, isLast: Bool) async {
        let now = clocks.lease.now
        let isUnsaved = state.withLock { state in
            state.cursor = cursor
            state.condition = .running
            state.lastError = nil
            return state.saved != cursor && (isLast || now - state.savedAt >= configuration.saveInterval)
        }
        // Saved after delivery: a crash repeats a batch, it never skips one.
        if isUnsaved, sink.cursorKeeper == .store { await save(cursor) }
    }

    private func save(_ cursor: EventCursor) async {
        do {
            try await store.saveCursor(cursor, of: sink.name)
            let now = clocks.lease.now
            state.withLock { ($0.saved, $0.savedAt) = (cursor, now) }
        } catch {
            logger.warning("cannot save the sink's cursor", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: whether the event is put aside; if not, it must be tried again.
    private func park(_ position: Int64, _ reason: String) async -> Bool {
        logger.error("parking an event", metadata: ["position": "\(position)", "reason": "\(reason)"])
        let parked = ParkedEvent(sink: sink.name, position: position, reason: reason, time: clocks.wall.now)
        do { try await store.park(parked) } catch {
            logger.error("cannot park the event; trying again", metadata: ["error": "\(error)"])
            return false
        }
        state.withLock { $0.parked += 1 }
        return true
    }

    /// One log line when a sink begins to fail; the state shows the rest.
    private func note(_ error: any Error, failures: Int) {
        let text = Self.describe(error)
        if failures == 1 { logger.warning("a delivery failed; trying again", metadata: ["error": "\(text)"]) }
        state.withLock { state in
            state.condition = .failing
            state.lastError = text
        }
    }

    static func describe(_ error: any Error) -> String {
        switch error {
        case SinkError.unavailable(let reason, _): reason
        case SinkError.rejected(let position, let reason), SinkError.poisonous(let position, let reason):
            "event \(position): \(reason)"
        case SinkError.broken(let reason, _): reason
        default: "\(error)"
        }
    }
}

extension SinkBatch {
    fileprivate func holds(_ position: Int64) -> Bool { events.contains { $0.position == position } }
}
