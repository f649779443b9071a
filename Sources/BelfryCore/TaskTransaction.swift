// What crosses tasks, written once for every store: a submission with its dependencies and unique rules,
// a claim over lanes, and what the end of one task means for those that come after it. A store gives the
// few reads and writes that this is made of, inside one transaction of its own.

/// One transaction of a store. Every call that throws leaves it to the store to undo the whole request;
/// what ``add(_:batch:at:)`` and ``fire(_:at:)`` refuse they refuse before they have written anything.
public protocol TaskTransaction: AnyObject {
    func stored(_ id: TaskID) throws -> BackgroundTask?
    func stored(userID: String, idempotencyKey: String) throws -> BackgroundTask?
    /// Newest first.
    func stored(uniqueKey: String) throws -> [BackgroundTask]

    /// The next short number; each is given once.
    func nextNumber() -> Int64
    /// The turn of the first task that waits in a lane with a priority.
    func firstTurn(in lane: Lane, priority: Int) throws -> Int64?
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

    func dependencies(of task: BackgroundTask) throws -> [TaskDependency]
    /// The tasks that come after `task` and whose edge is not satisfied.
    func dependants(of task: BackgroundTask) throws -> [BackgroundTask]
    func setSatisfied(_ dependant: BackgroundTask, _ dependency: BackgroundTask) throws

    /// Makes those claimable whose `notBefore` has come.
    func wakeDue(at now: Timestamp) throws
    /// The first tasks that are due in a lane, in their order.
    func candidates(in lane: Lane, limit: Int, at now: Timestamp) throws -> [BackgroundTask]
    /// A claimed task with what is kept privately beside it.
    func claimed(_ task: BackgroundTask) throws -> ClaimedTask
    /// Pending tasks whose deadline has passed.
    func expired(limit: Int, at now: Timestamp) throws -> [BackgroundTask]

    func schedule(_ name: String) throws -> Schedule?
    func save(_ schedule: Schedule) throws
}

// MARK: Submitting

extension TaskTransaction {
    /// See ``TaskStore/add(_:batch:at:)``.
    public func add(_ tasks: [AcceptedTask], batch: TaskBatch?, at now: Timestamp) throws -> [AddedTask] {
        let plan = try plan(tasks, at: now)
        if var batch, !plan.new.isEmpty {
            batch.total = plan.new.count
            try insert(batch, at: now)
        }
        for task in plan.replaced { try apply(.requestCancel, to: task, at: now) }
        var added: [TaskID: BackgroundTask] = [:]
        added.reserveCapacity(plan.new.count)
        return try tasks.enumerated().map { index, accepted in
            switch plan.entries[index] {
            case .stored(let task): return AddedTask(task: task, isNew: false)
            case .repeated(let earlier):
                guard let task = added[earlier] else { throw TaskStoreError.notFound(earlier) }
                return AddedTask(task: task, isNew: false)
            case .new(let unique):
                let task = try insert(accepted, uniqueKey: unique, plan, at: now)
                added[accepted.id] = task
                return AddedTask(task: task, isNew: true)
            }
        }
    }

    private func insert(
        _ accepted: AcceptedTask,
        uniqueKey: String?,
        _ plan: SubmissionPlan,
        at now: Timestamp
    )
        throws -> BackgroundTask
    {
        // Numbers of a submission are given in its order, so that a task may come after a later one.
        let number = plan.numbers[accepted.id] ?? nextNumber()
        var task = BackgroundTask(accepted.new, id: accepted.id, number: number, at: now)
        task.flow = accepted.flow
        task.uniqueKey = uniqueKey ?? task.uniqueKey
        task.turn = try turn(of: task)
        var edges: [(number: Int64, isSatisfied: Bool)] = []
        for (index, id) in accepted.new.after.enumerated() where !accepted.new.after[..<index].contains(id) {
            if let number = plan.numbers[id] {
                edges.append((number, false))
            } else if let earlier = plan.dependencies[id] {
                let isSatisfied = task.options.onDependencyFailure.verdict(on: earlier.status) == .go
                edges.append((earlier.number, isSatisfied))
            }
        }
        task.holdCount += edges.count { !$0.isSatisfied }
        try insert(task, context: accepted.new.context, after: edges, at: now)
        return task
    }

