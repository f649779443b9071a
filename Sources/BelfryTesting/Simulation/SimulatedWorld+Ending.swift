// The faults stop, everything is let go, and one good worker is left: then all that was accepted ends.

import BelfryCore

extension SimulatedWorld {
    func bringToAnEnd() async throws {
        begin("end")
        try await restart()
        workers = []
        try await rescue(isSoleOwner: true)
        for name in ledger.groups.keys.sorted() { try await save(TaskGroup(name: name)) }
        for task in ledger.tasks where task.status == .pending && task.isStashed { try await release(task) }
        workers = [
            SimulatedWorker(
                id: WorkerID("last"),
                slots: 8,
                resources: ["gpu": 2, "memory": 6],
                features: [:]
            )
        ]
        try await workToTheEnd()
        try await checkTheEnd()
    }

    private func workToTheEnd() async throws {
        var rounds = ledger.order.count * 4 + 20
        while case let waiting = ledger.tasks.filter({ !$0.status.isFinal }), !waiting.isEmpty {
            rounds -= 1
            try ensure(rounds > 0, "\(waiting.map { "#\($0.number)" }) do not come to an end")
            begin("last round")
            let work = try await store.pendingWork()
            if let deadline = work.nextDeadline, deadline <= now {
                try await expire(limit: 100)
            } else if try await !workOnce(work) {
                guard let next = [work.nextDue, work.nextDeadline].compactMap({ $0 }).min(), next > now else {
                    throw Broken(
                        "\(waiting.map { "#\($0.number) \($0.notBefore?.description ?? "")" }) wait, and the store names no time to come"
                    )
                }
                now = next
            }
        }
    }

    /// - Returns: whether there was anything to do.
    private func workOnce(_ work: PendingWork) async throws -> Bool {
        let lanes = Dictionary(uniqueKeysWithValues: work.lanes.map { ($0, workers[0].slots) })
        let request = workers[0].request(lanes, groups: [:], lease: newLease())
        let claimed = try await store.claim(request, at: now)
        try await look(Permit(subjects: Set(claimed.map(\.task.id)), events: [.started]))
        for claimed in claimed {
            let result = TaskResult(value: ["seed": 7])
            let after = try await store.settle(
                Settlement(claim: claimed.claim, outcome: .completed(result)),
                at: now
            )
            try ensure(
                after.status == .completed,
                "#\(after.number) was completed, and is \(after.status.rawValue)"
            )
            try await look(.only(after.id, [.completed], others: [.failed]))
        }
        return !claimed.isEmpty
    }

    private func checkTheEnd() async throws {
        for index in readers.indices {
            while readers[index].position < ledger.newest {
                try await readers[index].read(store, limit: 50, ledger)
            }
        }
        for schedule in schedules.values {
            try ensure(
                schedule.schedule.made + schedule.rejected == Int64(schedule.ticks.count),
                "\(schedule.schedule.name) counts \(schedule.schedule.made) tasks, and \(schedule.ticks.count) ticks were made"
            )
        }
        let counts = try await store.status().counts.filter { $0.value > 0 }
        let known = ledger.tasks.reduce(into: [TaskStatus: Int]()) { $0[$1.status, default: 0] += 1 }
        try ensure(counts == known, "there are \(known), and the store counts \(counts)")
        try await checkSettings()
    }
}
