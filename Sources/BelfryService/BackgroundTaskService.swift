// The front door: everyone who submits or changes tasks comes through here, whether over HTTP,
// from Swift, or from a popup's button.

public import BelfryCore
import Synchronization

/// Accepts tasks and answers for them.
public final class BackgroundTaskService: TaskControl {
    public let features: FeatureRegistry
    public let files: TaskFiles
    let store: any TaskStore
    let worker: TaskWorker
    let ids: IDGenerator
    let clocks: Clocks
    private let fairness: Fairness
    private let metrics: ServiceMetrics?
    private let isClosed = Mutex(false)

    public init(
        store: any TaskStore,
        features: FeatureRegistry,
        worker: TaskWorker,
        files: TaskFiles,
        fairness: Fairness = .none,
        ids: IDGenerator = IDGenerator(),
        clocks: Clocks = Clocks(),
        metrics: ServiceMetrics? = nil
    ) {
        self.store = store
        self.features = features
        self.worker = worker
        self.files = files
        self.fairness = fairness
        self.ids = ids
        self.clocks = clocks
        self.metrics = metrics
    }

    /// Refuses submissions from now on: the hub is shutting down.
    public func closeIntake() { isClosed.withLock { $0 = true } }

    // MARK: Submitting

    /// Accepts one task. When this returns, the task is durable.
    ///
    /// - Throws: ``BelfryError``: `unknown_feature`, `feature_unavailable`, `invalid_params`,
    ///   `invalid_request`, `too_large`, `conflict`, `shutting_down`, or what the store could not do.
    public func addTask(_ new: NewTask) async throws -> AddedTask {
        try await add([new], batch: nil)[0]
    }

    /// Accepts many tasks as one batch: all or none.
    ///
    /// A batch whose tasks are all repeats makes nothing new: the answer is the batch that the
    /// first of them belongs to, or a batch of no tasks when that one belongs to none.
    /// - Throws: as ``addTask(_:)``; the error's pointer begins with the task's index.
    public func addBatch(_ tasks: [NewTask], title: String = "") async throws -> (
        batch: TaskBatch, tasks: [AddedTask]
    ) {
        guard !tasks.isEmpty else {
            throw BelfryError(.invalidRequest, "A batch needs at least one task.", pointer: "/tasks")
        }
        guard !title.hasZeroByte else {
            throw BelfryError(.invalidRequest, "'title' must not contain zero bytes.", pointer: "/title")
        }
        let now = clocks.wall.now
        var batch = TaskBatch(
            id: ids.batchID(at: now),
            title: title.truncated(toUTF8: 400),
            total: tasks.count,
            createdAt: now
        )
        let added = try await add(tasks, batch: batch)
        batch.total = Set(added.lazy.filter(\.isNew).map(\.task.id)).count
        if batch.total == 0, let id = added[0].task.batchID, let earlier = try await store.batch(id) {
            batch = earlier
        }
        return (batch, added)
    }

    private func add(_ tasks: [NewTask], batch: TaskBatch?) async throws -> [AddedTask] {
        guard !isClosed.withLock({ $0 }) else {
            throw BelfryError(.shuttingDown, "The hub is shutting down.", fix: "Submit again in a moment.")
        }
        let now = clocks.wall.now
        var accepted: [AcceptedTask] = []
        accepted.reserveCapacity(tasks.count)
        for (index, new) in tasks.enumerated() {
            do { accepted.append(try accept(new, batch: batch, at: now)) } catch var error as BelfryError {
                guard batch != nil else { throw error }
                error.message = "Task \(index + 1) of \(tasks.count): \(error.message)"
                error.pointer = "/tasks/\(index)\(error.pointer ?? "")"
                throw error
            }
        }
        let added = try await translated { try await store.add(accepted, batch: batch, at: now) }
        wasAdded(added)
        return added
    }

    /// Counts what was accepted, and wakes the worker for it.
    func wasAdded(_ added: [AddedTask]) {
        metrics?.added(added)
        let new = added.lazy.filter(\.isNew).map(\.task)
        worker.wake(
            new.map(\.lane),
            isTimed: new.contains { $0.notBefore != nil || $0.deadline != nil }
        )
        // What a unique rule replaced may still run.
        for id in added.lazy.flatMap(\.stopping) { worker.cancel(id) }
    }

    /// Checks a submission and fills in what the client left open.
    ///
    /// - Parameter group: where the task is already, drained or not; nil when it is new.
    func accept(_ new: NewTask, batch: TaskBatch?, at now: Timestamp, stayingIn group: String? = nil) throws
        -> AcceptedTask
    {
        try new.validate()
        let feature = try features.feature(new.featureID)
        if new.group != group { try checkIntake(of: new.group) }
        var new = try completed(new, feature.descriptor, at: now)
        if new.params.hasTaskReference || !new.after.isEmpty {
            try TaskReferences.check(new.params, dependencies: new.after.count)
        }
        do { new.params = try feature.accept(new.params, from: new.context) } catch var error as BelfryError {
            error.pointer = error.pointer.map { "/params\($0)" }
            throw error
        }
        new.labels = new.labels.enumerated().filter { !new.labels.prefix($0.offset).contains($0.element) }
            .map(\.element)
        new.title = TaskTitle.make(for: new)
        new.batchID = batch?.id ?? new.batchID
        return AcceptedTask(id: new.id ?? ids.taskID(at: now), new: new, flow: fairness.flow(of: new))
    }

