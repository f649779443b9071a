// What goes on while attempts run, how they end, and who dies.

import BelfryCore

extension SimulatedWorld {
    func work(_ kind: StepKind) async throws {
        switch kind {
        case .claim: try await claim()
        case .settle:
            guard let index = pickBusyWorker() else { return }
            let place = random.number(0...workers[index].running.count - 1)
            try await settle(workers[index].running.remove(at: place).claim)
        case .progress: try await saveProgress(pickClaims())
        case .checkpoint: for claim in pickClaims().prefix(1) { try await saveCheckpoint(claim) }
        case .heartbeat: try await extendLeases()
        case .rescue: try await rescue(isSoleOwner: false)
        default: try await expire(limit: random.number(1...3))
        }
    }

    private func pickBusyWorker() -> Int? {
        random.pick(workers.indices.filter { !workers[$0].running.isEmpty })
    }

    /// Of those who run and of those who only think so.
    private func pickClaims() -> [Claim] {
        let all = workers.flatMap { $0.running.map(\.claim) } + ghosts.suffix(4)
        return (0..<random.number(1...3)).compactMap { _ in random.pick(all) }
    }

    // MARK: Outcomes

    func settle(_ claim: Claim) async throws {
        let settlement = Settlement(claim: claim, outcome: pickOutcome())
        guard ledger.holds(claim), let before = ledger[claim.taskID] else {
            return try await refused("late outcome", \.isLate) {
                try await store.settle(settlement, at: now)
            }
        }
        let after = try await store.settle(settlement, at: now)
        tell("#\(after.number) \(settlement.outcome.name) → \(after.status.rawValue)")
        try check(after, before, settlement.outcome)
        let events: Set<TaskEvent.Kind> = [
            .completed, .failed, .cancelled, .retrying, .interrupted, .snoozed,
        ]
        try await look(.only(claim.taskID, events, others: after.status.isFinal ? [.failed] : []))
        try ensure(ledger[after.id] == after, "the answer is not what is stored")
    }

    private func pickOutcome() -> Settlement.Outcome {
        switch random.number(0...9) {
        case 0...4: .completed(TaskResult(value: ["seed": 7]))
        case 5: .failed(TaskFailure("exit_status", "It ended with 1."), retryAfter: .zero)
        case 6, 7:
            .failed(
                TaskFailure("exit_status", "It ended with 1.", isRetryable: true),
                retryAfter: random.seconds(0...60)
            )
        case 8: random.once(in: 2) ? .cancelled : .interrupted
        default: .snoozed(random.seconds(1...60), "later")
        }
    }

    private func check(_ after: BackgroundTask, _ before: BackgroundTask, _ outcome: Settlement.Outcome)
        throws
    {
        let isLast = before.attempt >= before.maxAttempts
        let expected: TaskStatus =
            switch outcome {
            case .completed: .completed
            case .cancelled: .cancelled
            case _ where before.isCancelRequested: .cancelled
            case .failed(let failure, _): failure.isRetryable && !isLast ? .pending : .failed
            case .interrupted: before.onInterrupt == .rerun ? .pending : .failed
            case .snoozed: .pending
            }
        try ensure(
            after.status == expected,
            "#\(after.number) is \(after.status.rawValue), not \(expected.rawValue)"
        )
        switch outcome {
        case .failed(_, let delay) where expected == .pending,
            .snoozed(let delay, _) where expected == .pending:
            try ensure(after.notBefore == now.adding(delay), "#\(after.number) comes again at another time")
        default: break
        }
        // Only a failure counts against the budget.
        var budget = before.maxAttempts
        switch outcome {
        case .snoozed where expected == .pending, .interrupted where expected == .pending: budget += 1
        default: break
        }
        try ensure(
            after.maxAttempts == budget,
            "#\(after.number) may have \(after.maxAttempts) attempts, not \(budget)"
        )
    }

    // MARK: Signs of life

    private func saveProgress(_ claims: [Claim]) async throws {
        let values = claims.map {
            ProgressValue(claim: $0, percent: Double(random.number(0...100)), message: "on")
        }
        let lost = try await store.saveProgress(values, at: now)
        try await check(lost, of: claims, "late progress")
    }

    private func extendLeases() async throws {
        let claims = workers.flatMap { $0.running.map(\.claim) } + ghosts.suffix(random.number(0...1))
        let lost = try await store.extendLeases(claims, to: newLease())
        try await check(lost, of: claims, "late heartbeat")
        // A worker that hears that a claim is lost stops that attempt.
        for index in workers.indices { workers[index].running.removeAll { lost.contains($0.claim) } }
    }

    private func check(_ lost: [Claim], of claims: [Claim], _ name: String) async throws {
        try ensure(lost == claims.filter { !ledger.holds($0) }, "\(name): \(lost) of \(claims) were lost")
        if !lost.isEmpty { tally.refusals[name, default: 0] += lost.count }
        try await look(Permit(subjects: Set(claims.filter(ledger.holds).map(\.taskID))))
    }

