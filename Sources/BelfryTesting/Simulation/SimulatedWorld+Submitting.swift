// Who submits: single tasks and many, after one another, not twice, for later, put aside; and again what was
// sent already, as a client does whose answer got lost.

import BelfryCore
import BelfryService

/// A request as it was sent.
struct Submission {
    var tasks: [AcceptedTask]
    var batch: TaskBatch?
}

extension SimulatedWorld {
    func submit(_ kind: StepKind) async throws {
        switch kind {
        case .add: try await send(Submission(tasks: [makeTask(after: pickDependencies())], batch: nil))
        case .addMany: try await send(makeMany())
        case .sendAgain: try await sendAgain()
        default: try await sendOther()
        }
    }

    // MARK: Making

    private func makeTask(batch: BatchID? = nil, after: [TaskID] = []) -> AcceptedTask {
        var new = NewTask(featureID: random.pick(["paint", "scale", "swap"]) ?? "paint")
        new.params = ["prompt": .int(Int64(random.number(0...9999)))]
        new.userID = random.pick(["", "", "eve", "bob"]) ?? ""
        new.group = random.pick(["default", "default", "gpu", "night"]) ?? "default"
        new.needs = random.pick(Self.someNeeds) ?? nil
        new.priority = random.pick([-1, 0, 0, 0, 1]) ?? 0
        new.maxAttempts = random.number(1...4)
        new.onInterrupt = random.once(in: 4) ? .fail : .rerun
        new.batchID = batch
        new.after = after
        if random.once(in: 3) { new.options.onDependencyFailure = .run }
        if random.once(in: 5) { new.notBefore = now.adding(random.seconds(1...900)) }
        if random.once(in: 8) { new.deadline = now.adding(random.seconds(30...3600)) }
        if random.once(in: 12) { new.isStashed = true }
        if random.once(in: 4) { addRule(to: &new) }
        let id = ids.taskID(at: now)
        new.id = id
        if random.once(in: 4) { new.idempotencyKey = "key \(id)" }
        return AcceptedTask(id: id, new: new, flow: flow(of: new))
    }

    private static let someNeeds: [TaskNeeds?] = [
        nil, nil, nil, TaskNeeds(slots: 2), TaskNeeds(resources: ["gpu": 1]),
        TaskNeeds(slots: 3, resources: ["memory": 2]), TaskNeeds(resources: ["gpu": 1, "memory": 3]),
    ]

    private func flow(of new: NewTask) -> String? {
        switch fairness {
        case .none: nil
        case .user: new.userID
        case .batch: new.batchID?.rawValue ?? new.userID
        }
    }

    /// Few prompts, so that tasks meet. Loose rules have params of their own, and so do not meet strict ones.
    private func addRule(to new: inout NewTask) {
        var rule = UniqueRule()
        rule.onConflict = random.pick(UniqueRule.Conflict.allCases) ?? .reject
        let isLoose = random.once(in: 4)
        if isLoose {
            rule.period = random.once(in: 2) ? .seconds(600) : nil
            rule.statuses = random.pick([[.completed], [.pending], Set(TaskStatus.allCases)]) ?? [.pending]
        }
        if !random.once(in: 4) { (new.featureID, new.userID) = ("paint", "") }
        new.params = ["prompt": .int(Int64(random.number(0...1))), "loose": .bool(isLoose)]
        if random.once(in: 2) { rule.params = ["prompt", "loose"] }
        new.unique = rule
    }

    /// Newer tasks rather than old ones.
    func pickTask() -> BackgroundTask? {
        let recent = ledger.order.suffix(random.once(in: 4) ? 1000 : 12)
        return random.pick(Array(recent)).flatMap { ledger[$0] }
    }

    private func pickDependencies() -> [TaskID] {
        guard random.once(in: 3) else { return [] }
        var picked = (0..<random.number(1...3)).compactMap { _ in pickTask()?.id }
        if random.once(in: 20) { picked.append(ids.taskID(at: now)) }
        return picked
    }