    /// With a flow, turns are shared out so that flows alternate (start-time fair queueing, Goyal et al.
    /// 1996): a task comes after the last one of its own flow, and never before the one that is next now.
    private func turn(of task: BackgroundTask) throws -> Int64 {
        guard let flow = task.flow else { return 0 }
        let first = try firstTurn(in: task.lane, priority: task.priority) ?? 0
        let last = try lastTurn(of: flow, in: task.lane, priority: task.priority)
        return max(first, last.map { $0 + 1 } ?? first)
    }

    /// Looks at a submission as a whole, and refuses it before anything of it is written.
    private func plan(_ tasks: [AcceptedTask], at now: Timestamp) throws -> SubmissionPlan {
        var plan = SubmissionPlan()
        plan.entries.reserveCapacity(tasks.count)
        for accepted in tasks { try look(at: accepted, &plan, at: now) }
        guard tasks.contains(where: { !$0.new.after.isEmpty }) else { return plan }
        try DependencyOrder.check(tasks)
        for (index, accepted) in tasks.enumerated() where plan.new[accepted.id] != nil {
            for id in accepted.new.after where plan.new[id] == nil {
                plan.dependencies[id] = try dependency(id, of: accepted, place: (index, tasks.count))
            }
        }
        for accepted in tasks where plan.new[accepted.id] != nil && plan.numbers[accepted.id] == nil {
            plan.numbers[accepted.id] = nextNumber()
        }
        return plan
    }

    private func look(at accepted: AcceptedTask, _ plan: inout SubmissionPlan, at now: Timestamp) throws {
        var known = try stored(accepted.id)
        let key = accepted.new.idempotencyKey.map { SubmissionPlan.Key(userID: accepted.new.userID, key: $0) }
        if known == nil, let key {
            known = try stored(userID: key.userID, idempotencyKey: key.key)
        }
        if let known {
            guard accepted.new.isRepeat(of: known) else { throw Self.conflict(accepted, with: known) }
            return plan.entries.append(.stored(known))
        }
        // A repeat may also be of a task earlier in this very call.
        let earlier = plan.new[accepted.id].map { _ in accepted.id } ?? key.flatMap { plan.keys[$0] }
        if let earlier, let same = plan.new[earlier] {
            let task = BackgroundTask(same, id: earlier, number: 0, at: now)
            guard accepted.new.isRepeat(of: task) else { throw Self.conflict(accepted, with: task) }
            return plan.entries.append(.repeated(earlier))
        }
        if let entry = try lookForSame(accepted, &plan, at: now) { return plan.entries.append(entry) }
        plan.new[accepted.id] = accepted.new
        if let key { plan.keys[key] = accepted.id }
    }

    /// - Returns: what a unique rule makes of the submission; nil when there is none and it is simply new.
    private func lookForSame(_ accepted: AcceptedTask, _ plan: inout SubmissionPlan, at now: Timestamp) throws
        -> SubmissionPlan.Entry?
    {
        guard let rule = accepted.new.unique else {
            plan.entries.append(.new(uniqueKey: nil))
            return nil
        }
        let key = rule.key(of: accepted.new)
        if let same = try stored(uniqueKey: key).first(where: { rule.covers($0, at: now) }) {
            switch rule.onConflict {
            case .keep: return .stored(same)
            case .reject: throw Self.rejection(number: same.number, id: same.id)
            case .replace: if !same.status.isFinal { plan.replaced.append(same) }
            }
        }
        if let earlier = plan.uniqueKeys[key], rule.statuses.contains(.pending) {
            guard rule.onConflict == .keep else { throw Self.rejection(number: nil, id: earlier) }
            return .repeated(earlier)
        }
        plan.uniqueKeys[key] = accepted.id
        plan.entries.append(.new(uniqueKey: key))
        return nil
    }