    private func checkIntake(of group: String) throws {
        guard !worker.groups.accepts(group) else { return }
        throw BelfryError(
            .notAllowedNow,
            "The group '\(group)' is being drained and takes no new tasks.",
            fix: "Open it again: belfry group resume \(group)",
            pointer: "/group"
        )
    }

    /// A name that no task has would make all of them the same.
    private func check(_ rule: UniqueRule?, _ params: JSONValue, _ feature: FeatureDescriptor) throws {
        guard let names = rule?.params else { return }
        let known = Set(feature.paramsSchema["properties"]?.object?.keys.map { $0 } ?? [])
            .union(params.object?.keys.map { $0 } ?? [])
        guard let name = names.first(where: { !known.contains($0) }) else { return }
        let hint = NameSuggestion.closest(to: name, among: known.sorted()).map { "; did you mean '\($0)'?" }
        throw BelfryError(
            .invalidRequest,
            "'\(name)' is no parameter of \(feature.id) that could be unique\(hint ?? ".")",
            fix: "See: belfry feature show \(feature.id)",
            pointer: "/unique/params"
        )
    }

    private func completed(_ new: NewTask, _ feature: FeatureDescriptor, at now: Timestamp) throws -> NewTask
    {
        var new = new
        let needs = new.needs ?? feature.needs
        if let lack = worker.configuration.capacity.lack(
            for: needs,
            slots: max(1, worker.configuration.concurrency)
        ) {
            throw BelfryError(
                .invalidRequest,
                "The task could never run here: \(lack).",
                fix: "Ask for less, or set [resources] and worker.concurrency in the configuration.",
                pointer: "/needs"
            )
        }
        new.needs = needs
        try check(new.unique, new.params, feature)
        if let attempts = new.maxAttempts, attempts != (new.options.retry ?? feature.retry).maxAttempts {
            // Kept with the task: a retry by hand gives as many again.
            var policy = new.options.retry ?? feature.retry
            policy.maxAttempts = attempts
            new.options.retry = policy
        }
        new.maxAttempts = (new.options.retry ?? feature.retry).maxAttempts
        new.onInterrupt = new.onInterrupt ?? feature.onInterrupt
        if let delay = new.delay { new.notBefore = max(new.notBefore ?? now, now.adding(delay)) }
        if let timeout = new.timeout {
            new.deadline = min(new.deadline ?? .distantFuture, now.adding(timeout))
        }
        if let deadline = new.deadline, deadline <= now {
            throw BelfryError(
                .invalidRequest,
                "The deadline \(deadline) has passed already.",
                fix: "Give a time in the future.",
                pointer: "/deadline"
            )
        }
        try Self.checkTimes(from: new.notBefore, to: new.deadline)
        return new
    }

    /// - Throws: ``BelfryError`` `invalid_request` when the deadline comes before the task may start.
    static func checkTimes(from start: Timestamp?, to deadline: Timestamp?) throws {
        guard let start, let deadline, deadline <= start else { return }
        throw BelfryError(
            .invalidRequest,
            "The deadline \(deadline) comes before the task may start, at \(start).",
            fix: "Give a later deadline (--within, --deadline) or an earlier start (--delay, --at).",
            pointer: "/deadline"
        )
    }

    // MARK: Reading

    public func task(_ id: TaskID) async throws -> BackgroundTask? { try await store.task(id) }
    public func task(number: Int64) async throws -> BackgroundTask? { try await store.task(number: number) }
    public func batch(_ id: BatchID) async throws -> TaskBatch? { try await store.batch(id) }
    public func tasks(_ query: TaskQuery) async throws -> TaskPage { try await store.tasks(query) }
    public func attempts(of id: TaskID) async throws -> [Attempt] { try await store.attempts(of: id) }
    public func events(of id: TaskID, limit: Int) async throws -> [EventRecord] {
        try await store.events(of: id, limit: limit)
    }
    public func dependencies(of ids: [TaskID]) async throws -> [TaskID: [TaskDependency]] {
        try await store.dependencies(of: ids)
    }
    public func storeStatus() async throws -> StoreStatus { try await store.status() }

    /// Why each of `tasks` that is pending waits.
    public func waitReasons(of tasks: [BackgroundTask]) async throws -> [TaskID: WaitReason] {
        let held = tasks.filter { $0.status == .pending && $0.holdCount > 0 }.map(\.id)
        let dependencies = held.isEmpty ? [:] : try await store.dependencies(of: held)
        let occupancy = worker.occupancy
        var reasons: [TaskID: WaitReason] = [:]
        for task in tasks {
            reasons[task.id] = worker.waitReason(of: task, after: dependencies[task.id] ?? [], occupancy)
        }
        return reasons
    }

