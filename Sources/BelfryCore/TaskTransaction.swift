// What crosses tasks, written once for every store: a submission with its dependencies and unique rules,
// a claim over lanes, and what the end of one task means for those that come after it. A store gives the
// few reads and writes that this is made of, inside one transaction of its own.

/// One transaction of a store. Every call that throws leaves it to the store to undo the whole request;
/// what ``add(_:batch:at:)`` and ``fire(_:at:)`` refuse they refuse before they have written anything.
public protocol TaskTransaction: AnyObject {
    func stored(_ id: TaskID) throws -> BackgroundTask?
    func stored(userID: String, idempotencyKey: String) throws -> BackgroundTask?
    /// Those in one of `statuses`, newest first, at most 100 in each.
    func stored(uniqueKey: String, in statuses: Set<TaskStatus>) throws -> [BackgroundTask]

    /// The next short number; each is given once.
    func nextNumber() -> Int64
    /// The lowest turn, 0 or above, of the tasks of a lane and priority that are due: how far the queue has come.
    func firstTurn(in lane: Lane, priority: Int) throws -> Int64?
    /// The lowest turn of all pending tasks of a lane and priority, also of those that wait.
    func lowestTurn(in lane: Lane, priority: Int) throws -> Int64?
    /// The turn of the last one of a flow there.
    func lastTurn(of flow: String, in lane: Lane, priority: Int) throws -> Int64?

    /// Writes a new task with its dependencies and its `task.added`.
    func insert(
        _ task: BackgroundTask,
        context: SubmissionContext?,
        after dependencies: [(number: Int64, isSatisfied: Bool)],
        at now: Timestamp
    ) throws
    func insert(_ batch: TaskBatch, at now: Timestamp) throws
    /// Writes what a transition changed: the task, its attempt, its events, its batch's counts.
    func write(_ transition: Transition, of before: BackgroundTask, at now: Timestamp) throws
    /// Writes all that an edit may have changed.
    func rewrite(_ transition: Transition, of before: BackgroundTask, at now: Timestamp) throws
    func setContext(_ context: SubmissionContext, of task: BackgroundTask) throws

    /// Also those that were cleared since, as they had ended.
    func dependencies(of task: BackgroundTask) throws -> [TaskDependency]
    /// The tasks that come after `task` and whose edge is not satisfied.
    func dependants(of task: BackgroundTask) throws -> [BackgroundTask]
    func setSatisfied(_ dependant: BackgroundTask, dependency number: Int64) throws

    /// Makes those claimable whose `notBefore` has come.
    func wakeDue(at now: Timestamp) throws
    /// The first tasks of a lane that may start at `now`, in their order: those that nothing holds, whose
    /// `notBefore` has come and whose deadline has not. A clock that was set back makes no task due.
    func candidates(in lane: Lane, limit: Int, at now: Timestamp) throws -> [BackgroundTask]
    /// A claimed task with what is kept privately beside it.
    func claimed(_ task: BackgroundTask) throws -> ClaimedTask
    /// Pending tasks whose deadline has passed.
    func expired(limit: Int, at now: Timestamp) throws -> [BackgroundTask]

    func schedule(_ name: String) throws -> Schedule?
    func save(_ schedule: Schedule) throws
}

// MARK: Changing

extension TaskTransaction {
    /// The task, or the error that there is none.
    public func found(_ id: TaskID) throws -> BackgroundTask {
        guard let task = try stored(id) else { throw TaskStoreError.notFound(id) }
        return task
    }

    /// Applies an action to a task and writes everything that comes of it, for others too.
    @discardableResult
    public func apply(_ action: TaskAction, to task: BackgroundTask, at now: Timestamp) throws
        -> BackgroundTask
    {
        let after = try applyAlone(action, to: task, at: now)
        if after.status.isFinal, !task.status.isFinal { try tellDependants(of: after, at: now) }
        return after
    }

    private func applyAlone(_ action: TaskAction, to task: BackgroundTask, at now: Timestamp) throws
        -> BackgroundTask
    {
        let transition = try transition(action, of: task, at: now)
        if transition.task.revision != task.revision { try write(transition, of: task, at: now) }
        return transition.task
    }

    private func transition(_ action: TaskAction, of task: BackgroundTask, at now: Timestamp) throws
        -> Transition
    {
        do { return try task.applying(action, at: now) } catch {
            throw TaskStoreError.refused(task.id, error)
        }
    }

    /// Lets go, or fails, what came after a task that is final now; and so on down the line.
    private func tellDependants(of task: BackgroundTask, at now: Timestamp) throws {
        var ended = [task]
        while let task = ended.popLast() {
            for dependant in try dependants(of: task) where dependant.status == .pending {
                switch dependant.options.onDependencyFailure.verdict(on: task.status) {
                case .wait: break
                case .go:
                    try setSatisfied(dependant, dependency: task.number)
                    _ = try applyAlone(.dependencyDone, to: dependant, at: now)
                case .fail:
                    ended.append(try applyAlone(.dependencyFailed(.dependency(task)), to: dependant, at: now))
                }
            }
        }
    }

