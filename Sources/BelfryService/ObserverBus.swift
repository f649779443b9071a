// Carries committed events from the store to everyone who watches. The store hands over what it
// committed, or only signals that there may be more; then the bus reads it, once. The newest events
// stay in a ring, so that readers at the head never touch the database, and a reader that fell behind
// reads the store by itself.

public import BelfryCore
import DequeModule
public import Logging
public import ServiceLifecycle
import Synchronization

/// The newest events, and the readers that wait for the next.
public final class ObserverBus: Service {
    struct State {
        var epoch = ""
        /// The position of the newest event in the ring.
        var newest: Int64 = 0
        var ring: Deque<EventRecord> = []
        var readers: [Int: ReaderState] = [:]
        var nextReader = 0
        /// Tasks whose `task.started` has been read; progress of others waits for it.
        var running: Set<TaskID> = []
        var latestProgress: [TaskID: ProgressUpdate] = [:]
        var isFinished = false
    }

    struct ReaderState {
        var wantsProgress: Bool
        var changedProgress: Set<TaskID> = []
        var waiting: CheckedContinuation<Void, any Error>?
    }

    let store: any TaskStore
    let state = Mutex(State())
    private let ringCapacity: Int
    private let clocks: Clocks
    private let metrics: ServiceMetrics?
    private let logger: Logger
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - ringCapacity: how many of the newest events stay in memory.
    ///   - metrics: counts the events. Defaults to none.
    public init(
        store: any TaskStore,
        ringCapacity: Int = 4096,
        clocks: Clocks = Clocks(),
        metrics: ServiceMetrics? = nil,
        logger: Logger
    ) {
        self.store = store
        self.ringCapacity = ringCapacity
        self.clocks = clocks
        self.metrics = metrics
        self.logger = logger
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Says that the store has new events. Cheap; call it after each commit, in the order of commits.
    ///
    /// - Parameter events: what was committed, oldest first; without it, or when there is a gap before
    ///   it, the bus reads the store.
    public func committed(_ events: [EventRecord] = []) {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, any Error>]? in
            guard let first = events.first?.cursor, first.epoch == state.epoch,
                first.position == state.newest + 1
            else { return nil }
            return append(events, to: &state)
        }
        guard let waiting else {
            signal.yield()
            return
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Learns where the log ends. Readers may be made after it.
    public func start() async throws {
        let status = try await store.status()
        state.withLock { state in
            state.epoch = status.epoch
            state.newest = status.newest
        }
    }

    public func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() { await pull() }
        await pull()
        finish()
    }

    /// Reads what was committed since the last time. A store that fails is asked again, with backoff.
    private func pull() async {
        var failures = 0
        while !Task.isCancelled {
            do {
                let after = state.withLock { $0.newest }
                let page = try await store.events(after: after, limit: 1000)
                guard !page.events.isEmpty else { return }
                let waiting = state.withLock { append(page.events, to: &$0) }
                for continuation in waiting { continuation.resume() }
                failures = 0
            } catch {
                if failures == 0 {
                    logger.error("cannot read events; trying again", metadata: ["error": "\(error)"])
                }
                failures += 1
                try? await clocks.sleep(Backoff.delay(failures, upTo: .seconds(5)))
            }
        }
    }

    private func append(_ events: [EventRecord], to state: inout State) -> [CheckedContinuation<
        Void, any Error
    >] {
        // What was read may have been handed over meanwhile.
        for record in events where record.position > state.newest {
            state.ring.append(record)
            state.newest = record.position
            metrics?.committed(record.kind)
            if let task = record.taskID { follow(record.kind, of: task, in: &state) }
        }
        if state.ring.count > ringCapacity { state.ring.removeFirst(state.ring.count - ringCapacity) }
        return wake(&state) { _ in true }
    }

    /// Keeps progress between a task's `started` and the end of that attempt.
    private func follow(_ kind: TaskEvent.Kind, of task: TaskID, in state: inout State) {
        switch kind {
        case .started:
            state.running.insert(task)
            if state.latestProgress[task] != nil { markProgress(of: task, in: &state) }
        case .retrying, .interrupted, .snoozed, .completed, .failed, .cancelled, .removed:
            state.running.remove(task)
            state.latestProgress[task] = nil
        case .added, .cancelRequested, .retried, .edited, .stashed, .released, .batchAdded, .batchFinished:
            break
        }
    }

    private func markProgress(of task: TaskID, in state: inout State) {
        for (id, reader) in state.readers where reader.wantsProgress {
            state.readers[id]?.changedProgress.insert(task)
        }
    }

    private func wake(
        _ state: inout State,
        where condition: (ReaderState) -> Bool
    ) -> [CheckedContinuation<Void, any Error>] {
        var waiting: [CheckedContinuation<Void, any Error>] = []
        for (id, reader) in state.readers where reader.waiting != nil && condition(reader) {
            if let continuation = reader.waiting { waiting.append(continuation) }
            state.readers[id]?.waiting = nil
        }
        return waiting
    }

    /// Tells readers the newest progress of tasks. Values that nobody has read yet are replaced.
    public func publish(_ updates: [ProgressUpdate]) {
        let waiting = state.withLock { state in
            for update in updates {
                state.latestProgress[update.task.id] = update
                if state.running.contains(update.task.id) { markProgress(of: update.task.id, in: &state) }
            }
            return wake(&state) { !$0.changedProgress.isEmpty }
        }
        for continuation in waiting { continuation.resume() }
    }

    /// A reader that begins after `cursor`, or with the next event when `cursor` is nil.
    ///
    /// A cursor of another epoch begins with a gap record and then the oldest event.
    public func reader(after cursor: EventCursor?, wantsProgress: Bool = false) -> EventReader {
        let (id, start, isForeign, epoch) = state.withLock { state in
            state.nextReader += 1
            state.readers[state.nextReader] = ReaderState(wantsProgress: wantsProgress)
            let isForeign = cursor.map { $0.epoch != state.epoch } ?? false
            let start = isForeign ? 0 : min(cursor?.position ?? state.newest, state.newest)
            return (state.nextReader, start, isForeign, state.epoch)
        }
        return EventReader(bus: self, id: id, position: start, isForeign: isForeign, epoch: epoch)
    }

    /// How many readers there are: sinks and people who watch.
    public var readerCount: Int { state.withLock { $0.readers.count } }

    /// The newest event that readers can get.
    public var newest: EventCursor { state.withLock { EventCursor(epoch: $0.epoch, position: $0.newest) } }

    /// No more events will come: readers get what is left and then nil.
    private func finish() {
        let waiting = state.withLock { state in
            state.isFinished = true
            return wake(&state) { _ in true }
        }
        for continuation in waiting { continuation.resume() }
    }
}
