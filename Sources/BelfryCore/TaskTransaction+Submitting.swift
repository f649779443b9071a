// A submission as a whole: what of it is new, what it comes after, what must not be there twice. All that
// can be refused is refused before anything is written.

extension TaskTransaction {
    /// See ``TaskStore/add(_:batch:at:)``.
    public func add(_ tasks: [AcceptedTask], batch: TaskBatch?, at now: Timestamp) throws -> [AddedTask] {
        var plan = try plan(tasks, at: now)
        for task in plan.replaced.values.sorted(by: { $0.number < $1.number }) {
            // Looked at again: the end of one may have been the end of another.
            let task = try found(task.id)
            if !task.status.isFinal { try apply(.requestCancel, to: task, at: now) }
        }
        if !plan.replaced.isEmpty {
            for id in plan.dependencies.keys { plan.dependencies[id] = try found(id) }
        }
        if var batch, !plan.new.isEmpty {
            batch.total = plan.new.count
            try insert(batch, at: now)
        }
        var added: [TaskID: BackgroundTask] = [:]
        added.reserveCapacity(plan.new.count)
        for (index, accepted) in tasks.enumerated() {
            guard case .new(let unique) = plan.entries[index] else { continue }
            added[accepted.id] = try insert(accepted, uniqueKey: unique, &plan, at: now)
        }
        try failBroken(plan, &added, at: now)
        return try tasks.enumerated().map { index, accepted in
            switch plan.entries[index] {
            case .stored(let task):
                // What this submission replaced may be what another of its tasks is answered with.
                return AddedTask(task: plan.replaced.isEmpty ? task : try found(task.id), isNew: false)
            case .repeated(let id): return AddedTask(task: try added[id] ?? found(id), isNew: false)
            case .new:
                var answer = AddedTask(task: try added[accepted.id] ?? found(accepted.id), isNew: true)
                answer.stopping = plan.replacedBy[accepted.id] ?? []
                return answer
            }
        }
    }

    /// Ends new tasks that come after one that fell with what this submission replaced.
    private func failBroken(
        _ plan: SubmissionPlan,
        _ added: inout [TaskID: BackgroundTask],
        at now: Timestamp
    ) throws {
        guard !plan.broken.isEmpty else { return }
        for (id, earlier) in plan.broken {
            let task = try found(id)
            if task.status == .pending {
                try apply(.dependencyFailed(.dependency(earlier)), to: task, at: now)
            }
        }
        for id in added.keys { added[id] = try found(id) }
    }

    private func insert(
        _ accepted: AcceptedTask,
        uniqueKey: String?,
        _ plan: inout SubmissionPlan,
        at now: Timestamp
    ) throws -> BackgroundTask {
        // Numbers of a submission are given in its order, so that a task may come after a later one.
        let number = plan.numbers[accepted.id] ?? nextNumber()
        var task = BackgroundTask(accepted.new, id: accepted.id, number: number, at: now)
        task.flow = accepted.flow
        task.uniqueKey = uniqueKey ?? task.uniqueKey
        task.turn = try turn(of: task)
        var edges: [(number: Int64, isSatisfied: Bool)] = []
        for id in plan.after(accepted) {
            if let number = plan.numbers[id] {
                edges.append((number, false))
            } else if let earlier = plan.dependencies[id] {
                let verdict = task.options.onDependencyFailure.verdict(on: earlier.status)
                edges.append((earlier.number, verdict == .go))
                if verdict == .fail { plan.broken.append((task.id, earlier)) }
            }
        }
        task.holdCount += edges.count { !$0.isSatisfied }
        try insert(task, context: accepted.new.context, after: edges, at: now)
        return task
    }