    private func makeMany() -> Submission {
        let count = random.number(1...6)
        var batch: TaskBatch?
        if random.once(in: 2) {
            batch = TaskBatch(id: ids.batchID(at: now), title: "some", total: count, createdAt: now)
        }
        var tasks = (0..<count).map { _ in makeTask(batch: batch?.id, after: pickDependencies()) }
        for index in tasks.indices where random.once(in: 3) {
            // Mostly an earlier one; a later one may close a circle.
            let other = random.once(in: 8) ? random.number(0...count - 1) : max(0, index - 1)
            if other != index || random.once(in: 4) { tasks[index].new.after.append(tasks[other].id) }
        }
        if random.once(in: 10), let first = tasks.first { tasks.append(first) }
        return Submission(tasks: tasks, batch: batch)
    }

    // MARK: Sending

    private func send(_ submission: Submission) async throws {
        if submission.tasks.count == 1, try await sendAlone(submission) { return }
        let reason = reasonToRefuse(submission)
        do {
            let answers = try await store.add(submission.tasks, batch: submission.batch, at: now)
            if let reason, reason.isCertain { throw Broken("accepted, and \(reason.text)") }
            try await wereAdded(answers, submission)
        } catch let error as TaskStoreError {
            guard reason != nil else { throw Broken("a submission was refused: \(error)") }
            tally.refusals[error.name, default: 0] += 1
            tell("refused: \(error)")
            try await look(.nothing)
        }
    }

    /// What a unique rule must make of a single task, from the books alone.
    ///
    /// - Returns: whether it was about that.
    private func sendAlone(_ submission: Submission) async throws -> Bool {
        guard let accepted = submission.tasks.first, let rule = accepted.new.unique,
            accepted.new.after.isEmpty,
            let same = same(as: accepted.new, rule).last
        else { return false }
        switch rule.onConflict {
        case .reject:
            try await refused("unique: reject", \.isConflict) {
                try await store.add(submission.tasks, batch: submission.batch, at: now)
            }
        case .keep:
            let answer = try await store.add(submission.tasks, batch: submission.batch, at: now)
            try ensure(
                answer == [AddedTask(task: same, isNew: false)],
                "kept #\(same.number), and the answer is \(answer)"
            )
            try await look(.nothing)
        case .replace: return false
        }
        tally.kinds["unique: \(rule.onConflict.rawValue)", default: 0] += 1
        return true
    }

    /// What is there and does the same, by the rule's own words.
    private func same(as new: NewTask, _ rule: UniqueRule) -> [BackgroundTask] {
        let key = rule.key(of: new)
        return ledger.tasks.filter { task in
            task.uniqueKey == key && rule.statuses.contains(task.status)
                && rule.period.map { now.since(task.createdAt) < $0 } ?? true
        }
    }

    private func wereAdded(_ answers: [AddedTask], _ submission: Submission) async throws {
        try ensure(
            answers.count == submission.tasks.count,
            "\(answers.count) answers to \(submission.tasks.count) tasks"
        )
        var permit = Permit(events: [.added])
        let replaces = submission.tasks.contains { $0.new.unique?.onConflict == .replace }
        if replaces { permit.others = [.cancelled, .cancelRequested, .failed] }
        for accepted in submission.tasks {
            guard let rule = accepted.new.unique, rule.onConflict == .replace else { continue }
            permit.subjects.formUnion(same(as: accepted.new, rule).map(\.id))
        }
        if let batch = submission.batch, answers.contains(where: \.isNew) {
            let count = answers.count(where: \.isNew)
            ledger.batches[batch.id] = Ledger.Batch(total: count, unfinished: 0, live: 0)
        }
        var names: [TaskID: TaskID] = [:]
        for (accepted, answer) in zip(submission.tasks, answers) { names[accepted.id] = answer.task.id }
        for (accepted, answer) in zip(submission.tasks, answers) where answer.isNew {
            let after = accepted.new.after.map { names[$0] ?? $0 }
            if !replaces { try checkTurn(of: answer.task) }
            try ledger.enter(answer.task, accepted.new, after: after)
            permit.subjects.insert(answer.task.id)
        }
        tell(answers.map { "#\($0.task.number)\($0.isNew ? "" : " again")" }.joined(separator: " "))
        try await look(permit)
        for answer in answers {
            try ensure(ledger[answer.task.id] == answer.task, "the answer is not what is stored")
        }
        if answers.allSatisfy(\.isNew) { remember(submission) }
    }

