// What every check of the suite works with: a store, a clock, and the few steps that tasks take.

import BelfryCore
import Synchronization

/// Counts what a store signals; commits come from any thread.
final class SignalCounter: Sendable {
    private let value = Mutex(0)

    var count: Int { value.withLock { $0 } }

    func increment() { value.withLock { $0 += 1 } }
}

/// A store on the bench, with a clock and ids that are the same in every run.
struct StoreBench: Sendable {
    static let worker = WorkerID("worker-1")
    static let bootID = "boot-1"

    let store: any TaskStore
    let fixture: StoreFixture
    let clock: ManualWallClock
    let ids: IDGenerator
    let signals: SignalCounter

    init(_ fixture: StoreFixture, ids: IDGenerator, signals: SignalCounter) {
        store = fixture.store
        clock = ManualWallClock()
        self.fixture = fixture
        self.ids = ids
        self.signals = signals
    }

    private init(_ bench: StoreBench, store: any TaskStore) {
        self.store = store
        clock = bench.clock
        fixture = bench.fixture
        ids = bench.ids
        signals = bench.signals
    }

    /// Ids from a counter: no two checks share randomness, no two runs differ.
    static func makeIDs() -> IDGenerator {
        let state = Mutex<UInt64>(0x9E37_79B9)
        let box = Counter(state)
        return IDGenerator { box.next() }
    }

    private final class Counter: Sendable {
        private let state: Mutex<UInt64>

        init(_ state: consuming Mutex<UInt64>) { self.state = state }

        func next() -> UInt64 {
            state.withLock { value in
                value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return value ^ (value >> 29)
            }
        }
    }

    /// The same store after a restart.
    func reopened() async throws -> StoreBench {
        try await store.close()
        return StoreBench(self, store: try await fixture.reopen())
    }

    var now: Timestamp { clock.now }

    // MARK: Submitting

    func submission(
        _ feature: String = "paint",
        id: TaskID? = nil,
        change: (inout NewTask) -> Void = { _ in }
    ) -> AcceptedTask {
        var new = NewTask(featureID: feature, params: ["prompt": "a lighthouse"])
        new.title = "a lighthouse"
        // As a client does that may have to send it again.
        let id = id ?? ids.taskID(at: now)
        new.id = id
        change(&new)
        return AcceptedTask(id: id, new: new)
    }

    @discardableResult
    func add(
        _ count: Int = 1,
        _ feature: String = "paint",
        change: (inout NewTask) -> Void = { _ in }
    ) async throws -> [BackgroundTask] {
        let tasks = (0..<count).map { _ in submission(feature, change: change) }
        return try await store.add(tasks, batch: nil, at: now).map(\.task)
    }

    func addOne(_ feature: String = "paint", change: (inout NewTask) -> Void = { _ in }) async throws
        -> BackgroundTask
    {
        try await add(1, feature, change: change)[0]
    }

    /// A batch of `count` tasks.
    func addBatch(_ count: Int, change: (inout NewTask) -> Void = { _ in }) async throws -> (
        id: BatchID, tasks: [BackgroundTask]
    ) {
        let batch = TaskBatch(id: ids.batchID(at: now), title: "a batch", total: count, createdAt: now)
        let tasks = (0..<count).map { _ in
            submission { new in
                new.batchID = batch.id
                change(&new)
            }
        }
        return (batch.id, try await store.add(tasks, batch: batch, at: now).map(\.task))
    }

    // MARK: Working

    func lease(_ seconds: Int = 60, bootID: String = StoreBench.bootID) -> Lease {
        Lease(bootID: bootID, expiresAt: .seconds(seconds))
    }

    func claim(
        _ slots: Int = 100,
        lanes: [Lane: Int]? = nil,
        worker: WorkerID = StoreBench.worker,
        lease: Lease? = nil
    ) async throws -> [ClaimedTask] {
        let request = ClaimRequest(
            worker: worker,
            lease: lease ?? self.lease(),
            slots: slots,
            lanes: lanes ?? [Lane(group: "default", featureID: "paint"): slots]
        )
        return try await store.claim(request, at: now)
    }

    func claimOne(worker: WorkerID = StoreBench.worker, lease: Lease? = nil) async throws -> ClaimedTask {
        try await unwrap(claim(1, worker: worker, lease: lease).first, "a task to claim")
    }

    /// Adds a task and claims it.
    func running(change: (inout NewTask) -> Void = { _ in }) async throws -> ClaimedTask {
        let task = try await addOne(change: change)
        let claimed = try await claimOne()
        try expectEqual(claimed.task.id, task.id, "the task that was claimed")
        return claimed
    }

    @discardableResult
    func settle(_ claim: Claim, _ outcome: Settlement.Outcome) async throws -> BackgroundTask {
        try await store.settle(Settlement(claim: claim, outcome: outcome), at: now)
    }

    @discardableResult
    func complete(_ claimed: ClaimedTask) async throws -> BackgroundTask {
        try await settle(claimed.claim, .completed(TaskResult(value: ["seed": 7])))
    }

    @discardableResult
    func fail(_ claimed: ClaimedTask, retryable: Bool = false, after delay: Duration = .zero) async throws
        -> BackgroundTask
    {
        let failure = TaskFailure("exit_status", "The program ended with 1.", isRetryable: retryable)
        return try await settle(claimed.claim, .failed(failure, retryAfter: delay))
    }

    /// A task that was added, claimed and completed.
    func completed(change: (inout NewTask) -> Void = { _ in }) async throws -> BackgroundTask {
        try await complete(try await running(change: change))
    }

    // MARK: Reading

    func stored(_ id: TaskID) async throws -> BackgroundTask {
        try await unwrap(store.task(id), "the task \(id)")
    }

    /// Every event, after a look at positions and pages.
    func events(after position: Int64 = 0) async throws -> [TaskEvent] {
        let page = try await store.events(after: position, limit: 100_000)
        for (index, record) in page.events.enumerated() {
            try expectEqual(record.position, position + Int64(index) + 1, "the position of event \(index)")
        }
        try expectEqual(page.newest, position + Int64(page.events.count), "the newest position")
        return try page.events.map { try $0.event() }
    }

    /// Runs `work` and returns the events it wrote.
    func eventsOf(_ work: () async throws -> Void) async throws -> [TaskEvent] {
        let before = try await store.status().newest
        try await work()
        return try await events(after: before)
    }

    func kindsOf(_ work: () async throws -> Void) async throws -> [TaskEvent.Kind] {
        try await eventsOf(work).map(\.kind)
    }
}

extension TaskStoreError {
    var isLeaseLost: Bool {
        if case .leaseLost = self { true } else { false }
    }
    var isRefused: Bool {
        if case .refused = self { true } else { false }
    }
    var isNotFound: Bool {
        if case .notFound = self { true } else { false }
    }
    var isConflict: Bool {
        if case .conflict = self { true } else { false }
    }
}