    private func saveCheckpoint(_ claim: Claim) async throws {
        let value: JSONValue? = random.once(in: 5) ? nil : ["frame": .int(Int64(steps))]
        guard ledger.holds(claim) else {
            return try await refused("late checkpoint", \.isLeaseLost) {
                try await store.saveCheckpoint(value, of: claim)
            }
        }
        try await store.saveCheckpoint(value, of: claim)
        ledger.accounts[claim.taskID]?.checkpoint = value
        try await look(.nothing)
    }

    // MARK: Rescue

    func rescue(isSoleOwner: Bool) async throws {
        let alive = Set(workers.filter { _ in !random.once(in: 6) }.map(\.id))
        let rescue = Rescue(alive: alive, bootID: bootID, leaseTime: leaseNow, isSoleOwner: isSoleOwner)
        let dead = ledger.tasks.filter { task in
            guard task.status == .processing, let owner = task.owner, !alive.contains(owner),
                let lease = task.lease
            else { return false }
            return isSoleOwner || lease.bootID != bootID || lease.expiresAt <= leaseNow
        }
        let rescued = try await store.rescue(rescue, at: now)
        tell("rescued \(rescued.map { "#\($0.number) \($0.status.rawValue)" })")
        tally.kinds["rescued attempts", default: 0] += rescued.count
        try ensure(
            rescued.map(\.id) == dead.map(\.id),
            "dead are \(dead.map(\.number)), rescued \(rescued.map(\.number))"
        )
        for (before, after) in zip(dead, rescued) { try check(after, before, .interrupted) }
        try await look(
            Permit(
                subjects: Set(dead.map(\.id)),
                events: [.interrupted, .failed, .cancelled],
                others: [.failed]
            )
        )
    }

    func expire(limit: Int) async throws {
        let late = ledger.tasks.filter { $0.status == .pending && $0.deadline.map { $0 <= now } ?? false }
        let expired = try await store.expire(limit: limit, at: now)
        tell("expired \(expired.map { "#\($0.number)" })")
        tally.kinds["expired tasks", default: 0] += expired.count
        try ensure(
            expired.count <= limit && expired.allSatisfy { task in late.contains { $0.id == task.id } }
                && expired.isEmpty == late.isEmpty && expired.allSatisfy { $0.status == .failed },
            "late are \(late.map(\.number)), expired \(expired.map(\.number))"
        )
        try await look(Permit(subjects: Set(expired.map(\.id)), events: [.failed], others: [.failed]))
    }

    // MARK: Faults

    func fail(_ kind: StepKind) async throws {
        switch kind {
        case .workerDies: replaceWorker(at: random.number(0...workers.count - 1))
        case .workerSleeps:
            // It sleeps past its lease, and wakes later to write what it has.
            let index = random.number(0...workers.count - 1)
            ghosts += workers[index].running.map(\.claim)
            leaseNow += .seconds(61)
            now = now.adding(.seconds(61))
        case .ghostWrites:
            guard let claim = random.pick(ghosts) else { return }
            if random.once(in: 3) { return try await saveCheckpoint(claim) }
            try await settle(claim)
        case .reboot:
            boots += 1
            leaseNow = .seconds(random.number(1...30))
            try await restart()
        default: try await restart()
        }
    }

    private func replaceWorker(at index: Int) {
        ghosts += workers[index].running.map(\.claim)
        workers[index] = makeWorker()
        ghosts = ghosts.suffix(24)
    }

    /// The hub is gone and comes back, and the first that it does is to give back what its dead workers had.
    func restart() async throws {
        if !engine.maySkipClosing || random.once(in: 2) { try await store.close() }
        store = try await fixture.reopen()
        for index in workers.indices { replaceWorker(at: index) }
        try await look(.nothing)
        try await checkSettings()
        for reader in readers.indices { try await readers[reader].reopen(store) }
        if !random.once(in: 4) { try await rescue(isSoleOwner: true) }
    }

    /// What is no task, and must be there after a restart all the same.
    func checkSettings() async throws {
        let groups = try await store.groups()
        let known = ledger.groups.values.sorted { $0.name < $1.name }
        try ensure(groups == known, "the groups are \(known), and the store has \(groups)")
        try await checkSchedules()
    }
}

extension TaskStoreError {
    fileprivate var isLate: Bool { isLeaseLost || isNotFound }
}

extension Settlement.Outcome {
    fileprivate var name: String {
        switch self {
        case .completed: "completes"
        case .failed(let failure, _): failure.isRetryable ? "fails for now" : "fails"
        case .cancelled: "confirms its cancellation"
        case .interrupted: "is given back"
        case .snoozed: "snoozes"
        }
    }
}
