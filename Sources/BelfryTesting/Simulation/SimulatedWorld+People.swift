// What people do to tasks and groups, and what they may not do.

import BelfryCore

extension SimulatedWorld {
    func actAsPerson(_ kind: StepKind) async throws {
        if kind == .setGroup { return try await setGroup() }
        if kind == .clear { return try await clear() }
        if random.once(in: 30) {
            let nobody = ids.taskID(at: now)
            return try await refused("task that is not there", \.isNotFound) {
                try await store.requestCancel(nobody, at: now)
            }
        }
        guard let task = pickTask() else { return }
        tell("#\(task.number) (\(task.status.rawValue))")
        switch kind {
        case .cancel: try await cancel(task)
        case .retry: try await retry(task)
        case .edit: try await edit(task, makeEdit())
        case .moveToFront:
            var edit = TaskEdit()
            edit.isFirst = true
            try await self.edit(task, edit)
        case .stash: try await setStashed(true, task)
        default: try await setStashed(false, task)
        }
    }

    private func cancel(_ task: BackgroundTask) async throws {
        guard !task.status.isFinal else {
            return try await refused("cancel of a finished task", \.isRefused) {
                try await store.requestCancel(task.id, at: now)
            }
        }
        let after = try await store.requestCancel(task.id, at: now)
        try ensure(
            task.status == .pending
                ? after.status == .cancelled : after.status == .processing && after.isCancelRequested,
            "#\(task.number) was cancelled, and is \(after.status.rawValue)"
        )
        let others: Set<TaskEvent.Kind> = after.status.isFinal ? [.failed] : []
        try await look(.only(task.id, [.cancelled, .cancelRequested], others: others))
        try ensure(ledger[after.id] == after, "the answer is not what is stored")
    }

    private func retry(_ task: BackgroundTask) async throws {
        let attempts = random.number(1...3)
        let ask = { [store, now] in try await store.retry(task.id, attempts: attempts, context: nil, at: now)
        }
        guard task.status.isFinal else {
            return try await refused("retry of an unfinished task", \.isRefused, ask)
        }
        let edges = try await store.dependencies(of: [task.id])[task.id] ?? []
        let policy = task.options.onDependencyFailure
        if edges.contains(where: { !$0.isSatisfied && policy.verdict(on: $0.status) == .fail }) {
            return try await refused("retry after one that failed", \.isDependency, ask)
        }
        if hasSame(task, key: task.uniqueKey) {
            return try await refused("retry beside one that does the same", \.isConflict, ask)
        }
        let after = try await ask()
        try ensure(
            after.status == .pending && after.maxAttempts == task.attempt + attempts && after.error == nil
                && after.result == nil && !after.isStashed && after.attempt == task.attempt,
            "#\(task.number) was retried, and is \(after)"
        )
        let seen = ledger.log.count
        try await look(.only(task.id, [.retried], others: [.retried]))
        try ensure(ledger[after.id] == after, "the answer is not what is stored")
        for (kind, id) in ledger.log[seen...] where kind == .retried {
            if let id { try await checkFollowers(of: id) }
        }
    }

    /// Whether another task stands in the way of one with this key, by its rule's own words.
    private func hasSame(_ task: BackgroundTask, key: String?) -> Bool {
        guard let rule = task.options.unique, let key else { return false }
        return ledger.tasks.contains { $0.id != task.id && $0.uniqueKey == key && rule.covers($0, at: now) }
    }

    /// Those that failed because this one had failed are back, unless another still stands in their way.
    private func checkFollowers(of id: TaskID) async throws {
        for follower in (ledger.followers[id] ?? []).compactMap({ ledger[$0] })
        where follower.status == .failed && follower.error?.code == TaskFailure.dependencyCode {
            let edges = try await store.dependencies(of: [follower.id])[follower.id] ?? []
            let open = edges.filter { !$0.isSatisfied }
            let policy = follower.options.onDependencyFailure
            try ensure(
                !open.contains { $0.id == id } || open.contains { policy.verdict(on: $0.status) == .fail }
                    || hasSame(follower, key: follower.uniqueKey),
                "#\(follower.number) did not come back with what it failed because of"
            )
        }
    }

    // MARK: Editing

    private func makeEdit() -> TaskEdit {
        var edit = TaskEdit()
        edit.title = "another title"
        switch random.number(0...7) {
        case 0: edit.priority = random.number(-1...1)
        case 1: edit.group = random.pick(["default", "gpu", "night"])
        case 2:
            edit.needs = random.pick([TaskNeeds(), TaskNeeds(slots: 2), TaskNeeds(resources: ["gpu": 1])])
        case 3: edit.notBefore = .some(random.once(in: 2) ? nil : now.adding(random.seconds(1...600)))
        case 4: edit.deadline = .some(random.once(in: 2) ? nil : now.adding(random.seconds(60...3600)))
        case 5: edit.maxAttempts = random.number(1...3)
        case 6: edit.params = ["prompt": "another"]
        default:
            edit.options = TaskOptions()
            edit.options?.onDependencyFailure = random.pick(DependencyPolicy.allCases) ?? .fail
        }
        return edit
    }