    /// Every task, newest first. Reads the whole store; ``tasks(_:)`` reads a page.
    public func allTasks() async throws -> [BackgroundTask] { try await all(TaskQuery()) }

    public func pendingTasks() async throws -> [BackgroundTask] {
        var query = TaskQuery()
        query.statuses = [.pending]
        return try await all(query)
    }

    private func all(_ query: TaskQuery) async throws -> [BackgroundTask] {
        var query = query
        query.limit = 1000
        var tasks: [BackgroundTask] = []
        repeat {
            let page = try await store.tasks(query)
            tasks += page.tasks
            query.beforeNumber = page.nextBefore
        } while query.beforeNumber != nil
        return tasks
    }

    // MARK: Changing

    /// Looks for due tasks now. The worker does so by itself; this is for who wants to be sure.
    public func processPendingTasks() { worker.wake() }

    @discardableResult
    public func cancel(_ id: TaskID) async throws -> BackgroundTask {
        let task = try await translated { try await store.requestCancel(id, at: clocks.wall.now) }
        // A pending one may have let go of others that run whatever became of it.
        if task.status == .processing { worker.cancel(id) } else { worker.wake() }
        return task
    }

    @discardableResult
    public func retry(_ id: TaskID, context: SubmissionContext?) async throws -> BackgroundTask {
        guard let task = try await store.task(id) else { throw Self.notFound(id) }
        if task.status.isFinal { try checkIntake(of: task.group) }
        let policy = task.options.retry ?? features[task.featureID]?.descriptor.retry ?? .never
        let budget = policy.maxAttempts
        let retried = try await translated {
            try await store.retry(id, attempts: budget, context: context, at: clocks.wall.now)
        }
        worker.wake([retried.lane], isTimed: retried.deadline != nil)
        return retried
    }

    @discardableResult
    public func cancel(batch: BatchID) async throws -> Int {
        try await change(batch, with: [.pending, .processing]) { try await cancel($0) }
    }

    @discardableResult
    public func retryFailed(batch: BatchID) async throws -> Int {
        try await change(batch, with: [.failed]) { try await retry($0, context: nil) }
    }

    /// Changes the tasks of a batch one by one. What has moved on meanwhile is left as it is.
    private func change(
        _ batch: BatchID,
        with statuses: Set<TaskStatus>,
        _ work: (TaskID) async throws -> BackgroundTask
    ) async throws -> Int {
        var query = TaskQuery()
        query.batchID = batch
        query.statuses = statuses
        var count = 0
        for task in try await all(query) {
            do {
                _ = try await work(task.id)
                count += 1
            } catch let error as BelfryError where error.isAboutOneTask {}
        }
        return count
    }

    /// Removes final tasks that match, with their result files and logs.
    ///
    /// - Returns: how many tasks were removed.
    @discardableResult
    public func clear(_ filter: ClearFilter) async throws -> Int {
        var count = 0
        while true {
            let removed = try await clear(once: filter)
            count += removed
            if removed < filter.limit { return count }
        }
    }

    /// Removes at most `filter.limit` of them.
    func clear(once filter: ClearFilter) async throws -> Int {
        let removed = try await translated { try await store.clear(filter, at: clocks.wall.now) }
        for task in removed { files.removeAll(of: task) }
        return removed.count
    }

    /// Removes every completed task.
    @discardableResult
    public func clearCompletedTasks() async throws -> Int { try await clear(ClearFilter()) }

    // MARK: Errors

    static func notFound(_ id: TaskID) -> BelfryError {
        BelfryError(.notFound, "There is no task \(id).", fix: "See: belfry list")
    }

    /// What people call a task: its number, where it can be had.
    private func name(of id: TaskID) async -> String {
        guard let task = try? await store.task(id) else { return "The task \(id)" }
        return "#\(task.number)"
    }

    /// The store's refusals in the words of people.
    func translated<Value>(_ work: () async throws -> Value) async throws -> Value {
        do { return try await work() } catch let error as TaskStoreError {
            switch error {
            case .notFound(let id): throw Self.notFound(id)
            case .leaseLost(let id): throw BelfryError(.conflict, "\(await name(of: id)) has moved on.")
            case .refused(let id, let refusal):
                throw BelfryError(
                    .notAllowedNow,
                    "\(await name(of: id)) is \(refusal.status.rawValue): \(refusal.reason)."
                )
            case .conflict(let reason): throw BelfryError(.conflict, reason)
            case .dependency(let reason): throw BelfryError(.notAllowedNow, reason, pointer: "/after")
            case .unavailable(let error): throw error
            case .outcomeUnknown(let reason):
                throw BelfryError(
                    .outcomeUnknown,
                    "The store could not confirm the change: \(reason)",
                    fix: "Look with belfry list; a submission with the same id may be sent again safely."
                )
            }
        }
    }
}
