// After every step: what the store holds now against what it may hold.

import BelfryCore

extension SimulatedWorld {
    /// Reads what the step has changed and holds it against `permit` and against the books.
    func look(_ permit: Permit) async throws {
        let page = try await store.events(after: ledger.newest, limit: 100_000)
        try ensure(page.epoch == ledger.epoch, "the log has another epoch")
        for record in page.events { try ledger.note(record, permit) }
        try ensure(
            page.newest == ledger.newest,
            "the newest position is \(page.newest), not \(ledger.newest)"
        )
        tally.digest = tally.digest &* 31 &+ UInt64(page.newest)
        let tasks = try await storedTasks()
        try ensure(
            tasks.count == ledger.accounts.count,
            "\(ledger.accounts.count) tasks were accepted, \(tasks.count) are there"
        )
        var changed: [BackgroundTask] = []
        for task in tasks where try compare(task, permit) { changed.append(task) }
        guard !changed.isEmpty || !page.events.isEmpty else { return }
        for task in changed where task.attempt > 0 { try await checkAttempts(of: task) }
        try await checkHolds()
        try await checkBatches(tasks)
        try checkUnique()
    }

    private func storedTasks() async throws -> [BackgroundTask] {
        var query = TaskQuery()
        query.limit = 1000
        var page = try await store.tasks(query)
        var tasks = page.tasks
        while let next = page.nextBefore {
            query.beforeNumber = next
            page = try await store.tasks(query)
            tasks += page.tasks
        }
        return tasks.reversed()
    }

    /// - Returns: whether the task has changed since it was last seen.
    private func compare(_ task: BackgroundTask, _ permit: Permit) throws -> Bool {
        guard let account = ledger.accounts[task.id] else {
            throw Broken("#\(task.number) is there, and nobody had it accepted")
        }
        try ensure(
            account.status == task.status,
            "#\(task.number) is \(task.status.rawValue), and its events say \(account.status?.rawValue ?? "nothing")"
        )
        let before = account.task
        guard before != task else { return false }
        // What was just accepted may have ended at once, with what it comes after.
        try ensure(
            permit.subjects.contains(task.id) || !permit.others.isEmpty,
            "#\(task.number) has changed, and nothing happened to it: \(before) → \(task)"
        )
        try ensure(
            before.number == task.number && before.createdAt == task.createdAt
                && before.batchID == task.batchID
                && task.uniqueKey == (task.options.unique?.key(of: task) ?? before.uniqueKey)
                && before.idempotencyKey == task.idempotencyKey
                && before.featureID == task.featureID && before.userID == task.userID
                && before.flow == task.flow,
            "#\(task.number) has become another task"
        )
        try checkNumbers(before, task)
        ledger.accounts[task.id]?.task = task
        if task.status == .completed { ledger.accounts[task.id]?.checkpoint = nil }
        return true
    }

    private func checkNumbers(_ before: BackgroundTask, _ task: BackgroundTask) throws {
        var unleased = before
        unleased.lease = task.lease
        try ensure(unleased == task || task.revision > before.revision, "#\(task.number) kept its revision")
        let hasLeft =
            before.status == .processing && (task.status != .processing || task.attempt != before.attempt)
        try ensure(
            hasLeft ? task.fence > before.fence : task.fence >= before.fence,
            "#\(task.number) went from \(before.status.rawValue) to \(task.status.rawValue), its fence from \(before.fence) to \(task.fence)"
        )
        try ensure(
            (task.owner != nil) == (task.status == .processing)
                && (task.lease != nil) == (task.status == .processing),
            "#\(task.number) is \(task.status.rawValue), and its owner is \(task.owner?.rawValue ?? "nobody")"
        )
        try ensure(
            (task.finishedAt != nil) == task.status.isFinal,
            "#\(task.number): finishedAt and status differ"
        )
    }

    private func checkAttempts(of task: BackgroundTask) async throws {
        let attempts = try await store.attempts(of: task.id)
        try ensure(
            attempts.map(\.number) == Array(1...task.attempt),
            "#\(task.number) is at attempt \(task.attempt), and has \(attempts.map(\.number))"
        )
        for (index, attempt) in attempts.enumerated() {
            let isRunning = index == attempts.count - 1 && task.status == .processing
            try ensure(
                (attempt.outcome == nil) == isRunning && (attempt.finishedAt == nil) == isRunning,
                "attempt \(attempt.number) of #\(task.number) (\(task.status.rawValue)) has the outcome \(attempt.outcome?.rawValue ?? "none")"
            )
            if index > 0 {
                try ensure(attempts[index - 1].fence < attempt.fence, "#\(task.number) has a fence twice")
            }
        }
    }

    private func checkHolds() async throws {
        let pending = ledger.tasks.filter { $0.status == .pending }
        let held = pending.filter { !(ledger.accounts[$0.id]?.after.isEmpty ?? true) }.map(\.id)
        let edges = held.isEmpty ? [:] : try await store.dependencies(of: held)
        for task in pending {
            let open = (edges[task.id] ?? []).filter { !$0.isSatisfied }
            try ensure(
                task.holdCount == open.count + (task.isStashed ? 1 : 0),
                "#\(task.number) is held by \(task.holdCount), waits for \(open.map(\.number)), stashed: \(task.isStashed)"
            )
            if let over = open.first(where: { $0.status.isFinal }) {
                throw Broken("#\(task.number) waits for #\(over.number), which is \(over.status.rawValue)")
            }
        }
    }

    private func checkBatches(_ tasks: [BackgroundTask]) async throws {
        guard !ledger.batches.isEmpty else { return }
        var counts: [BatchID: [TaskStatus: Int]] = ledger.batches.mapValues(\.cleared)
        for task in tasks {
            if let id = task.batchID { counts[id]?[task.status, default: 0] += 1 }
        }
        for (id, account) in ledger.batches {
            guard let batch = try await store.batch(id) else { throw Broken("a batch is lost") }
            let count = counts[id] ?? [:]
            try ensure(
                batch.total == account.total && batch.completed == count[.completed, default: 0]
                    && batch.failed == count[.failed, default: 0]
                    && batch.cancelled == count[.cancelled, default: 0],
                "batch \(batch) has \(account.total) tasks: \(count)"
            )
            try ensure(account.owedEvents == 0, "a batch is finished, and batch.finished has not come")
        }
    }

    /// Tasks of strict rules stand alone.
    private func checkUnique() throws {
        var seen: [String: Int64] = [:]
        for task in ledger.tasks where !task.status.isFinal && !task.isCancelRequested {
            guard let key = task.uniqueKey, let rule = task.options.unique, rule.isStrict
            else { continue }
            if let other = seen.updateValue(task.number, forKey: key) {
                throw Broken("#\(other) and #\(task.number) do the same")
            }
        }
    }
}

extension UniqueRule {
    /// Nothing that waits or runs may do the same.
    var isStrict: Bool { statuses.isSuperset(of: [.pending, .processing]) && period == nil }
}