    private func edit(_ task: BackgroundTask, _ edit: TaskEdit) async throws {
        guard task.status == .pending else {
            return try await refused("edit of a task that does not wait", \.isRefused) {
                try await store.edit(task.id, edit, at: now)
            }
        }
        let key = edit.applied(to: task).uniqueKey
        if key != task.uniqueKey, hasSame(task, key: key) {
            return try await refused("edit into one that is there", \.isConflict) {
                try await store.edit(task.id, edit, at: now)
            }
        }
        let after = try await store.edit(task.id, edit, at: now)
        try ensure(
            after.uniqueKey == key && edit.priority.map { $0 == after.priority } ?? true
                && edit.group.map { $0 == after.group } ?? true
                && edit.needs.map { $0 == after.needs } ?? true
                && edit.notBefore.map { $0 == after.notBefore } ?? (task.notBefore == after.notBefore)
                && edit.deadline.map { $0 == after.deadline } ?? (task.deadline == after.deadline)
                && task.holdCount == after.holdCount,
            "#\(task.number) was edited, and is \(after)"
        )
        if edit.isFirst {
            let others = ledger.tasks.filter {
                $0.id != task.id && $0.status == .pending && $0.lane == after.lane
                    && $0.priority == after.priority
            }
            try ensure(
                others.allSatisfy { $0.turn > after.turn },
                "#\(task.number) is not the first of its lane"
            )
        }
        try await look(.only(task.id, [.edited]))
        try ensure(ledger[after.id] == after, "the answer is not what is stored")
    }

    private func setStashed(_ isStashed: Bool, _ task: BackgroundTask) async throws {
        guard task.status == .pending else {
            return try await refused("stash of a task that does not wait", \.isRefused) {
                try await store.setStashed(isStashed, task.id, at: now)
            }
        }
        let after = try await store.setStashed(isStashed, task.id, at: now)
        try ensure(after.isStashed == isStashed, "#\(task.number) is stashed: \(after.isStashed)")
        try await look(.only(task.id, [isStashed ? .stashed : .released]))
        try ensure(ledger[after.id] == after, "the answer is not what is stored")
    }

    func release(_ task: BackgroundTask) async throws { try await setStashed(false, task) }

    // MARK: Groups and clearing

    private func setGroup() async throws {
        var group = TaskGroup(name: random.pick(["default", "gpu", "night", TaskGroup.all]) ?? "default")
        group.slots = random.once(in: 2) ? nil : random.number(1...4)
        group.state = random.pick([.open, .open, .paused, .draining]) ?? .open
        try await save(group)
    }

    func save(_ group: TaskGroup) async throws {
        try await store.saveGroup(group)
        ledger.groups[group.name] = group.isDefault ? nil : group
        tell("\(group.name) \(group.state.rawValue)")
        try await look(.nothing)
    }

    private func clear() async throws {
        var filter = ClearFilter()
        filter.statuses =
            random.pick([[.completed], [.failed], [.completed, .failed, .cancelled]]) ?? [.completed]
        filter.limit = random.number(1...10)
        filter.keeping = random.once(in: 2) ? random.number(0...6) : 0
        if random.once(in: 3) { filter.finishedBefore = now.adding(.zero - random.seconds(0...1800)) }
        let matching = ledger.tasks.filter { task in
            guard let finished = task.finishedAt, task.status.isFinal else { return false }
            return filter.statuses.contains(task.status)
                && filter.finishedBefore.map { finished < $0 } ?? true
        }.sorted { ($0.finishedAt ?? now, $0.number) < ($1.finishedAt ?? now, $1.number) }
        let expected = matching.dropLast(filter.keeping)
        let count = try await store.countClearable(filter)
        try ensure(count == expected.count, "\(expected.count) can be cleared, and the store counts \(count)")
        let removed = try await store.clear(filter, at: now)
        tell("cleared \(removed.map { "#\($0.number)" })")
        tally.kinds["cleared tasks", default: 0] += removed.count
        try ensure(
            removed.map(\.id) == expected.prefix(filter.limit).map(\.id),
            "cleared \(removed.map(\.number)) of \(expected.map(\.number))"
        )
        try await look(Permit(subjects: Set(removed.map(\.id)), events: [.removed]))
    }
}