    private func dependency(_ id: TaskID, of accepted: AcceptedTask, place: (index: Int, count: Int)) throws
        -> BackgroundTask
    {
        let prefix = place.count > 1 ? "Task \(place.index + 1) of \(place.count): " : ""
        guard let task = try stored(id) else {
            throw TaskStoreError.dependency("\(prefix)There is no task \(id) to come after.")
        }
        guard accepted.new.options.onDependencyFailure.verdict(on: task.status) != .fail else {
            throw TaskStoreError.dependency(
                "\(prefix)#\(task.number) \(task.status.rawValue), so what comes after it would never run."
            )
        }
        return task
    }

    private static func conflict(_ accepted: AcceptedTask, with task: BackgroundTask) -> TaskStoreError {
        let what = accepted.id == task.id ? "id \(task.id)" : "idempotency key '\(task.idempotencyKey ?? "")'"
        let whose = task.number > 0 ? ": task #\(task.number), \(task.id)" : " of the same call"
        return .conflict("The \(what) belongs to another submission\(whose).")
    }

    private static func rejection(number: Int64?, id: TaskID) -> TaskStoreError {
        .conflict("There is one already that does the same: task \(number.map { "#\($0), " } ?? "")\(id).")
    }
}

/// What a submission comes to.
private struct SubmissionPlan {
    struct Key: Hashable {
        var userID: String
        var key: String
    }

    enum Entry {
        case new(uniqueKey: String?)
        case stored(BackgroundTask)
        /// The same as one earlier in this submission.
        case repeated(TaskID)
    }

    var entries: [Entry] = []
    var new: [TaskID: NewTask] = [:]
    var keys: [Key: TaskID] = [:]
    var uniqueKeys: [String: TaskID] = [:]
    /// The numbers of new tasks, where they must be known before they are written.
    var numbers: [TaskID: Int64] = [:]
    /// Stored tasks that new ones come after.
    var dependencies: [TaskID: BackgroundTask] = [:]
    var replaced: [BackgroundTask] = []
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
                    try setSatisfied(dependant, task)
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
        let edges = try dependencies(of: task).filter { !$0.isSatisfied }
        if task.status.isFinal,
            let broken = edges.first(where: {
                task.options.onDependencyFailure.verdict(on: $0.status) == .fail
            })
        {
            throw TaskStoreError.dependency(
                "#\(task.number) comes after #\(broken.number), which \(broken.status.rawValue). Retry that one."
            )
        }
        let retried = try applyAlone(.retry(attempts: attempts, holds: edges.count), to: task, at: now)
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
                let edges = try dependencies(of: dependant).filter { !$0.isSatisfied }
                let policy = dependant.options.onDependencyFailure
                guard edges.allSatisfy({ policy.verdict(on: $0.status) == .wait }) else { continue }
                let budget = max(1, dependant.maxAttempts - dependant.attempt)
                let action = TaskAction.retry(attempts: budget, holds: edges.count)
                revived.append(try applyAlone(action, to: dependant, at: now))
            }
        }
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
            place = (try firstTurn(in: changed.lane, priority: changed.priority) ?? 0) - 1
        } else if changed.lane != task.lane || changed.priority != task.priority {
            place = try turn(of: changed)
        }
        let transition = try transition(.edit(edit, turn: place), of: task, at: now)
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
            claimed.append(try self.claimed(try applyAlone(action, to: task, at: now)))
            if plan.isFull { break }
        }
        return claimed
    }

    /// See ``TaskStore/fire(_:at:)``.
    public func fire(_ firing: ScheduleFiring, at now: Timestamp) throws -> [AddedTask]? {
        guard let stored = try schedule(firing.after.name), stored.revision == firing.revision else {
            return nil
        }
        let added = try add(firing.tasks, batch: nil, at: now)
        try save(firing.after)
        return added
    }
}