    /// See ``TaskStore/retry(_:attempts:context:at:)``.
    public func retry(_ id: TaskID, attempts: Int, context: SubmissionContext?, at now: Timestamp) throws
        -> BackgroundTask
    {
        let task = try found(id)
        let edges = try openEdges(of: task)
        if task.status.isFinal, let broken = edges.first(where: { $0.verdict == .fail })?.dependency {
            throw TaskStoreError.dependency(
                "#\(task.number) comes after #\(broken.number), which \(broken.status.past)"
                    + (broken.isRemoved ? " and is cleared since. Submit both anew." : ". Retry that one.")
            )
        }
        if task.status.isFinal { try requireAlone(task, at: now) }
        let retried = try reopen(task, edges, at: now) { .retry(attempts: attempts, holds: $0) }
        if let context { try setContext(context, of: retried) }
        try reviveDependants(of: retried, at: now)
        return retried
    }

    /// What failed because a task had failed waits for it again.
    private func reviveDependants(of task: BackgroundTask, at now: Timestamp) throws {
        var revived = [task]
        while let task = revived.popLast() {
            for dependant in try dependants(of: task)
            where dependant.status == .failed && dependant.error?.code == TaskFailure.dependencyCode {
                let edges = try openEdges(of: dependant)
                guard !edges.contains(where: { $0.verdict == .fail }),
                    try sameAs(dependant, at: now) == nil
                else { continue }
                revived.append(try reopen(dependant, edges, at: now) { .comeBack(holds: $0) })
            }
        }
    }

    private typealias OpenEdge = (dependency: TaskDependency, verdict: DependencyPolicy.Verdict)

    /// What a final task has not been told of yet: others may have ended while it was final itself.
    private func openEdges(of task: BackgroundTask) throws -> [OpenEdge] {
        try dependencies(of: task).filter { !$0.isSatisfied }.map {
            ($0, task.options.onDependencyFailure.verdict(on: $0.status))
        }
    }

    /// Makes the task pending, held by those that it still waits for.
    private func reopen(
        _ task: BackgroundTask,
        _ edges: [OpenEdge],
        at now: Timestamp,
        by action: (Int) -> TaskAction
    ) throws -> BackgroundTask {
        let reopened = try applyAlone(action(edges.count { $0.verdict == .wait }), to: task, at: now)
        for edge in edges where edge.verdict == .go {
            try setSatisfied(reopened, dependency: edge.dependency.number)
        }
        return reopened
    }

    /// See ``TaskStore/settle(_:at:)``.
    public func settle(_ settlement: Settlement, at now: Timestamp) throws -> BackgroundTask {
        try apply(settlement.action, to: try held(settlement.claim), at: now)
    }

    /// The task of a claim that holds.
    public func held(_ claim: Claim) throws -> BackgroundTask {
        let task = try found(claim.taskID)
        guard task.status == .processing, task.fence == claim.fence else {
            throw TaskStoreError.leaseLost(task.id)
        }
        return task
    }

    /// See ``TaskStore/edit(_:_:at:)``.
    public func edit(_ id: TaskID, _ edit: TaskEdit, at now: Timestamp) throws -> BackgroundTask {
        let task = try found(id)
        let changed = edit.applied(to: task)
        var place: Int64?
        if edit.isFirst {
            place = min(try lowestTurn(in: changed.lane, priority: changed.priority) ?? 0, 0) - 1
        } else if changed.lane != task.lane || changed.priority != task.priority {
            place = try turn(of: changed)
        }
        let transition = try transition(.edit(edit, turn: place), of: task, at: now)
        if changed.uniqueKey != task.uniqueKey { try requireAlone(changed, at: now) }
        try rewrite(transition, of: task, at: now)
        return transition.task
    }

    /// See ``TaskStore/expire(limit:at:)``.
    public func expire(limit: Int, at now: Timestamp) throws -> [BackgroundTask] {
        // Looked at one by one: the end of one may be the end of another on the list.
        try expired(limit: limit, at: now).compactMap { task in
            let task = try found(task.id)
            return task.status == .pending ? try apply(.expire, to: task, at: now) : nil
        }
    }
}

// MARK: Working

extension TaskTransaction {
    /// See ``TaskStore/claim(_:at:)``.
    public func claim(_ request: ClaimRequest, at now: Timestamp) throws -> [ClaimedTask] {
        var plan = ClaimPlan(request)
        guard !plan.isFull else { return [] }
        try wakeDue(at: now)
        var due: [BackgroundTask] = []
        for lane in request.lanes.keys {
            let limit = plan.limit(of: lane)
            if limit > 0 { due += try candidates(in: lane, limit: limit, at: now) }
        }
        due.sort { ($1.priority, $0.turn, $0.number) < ($0.priority, $1.turn, $1.number) }
        var claimed: [ClaimedTask] = []
        for task in due where plan.take(task.lane) {
            let action = TaskAction.claim(by: request.worker, lease: request.lease)
            var taken = try self.claimed(try applyAlone(action, to: task, at: now))
            // Before the claim, which forgets `notBefore`.
            taken.dueSince = task.dueSince
            claimed.append(taken)
            if plan.isFull { break }
        }
        return claimed
    }

    /// See ``TaskStore/fire(_:at:)``.
    public func fire(_ firing: ScheduleFiring, at now: Timestamp) throws -> [AddedTask]? {
        // Revisions begin again with another schedule of the same name.
        guard let stored = try schedule(firing.after.name), stored.revision == firing.revision,
            stored.createdAt == firing.after.createdAt
        else { return nil }
        let added = try add(firing.tasks, batch: nil, at: now)
        try save(firing.after)
        return added
    }
}
