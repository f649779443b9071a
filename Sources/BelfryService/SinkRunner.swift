// Runs one sink: pulls its events by cursor, retries, parks what is poison, and keeps its state
// for people to see. A sink that is slow, hung or dead has its own runner and harms nobody.

public import BelfryCore
public import Logging
public import ServiceLifecycle
import Synchronization

/// How a sink is doing.
public struct SinkStatus: Sendable, Hashable {
    public enum Condition: String, Sendable, CaseIterable {
        case starting, running
        /// Deliveries fail; the runner tries again.
        case failing
        case stopped
    }

    public var name: String
    public var condition: Condition
    /// The last event delivered.
    public var cursor: EventCursor?
    /// Events that wait for this sink.
    public var lag: Int64
    public var lastError: String?
    /// Events put aside because they could not be delivered.
    public var parked: Int
    /// What the sink itself says of its way out.
    public var remark: String?

    public init(
        name: String,
        condition: Condition,
        cursor: EventCursor?,
        lag: Int64,
        lastError: String?,
        parked: Int,
        remark: String? = nil
    ) {
        self.name = name
        self.condition = condition
        self.cursor = cursor
        self.lag = lag
        self.lastError = lastError
        self.parked = parked
        self.remark = remark
    }
}

/// Delivers the event stream to one sink, under supervision.
public final class SinkRunner: Service {
    public struct Configuration: Sendable {
        /// Events in one delivery. Defaults to 256.
        public var batchSize = 256
        /// Deliveries of a rejected event before it is parked. Defaults to 5.
        public var attempts = 5
        /// The longest wait between two tries. Defaults to 30 seconds.
        public var maxDelay = Duration.seconds(30)
        /// What a shutdown leaves for the last deliveries. Defaults to 2 seconds.
        public var flushTime = Duration.seconds(2)

        public init() {}
    }

    private struct State {
        var condition = SinkStatus.Condition.starting
        var cursor: EventCursor?
        var lastError: String?
        var parked = 0
    }

    private let sink: any Sink
    private let bus: ObserverBus
    private let store: any TaskStore
    private let configuration: Configuration
    private let clocks: Clocks
    private let logger: Logger
    /// Where the log ended when the hub was put together: what ``SinkStart/now`` means. The runner itself
    /// may begin after the first submission.
    private let startOfHub: EventCursor
    private let state = Mutex(State())

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
        startOfHub = bus.newest
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
                lag: max(0, lag ?? 0),
                lastError: state.lastError,
                parked: state.parked,
                remark: sink.remark
            )
        }
    }

    /// Delivers until shutdown, then flushes. A sink that cannot start is tried again; this never
    /// throws, so that a sink cannot end the hub.
    public func run() async {
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.deliverUntilCancelled() }
                group.addTask { try? await gracefulShutdown() }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
        }
        await flush()
        await sink.close()
        if sink.cursorKeeper == .sink, let cursor = state.withLock({ $0.cursor }) { await save(cursor) }
        state.withLock { $0.condition = .stopped }
    }

    private func deliverUntilCancelled() async {
        var failures = 0
        while !Task.isCancelled {
            do {
                let reader = try await openReader()
                failures = 0
                while let batch = try await reader.next(limit: configuration.batchSize) {
                    await deliver(batch, upTo: reader.cursor)
                    if Task.isCancelled { return }
                }
                return
            } catch is CancellationError {
                return
            } catch {
                failures += 1
                note(error, failures: failures)
                try? await clocks.sleep(Backoff.delay(failures, upTo: configuration.maxDelay))
            }
        }
    }

    private func openReader() async throws -> EventReader {
        var cursor = state.withLock { $0.cursor }
        if cursor == nil { cursor = try await sink.resumePosition() }
        if cursor == nil, sink.cursorKeeper != .nobody { cursor = try await store.cursor(of: sink.name) }
        let start = sink.start == .oldest ? EventCursor(epoch: startOfHub.epoch, position: 0) : startOfHub
        let reader = bus.reader(after: cursor ?? start, wantsProgress: sink.wantsProgress)
        let parked = try await store.parkedEvents(of: sink.name).count
        state.withLock { state in
            state.cursor = reader.cursor
            state.condition = .running
            state.parked = parked
        }
        return reader
    }

    /// Delivers one batch, trying again until it is delivered, parked or the runner is cancelled.
    private func deliver(_ batch: SinkBatch, upTo cursor: EventCursor) async {
        var batch = batch
        var failures = 0
        var rejections = 0
        while !Task.isCancelled {
            do {
                try await sink.deliver(batch)
                return await delivered(batch, cursor: cursor)
            } catch SinkError.rejected(let position, let reason) {
                rejections += 1
                note(SinkError.rejected(position: position, reason), failures: rejections)
                if rejections >= configuration.attempts {
                    await park(position, reason)
                    batch.events.removeAll { $0.position <= position }
                    rejections = 0
                    if batch.events.isEmpty { return await delivered(SinkBatch(), cursor: cursor) }
                }
                failures = max(failures, rejections)
            } catch {
                failures += 1
                note(error, failures: failures)
            }
            try? await clocks.sleep(Backoff.delay(failures, upTo: configuration.maxDelay))
        }
    }

    private func delivered(_ batch: SinkBatch, cursor: EventCursor) async {
        let changed = state.withLock { state in
            defer {
                state.cursor = cursor
                state.condition = .running
                state.lastError = nil
            }
            return state.cursor != cursor
        }
        // Saved after delivery: a crash repeats a batch, it never skips one.
        if changed, sink.cursorKeeper == .store { await save(cursor) }
    }

    private func save(_ cursor: EventCursor) async {
        do { try await store.saveCursor(cursor, of: sink.name) } catch {
            logger.warning("cannot save the sink's cursor", metadata: ["error": "\(error)"])
        }
    }

    private func park(_ position: Int64, _ reason: String) async {
        logger.error("parking an event", metadata: ["position": "\(position)", "reason": "\(reason)"])
        let parked = ParkedEvent(sink: sink.name, position: position, reason: reason, time: clocks.wall.now)
        do { try await store.park(parked) } catch {
            logger.error("cannot park the event", metadata: ["error": "\(error)"])
        }
        state.withLock { $0.parked += 1 }
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

    private static func describe(_ error: any Error) -> String {
        switch error {
        case SinkError.unavailable(let reason): reason
        case SinkError.rejected(let position, let reason): "event \(position): \(reason)"
        default: "\(error)"
        }
    }

    /// Delivers what is committed, within the time that a shutdown leaves.
    private func flush() async {
        guard state.withLock({ $0.condition == .running }) else { return }
        await withTaskGroup { group in
            group.addTask { await self.deliverRest() }
            group.addTask { try? await self.clocks.sleep(self.configuration.flushTime) }
            await group.next()
            group.cancelAll()
        }
    }

    private func deliverRest() async {
        let reader = bus.reader(after: state.withLock { $0.cursor })
        while let batch = try? await reader.available(limit: configuration.batchSize) {
            await deliver(batch, upTo: reader.cursor)
            if Task.isCancelled { return }
        }
    }
}