    /// With a flow, turns are shared out so that flows alternate (start-time fair queueing, Goyal et al.
    /// 1996): a task comes after the last one of its own flow, and never before the one that is next now.
    /// Turns below 0 are those of tasks that someone put first; they do not count.
    func turn(of task: BackgroundTask) throws -> Int64 {
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
        try DependencyOrder.check(tasks.indices.map { plan.resolved(tasks[$0], at: $0) })
        for (index, accepted) in tasks.enumerated() where plan.isNew(index) {
            for id in plan.after(accepted) where plan.new[id] == nil {
                plan.dependencies[id] = try dependency(id, of: accepted, plan, place: (index, tasks.count))
            }
        }
        for (index, accepted) in tasks.enumerated() where plan.isNew(index) {
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
            return plan.answer(accepted, .stored(known))
        }
        // A repeat may also be of a task earlier in this very call.
        let earlier = plan.new[accepted.id].map { _ in accepted.id } ?? key.flatMap { plan.keys[$0] }
        if let earlier, let same = plan.new[earlier] {
            let task = BackgroundTask(same, id: earlier, number: 0, at: now)
            guard accepted.new.isRepeat(of: task) else { throw Self.conflict(accepted, with: task) }
            return plan.answer(accepted, .repeated(earlier))
        }
        if let entry = try lookForSame(accepted, &plan, at: now) { return plan.answer(accepted, entry) }
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
        let there = try stored(uniqueKey: key, in: rule.statuses).filter { rule.covers($0, at: now) }
        if let same = there.first {
            switch rule.onConflict {
            case .keep: return .stored(same)
            case .reject: throw Self.rejection(number: same.number, id: same.id)
            case .replace: for same in there where !same.status.isFinal { plan.replace(same, by: accepted) }
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

    /// Another task that does the same, where the rule of `task` minds it.
    func sameAs(_ task: BackgroundTask, at now: Timestamp) throws -> BackgroundTask? {
        guard let key = task.uniqueKey else { return nil }
        let rule = task.options.unique ?? UniqueRule()
        return try stored(uniqueKey: key, in: rule.statuses).first {
            $0.id != task.id && rule.covers($0, at: now)
        }
    }

    /// - Throws: ``TaskStoreError/conflict(_:)`` that names the other.
    func requireAlone(_ task: BackgroundTask, at now: Timestamp) throws {
        guard let same = try sameAs(task, at: now) else { return }
        throw Self.rejection(number: same.number, id: same.id)
    }

    private func dependency(
        _ id: TaskID,
        of accepted: AcceptedTask,
        _ plan: SubmissionPlan,
        place: (index: Int, count: Int)
    ) throws -> BackgroundTask {
        let prefix = place.count > 1 ? "Task \(place.index + 1) of \(place.count): " : ""
        guard let task = try stored(id) else {
            throw TaskStoreError.dependency("\(prefix)There is no task \(id) to come after.")
        }
        let policy = accepted.new.options.onDependencyFailure
        guard policy.verdict(on: task.status) != .fail else {
            throw TaskStoreError.dependency(
                "\(prefix)#\(task.number) \(task.status.past), so what comes after it would never run."
            )
        }
        guard plan.replaced[id] == nil || policy == .run else {
            throw TaskStoreError.dependency(
                "\(prefix)#\(task.number) is replaced by this submission, so what comes after it would never run."
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
        .conflict("There is one already that does the same: \(number.map { "#\($0)" } ?? "task \(id)").")
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
    /// Stored tasks that are cancelled because new ones take their place.
    var replaced: [TaskID: BackgroundTask] = [:]
    /// Those of ``replaced`` that run, by the first new task that takes their place.
    var replacedBy: [TaskID: [TaskID]] = [:]
    /// New tasks whose dependency has ended, badly, since the plan was made.
    var broken: [(id: TaskID, earlier: BackgroundTask)] = []
    /// What submissions that made no task are answered with: who comes after one of them comes after that.
    private var aliases: [TaskID: TaskID] = [:]

    mutating func replace(_ task: BackgroundTask, by accepted: AcceptedTask) {
        guard replaced.updateValue(task, forKey: task.id) == nil, task.status == .processing else { return }
        replacedBy[accepted.id, default: []].append(task.id)
    }

    mutating func answer(_ accepted: AcceptedTask, _ entry: Entry) {
        entries.append(entry)
        switch entry {
        case .new: break
        case .stored(let task): aliases[accepted.id] = task.id
        case .repeated(let earlier): aliases[accepted.id] = earlier
        }
    }

    func isNew(_ index: Int) -> Bool {
        if case .new = entries[index] { true } else { false }
    }

    /// What a task comes after, each once, in the order of the submission.
    func after(_ accepted: AcceptedTask) -> [TaskID] {
        var ids: [TaskID] = []
        for id in accepted.new.after.map({ aliases[$0] ?? $0 }) where !ids.contains(id) { ids.append(id) }
        return ids
    }

    /// The submission as far as it counts for the order: what makes no task comes after nothing.
    func resolved(_ accepted: AcceptedTask, at index: Int) -> AcceptedTask {
        var accepted = accepted
        accepted.new.after = isNew(index) ? after(accepted) : []
        return accepted
    }
}
