// A whole service on a store in memory, and features whose ends a test decides.

import BelfryCore
import BelfryService
import BelfryTesting
import FoundationEssentials
import Logging
import ServiceLifecycle
import Synchronization

/// Store, bus, worker and service, running until the body of the test is done.
struct Harness: Sendable {
    let memory: InMemoryTaskStore
    let store: FaultyTaskStore
    let bus: ObserverBus
    let features: FeatureRegistry
    let worker: TaskWorker
    let service: BackgroundTaskService
    let clocks: Clocks
    let group: ServiceGroup
    let sinks: SinkSet

    /// - Parameters:
    ///   - features: what the hub serves.
    ///   - sinks: what is delivered to.
    ///   - previous: what a hub before this one left. Defaults to nothing.
    ///   - concurrency: attempts at once. Defaults to 2.
    ///   - worker: the worker's settings. Defaults to `concurrency` and defaults.
    ///   - instruments: watch the worker, and count for the bus and the service. Defaults to none.
    ///   - logger: Defaults to one that drops everything.
    static func run(
        features served: [any Feature] = [],
        sinks: [any Sink] = [],
        previous: InMemoryTaskStore? = nil,
        ringCapacity: Int = 4096,
        clocks: Clocks = Clocks(),
        concurrency: Int = 2,
        fairness: Fairness = .none,
        configuration worker: TaskWorker.Configuration? = nil,
        instruments: Instruments = Instruments(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ body: @escaping @Sendable (Harness) async throws -> Void
    ) async throws {
        let commits = Commits()
        let commit: @Sendable () -> Void = { commits.bus?.committed() }
        let memory =
            previous.map { InMemoryTaskStore(contentsOf: $0, didCommitEvents: commit) }
            ?? InMemoryTaskStore(didCommitEvents: commit)
        let store = FaultyTaskStore(memory)
        let bus = ObserverBus(
            store: store,
            ringCapacity: ringCapacity,
            clocks: clocks,
            metrics: instruments.metrics,
            logger: logger
        )
        commits.bus = bus
        try await bus.start()
        let features = FeatureRegistry()
        for feature in served { features.register(feature) }
        let directory = try TemporaryDirectory()
        let files = try TaskFiles(directory: directory.path)
        var configuration = TaskWorker.Configuration()
        configuration.concurrency = concurrency
        if let worker { configuration = worker }
        let worker = TaskWorker(
            id: WorkerID("worker"),
            store: store,
            features: features,
            bus: bus,
            files: files,
            configuration: configuration,
            clocks: clocks,
            instruments: instruments,
            logger: logger
        )
        let service = BackgroundTaskService(
            store: store,
            features: features,
            worker: worker,
            files: files,
            fairness: fairness,
            clocks: clocks,
            metrics: instruments.metrics
        )
        let set = SinkSet(sinks, bus: bus, store: store, clocks: clocks, logger: logger)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: ([bus, set, worker] as [any Service]).map {
                    ServiceGroupConfiguration.ServiceConfiguration(service: $0)
                },
                logger: logger
            )
        )
        let harness = Harness(
            memory: memory,
            store: store,
            bus: bus,
            features: features,
            worker: worker,
            service: service,
            clocks: clocks,
            group: group,
            sinks: set
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do { try await body(harness) } catch {
                tasks.cancelAll()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        withExtendedLifetime(directory) {}
    }

    /// The log from its beginning to the first event for which `isLast` holds, read as they come.
    func events(until isLast: (EventRecord) -> Bool) async throws -> [EventRecord] {
        let reader = bus.reader(after: EventCursor(epoch: bus.newest.epoch, position: 0))
        var events: [EventRecord] = []
        while let batch = try await reader.next() {
            for record in batch.events {
                events.append(record)
                if isLast(record) { return events }
            }
        }
        return events
    }

    /// Waits for the event of one task, or of any.
    @discardableResult
    func event(_ kind: TaskEvent.Kind, of id: TaskID? = nil) async throws -> EventRecord {
        try await events { $0.kind == kind && (id == nil || $0.taskID == id) }.last!
    }

    func add(_ feature: String, _ change: (inout NewTask) -> Void = { _ in }) async throws -> BackgroundTask {
        var new = NewTask(featureID: feature)
        change(&new)
        return try await service.addTask(new).task
    }

    private final class Commits: Sendable {
        private let state = Mutex<ObserverBus?>(nil)
        var bus: ObserverBus? {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }
}

/// Removed when nobody holds it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory.path() + "belfry-service-\(UInt64.random(in: 0...(.max)))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A feature whose work is a closure.
struct ClosureFeature: Feature {
    var descriptor: FeatureDescriptor
    let work: @Sendable (JSONValue, FeatureContext) async throws -> TaskResult

    init(
        _ id: String,
        concurrency: Int? = nil,
        retry: RetryPolicy = .never,
        work: @escaping @Sendable (JSONValue, FeatureContext) async throws -> TaskResult = { _, _ in
            TaskResult()
        }
    ) {
        descriptor = FeatureDescriptor(id: id, title: id)
        descriptor.makesFiles = false
        descriptor.concurrency = concurrency
        descriptor.retry = retry
        self.work = work
    }

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        try await work(params, context)
    }
}

/// Closed until somebody opens it; waiting ends also by cancellation.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func open() { continuation.finish() }

    func wait() async throws {
        for await _ in stream {}
        try Task.checkCancellation()
    }
}

/// A sink that keeps what it gets, and fails as told.
final class RecordingSink: Sink {
    let name: String
    let wantsProgress: Bool
    let cursorKeeper: CursorKeeper
    let start: SinkStart
    private let onDeliver: @Sendable (SinkBatch) async throws -> Void
    private typealias Waiter = (
        isDone: @Sendable ([SinkBatch]) -> Bool, resume: CheckedContinuation<Void, Never>
    )
    private let state = Mutex<(batches: [SinkBatch], waiters: [Waiter])>(([], []))

    init(
        _ name: String,
        wantsProgress: Bool = false,
        cursorKeeper: CursorKeeper = .store,
        start: SinkStart = .oldest,
        onDeliver: @escaping @Sendable (SinkBatch) async throws -> Void = { _ in }
    ) {
        self.name = name
        self.wantsProgress = wantsProgress
        self.cursorKeeper = cursorKeeper
        self.start = start
        self.onDeliver = onDeliver
    }

    func deliver(_ batch: SinkBatch) async throws {
        try await onDeliver(batch)
        let due = state.withLock { state in
            state.batches.append(batch)
            let due = state.waiters.filter { $0.isDone(state.batches) }
            state.waiters.removeAll { $0.isDone(state.batches) }
            return due
        }
        for waiter in due { waiter.resume.resume() }
    }

    var batches: [SinkBatch] { state.withLock { $0.batches } }
    var positions: [Int64] { batches.flatMap { $0.events.map(\.position) } }

    /// Waits until the event at `position` or a later one is delivered.
    func wait(for position: Int64) async {
        await wait { batches in
            batches.contains { $0.events.contains { $0.position >= position } }
        }
    }

    /// Waits until what was delivered is as wanted.
    func wait(until isDone: @escaping @Sendable ([SinkBatch]) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if isDone(state.batches) { return true }
                state.waiters.append((isDone, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}