    private func remember(_ submission: Submission) {
        sent.append(submission)
        if sent.count > 8 { sent.removeFirst() }
    }

    /// Within a flow, later ones come later.
    private func checkTurn(of task: BackgroundTask) throws {
        guard let flow = task.flow else { return }
        let before = ledger.tasks.filter {
            $0.status == .pending && $0.flow == flow && $0.lane == task.lane && $0.priority == task.priority
        }
        guard let last = before.max(by: { $0.turn < $1.turn }) else { return }
        try ensure(
            last.turn < task.turn,
            "#\(task.number) has the turn \(task.turn), and #\(last.number) of its flow \(last.turn)"
        )
    }

    // MARK: Sending what must not go through, or not again

    private func sendAgain() async throws {
        guard let submission = random.pick(sent), submission.tasks.allSatisfy({ ledger[$0.id] != nil }) else {
            return
        }
        let isRepeat = submission.tasks.allSatisfy { accepted in
            ledger[accepted.id].map { accepted.new.isRepeat(of: $0) } ?? false
        }
        guard isRepeat else {
            return try await refused("repeat of a task that was edited", \.isConflict) {
                try await store.add(submission.tasks, batch: submission.batch, at: now)
            }
        }
        let answers = try await store.add(submission.tasks, batch: submission.batch, at: now)
        for (accepted, answer) in zip(submission.tasks, answers) {
            try ensure(
                !answer.isNew && answer.task == ledger[accepted.id],
                "a repeat made #\(answer.task.number)"
            )
        }
        try await look(.nothing)
    }

    private func sendOther() async throws {
        guard let task = pickTask() else { return }
        var other = makeTask()
        other.new.params = ["other": true]
        if task.idempotencyKey != nil, random.once(in: 2) {
            other.new.idempotencyKey = task.idempotencyKey
            other.new.userID = task.userID
        } else {
            other.id = task.id
            other.new.id = task.id
        }
        try await refused("another task by the same name", \.isConflict) {
            try await store.add([other], batch: nil, at: now)
        }
    }

    /// Why a submission must, or may, be refused; nil when it must be accepted.
    private func reasonToRefuse(_ submission: Submission) -> (text: String, isCertain: Bool)? {
        let own = Set(submission.tasks.map(\.id))
        let hasRules = submission.tasks.contains { $0.new.unique != nil }
        for accepted in submission.tasks {
            for id in accepted.new.after where !own.contains(id) {
                guard let status = ledger[id]?.status else { return ("it comes after nothing", !hasRules) }
                if accepted.new.options.onDependencyFailure.verdict(on: status) == .fail {
                    return ("it comes after one that has failed", !hasRules)
                }
            }
        }
        if hasCircle(submission.tasks) { return ("it comes after itself", !hasRules) }
        if hasRules, submission.tasks.count > 1 || !submission.tasks[0].new.after.isEmpty {
            return ("of its rules", false)
        }
        return nil
    }

    /// Looks from each task along all ways: slow, and nothing like what it checks.
    private func hasCircle(_ tasks: [AcceptedTask]) -> Bool {
        let after = Dictionary(tasks.map { ($0.id, $0.new.after) }, uniquingKeysWith: { first, _ in first })
        return after.keys.contains { start in
            var seen: Set<TaskID> = []
            var next = after[start] ?? []
            while let id = next.popLast() {
                if id == start { return true }
                if seen.insert(id).inserted { next += after[id] ?? [] }
            }
            return false
        }
    }
}

extension TaskStoreError {
    /// For the tally.
    var name: String {
        switch self {
        case .notFound: "not found"
        case .leaseLost: "lease lost"
        case .refused: "not allowed now"
        case .conflict: "conflict"
        case .dependency: "dependency"
        case .unavailable: "unavailable"
        case .outcomeUnknown: "outcome unknown"
        }
    }
}
