// What people do about tasks that wait: change them, put them aside, move them, hold their group.

public import BelfryCore

extension BackgroundTaskService {
    /// Changes a pending task. New params are checked as a submission's are.
    ///
    /// - Throws: ``BelfryError`` `not_found`, `not_allowed_now` unless it is pending, `invalid_params`,
    ///   `invalid_request`.
    @discardableResult
    public func edit(_ id: TaskID, _ edit: TaskEdit, context: SubmissionContext? = nil) async throws
        -> BackgroundTask
    {
        guard let task = try await store.task(id) else { throw Self.notFound(id) }
        let edit = try await checked(edit, of: task, context)
        let edited = try await translated { try await store.edit(id, edit, at: clocks.wall.now) }
        worker.wake([edited.lane], isTimed: true)
        return edited
    }

    private func checked(_ edit: TaskEdit, of task: BackgroundTask, _ context: SubmissionContext?)
        async throws
        -> TaskEdit
    {
        var edit = edit
        var new = NewTask(featureID: task.featureID, params: edit.params ?? task.params)
        new.title = edit.title ?? task.title
        new.priority = edit.priority ?? task.priority
        new.group = edit.group ?? task.group
        new.labels = edit.labels ?? task.labels
        new.maxAttempts = edit.maxAttempts
        new.needs = edit.needs ?? task.needs
        new.options = edit.options ?? task.options
        new.context = context
        // As in a submission: of a time and a span the later start and the earlier deadline hold.
        (new.notBefore, new.delay) = (edit.notBefore ?? nil, edit.delay)
        (new.deadline, new.timeout) = (edit.deadline ?? nil, edit.timeout)
        new.after = try await store.dependencies(of: [task.id])[task.id]?.map(\.id) ?? []
        let accepted = try accept(new, batch: nil, at: clocks.wall.now, stayingIn: task.group)
        if edit.params != nil { edit.params = accepted.new.params }
        if edit.labels != nil { edit.labels = accepted.new.labels }
        if edit.maxAttempts != nil { edit.options = accepted.new.options }
        if let time = accepted.new.notBefore { edit.notBefore = .some(time) }
        if let time = accepted.new.deadline { edit.deadline = .some(time) }
        (edit.delay, edit.timeout) = (nil, nil)
        if edit.notBefore != nil || edit.deadline != nil {
            let edited = edit.applied(to: task)
            try Self.checkTimes(from: edited.notBefore, to: edited.deadline)
        }
        return edit
    }

    /// Puts a pending task before all others of its lane and priority.
    @discardableResult
    public func moveToFront(_ id: TaskID) async throws -> BackgroundTask {
        var edit = TaskEdit()
        edit.isFirst = true
        let moved = try await translated { try await store.edit(id, edit, at: clocks.wall.now) }
        worker.wake([moved.lane])
        return moved
    }

    /// Puts a pending task aside until it is released, or lets it go again.
    @discardableResult
    public func setStashed(_ isStashed: Bool, _ id: TaskID) async throws -> BackgroundTask {
        let task = try await translated { try await store.setStashed(isStashed, id, at: clocks.wall.now) }
        if !isStashed { worker.wake([task.lane], isTimed: task.notBefore != nil) }
        return task
    }

    // MARK: Groups

    /// The groups that were set.
    public var groups: [TaskGroup] { worker.groups.all }

    /// Sets a group's limit, and whether its tasks start.
    ///
    /// - Parameters:
    ///   - slots: a limit, or `.some(nil)` for none; nil leaves it.
    ///   - state: nil leaves it.
    @discardableResult
    public func setGroup(_ name: String, slots: Int?? = nil, state: TaskGroup.State? = nil) async throws
        -> TaskGroup
    {
        if name != TaskGroup.all { try TaskGroup.check(name: name) }
        var group = worker.groups[name]
        if let slots { group.slots = slots }
        if let state { group.state = state }
        guard group.slots.map({ (1...1024).contains($0) }) ?? true else {
            throw BelfryError(.invalidRequest, "A group has 1 to 1024 slots.", pointer: "/slots")
        }
        guard name != TaskGroup.all || group.slots == nil else {
            throw BelfryError(
                .invalidRequest,
                "The limit for all groups is worker.concurrency in the configuration.",
                pointer: "/slots"
            )
        }
        try await translated { try await worker.groups.set(group) }
        worker.wake()
        return group
    }

    /// Forgets what was set about a group.
    ///
    /// - Throws: ``BelfryError`` `not_allowed_now` while tasks wait or run in it, `not_found`.
    public func removeGroup(_ name: String) async throws {
        let names = try await groupNames()
        guard names.contains(name) else {
            throw BelfryError(.notFound, "There is no group '\(name)'.", fix: "See: belfry group list")
        }
        guard try await !busyGroups().contains(name) else {
            throw BelfryError(
                .notAllowedNow,
                "The group '\(name)' has tasks that wait or run.",
                fix: "Let them end, cancel them, or move them: belfry edit TASK --group NAME"
            )
        }
        try await translated { try await worker.groups.set(TaskGroup(name: name)) }
        worker.wake()
    }

    /// The groups that were set or have tasks that wait or run, and the standard one.
    public func groupNames() async throws -> Set<String> {
        try await busyGroups().union(groups.map(\.name)).union([TaskGroup.standard])
    }

    private func busyGroups() async throws -> Set<String> {
        try await translated { Set(try await store.pendingWork().lanes.map(\.group)).union(usedSlots.keys) }
    }

    /// How many slots each group uses now.
    public var usedSlots: [String: Int] { worker.occupancy.groups }

    /// How many tasks ``clear(_:)`` would remove.
    public func countClearable(_ filter: ClearFilter) async throws -> Int {
        try await translated { try await store.countClearable(filter) }
    }
}
