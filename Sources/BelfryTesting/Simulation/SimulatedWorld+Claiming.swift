// Claims: what a worker asks for as the real one does, and whether what it got is what it may have.

import BelfryCore

extension SimulatedWorld {
    func makeWorker() -> SimulatedWorker {
        workersMade += 1
        return SimulatedWorker(
            id: WorkerID("worker-\(workersMade)"),
            slots: random.number(1...6),
            resources: ["gpu": Int64(random.number(0...2)), "memory": Int64(random.number(0...5))],
            features: random.once(in: 3) ? ["scale": random.number(1...2)] : [:]
        )
    }

    func newLease() -> Lease { Lease(bootID: bootID, expiresAt: leaseNow + .seconds(60)) }

    func claim() async throws {
        let index = random.number(0...workers.count - 1)
        guard let request = try await makeRequest(workers[index]) else { return }
        let due = dueTasks(for: request)
        let claimed = try await store.claim(request, at: now)
        tell(
            "\(request.worker) took \(claimed.map { "#\($0.task.number)" }) of \(due.map { "#\($0.number)" })"
        )
        tally.kinds["attempts", default: 0] += claimed.count
        try check(claimed, of: due, request)
        workers[index].running += claimed
        try await look(Permit(subjects: Set(claimed.map(\.task.id)), events: [.started]))
        for claimed in claimed {
            try ensure(
                ledger[claimed.task.id] == claimed.task,
                "#\(claimed.task.number) is not what was claimed"
            )
        }
        try checkLoad(of: workers[index])
    }

    /// - Returns: nil when there is no room.
    private func makeRequest(_ worker: SimulatedWorker) async throws -> ClaimRequest? {
        let pending = try await store.pendingWork()
        let known = Set(ledger.tasks.filter { $0.status == .pending }.map(\.lane))
        try ensure(pending.lanes == known, "the lanes are \(known), and pendingWork says \(pending.lanes)")
        var lanes: [Lane: Int] = [:]
        for lane in known.sorted(by: { $0.description < $1.description }) where isOpen(lane.group) {
            lanes[lane] = random.once(in: 6) ? random.number(0...1) : worker.slots
        }
        let request = worker.request(lanes, groups: ledger.groups, lease: newLease())
        return request.slots > 0 ? request : nil
    }

    private func isOpen(_ group: String) -> Bool {
        ledger.groups[TaskGroup.all]?.state != .paused && ledger.groups[group]?.state != .paused
    }

    /// Everything that could start, in the order in which it is to.
    func dueTasks(for request: ClaimRequest) -> [BackgroundTask] {
        ledger.tasks.filter { task in
            task.status == .pending && task.holdCount == 0 && task.notBefore.map { $0 <= now } ?? true
                && task.deadline.map { $0 > now } ?? true && request.lanes[task.lane] != nil
        }.sorted {
            if $0.priority != $1.priority { return $0.priority > $1.priority }
            return ($0.turn, $0.number) < ($1.turn, $1.number)
        }
    }

    private func check(_ claimed: [ClaimedTask], of due: [BackgroundTask], _ request: ClaimRequest) throws {
        var budget = ClaimBudget(left: request)
        var rest = due[...]
        var waiting: ClaimBudget.Lack?
        var shut: Set<Lane> = []
        for claimed in claimed {
            let task = claimed.task
            try ensure(due.contains { $0.id == task.id }, "#\(task.number) was claimed, and is not due")
            while let next = rest.popFirst(), next.id != task.id {
                if shut.isEmpty { waiting = try passedOver(next, budget) }
                shut.insert(next.lane)
            }
            try ensure(
                !shut.contains(task.lane),
                "#\(task.number) was claimed before another of its lane, or twice"
            )
            try ensure(waiting?.isTaken(by: task.lane) != true, "#\(task.number) took what another waits for")
            if let lack = budget.lack(for: task.lane) {
                throw Broken("#\(task.number) was claimed for want of \(lack)")
            }
            budget.take(task.lane)
            try check(claimed, request)
        }
        if shut.isEmpty, let next = rest.first { _ = try passedOver(next, budget) }
    }

    private func passedOver(_ task: BackgroundTask, _ budget: ClaimBudget) throws -> ClaimBudget.Lack {
        guard let lack = budget.lack(for: task.lane) else {
            throw Broken("#\(task.number) was passed over, and there was room for it")
        }
        return lack
    }

    private func check(_ claimed: ClaimedTask, _ request: ClaimRequest) throws {
        let task = claimed.task
        guard let account = ledger.accounts[task.id] else { throw Broken("#\(task.number) is not there") }
        try ensure(
            task.status == .processing && task.owner == request.worker && task.lease == request.lease
                && task.fence > account.task.fence && task.attempt == account.task.attempt + 1,
            "#\(task.number) was claimed, and is \(task)"
        )
        for id in account.after {
            try ensure(
                account.gone.contains(id) || ledger.cleared.contains(id),
                "#\(task.number) was claimed before #\(ledger[id]?.number ?? 0), which it comes after, was done"
            )
        }
        try ensure(claimed.checkpoint == account.checkpoint, "#\(task.number) has another checkpoint")
        try ensure(
            claimed.dueSince == account.task.dueSince,
            "#\(task.number) says it was due since \(claimed.dueSince?.description ?? "never")"
        )
    }

    /// What the store says a worker runs, against what the worker has.
    private func checkLoad(of worker: SimulatedWorker) throws {
        let running = ledger.tasks.filter { $0.status == .processing && $0.owner == worker.id }
        try ensure(
            running.reduce(0) { $0 + $1.needs.slots } <= worker.slots,
            "\(worker.id) is over its slots"
        )
        for (name, amount) in worker.resources {
            let used = running.reduce(0) { $0 + ($1.needs.resources[name] ?? 0) }
            try ensure(used <= amount, "\(worker.id) is over its \(name): \(used) of \(amount)")
        }
        for (feature, limit) in worker.features {
            try ensure(
                running.count { $0.featureID == feature } <= limit,
                "\(worker.id) is over its \(feature)"
            )
        }
    }
}
