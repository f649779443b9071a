// Clocks that run, stop and are set; and those who read the log, at their own pace.

import BelfryCore

extension SimulatedWorld {
    func turnClocks(_ kind: StepKind) {
        switch kind {
        case .timePasses:
            let time = random.once(in: 6) ? random.seconds(3600...28_800) : random.seconds(0...600)
            now = now.adding(time)
            leaseNow += time
        case .suspend: now = now.adding(random.seconds(600...43_200))
        default: setClock()
        }
    }

    private func setClock() {
        if random.once(in: 30) {
            now = Timestamp(milliseconds: 4_102_444_800_000)
            return
        }  // The year 2100.
        now = now.adding(.seconds(random.pick([3600, -3600, 86_400, -86_400, -600, 1, -1, -7200]) ?? 1))
    }

    func readEvents(_ kind: StepKind) async throws {
        if kind == .prune { return try await prune() }
        let index = random.number(0...readers.count - 1)
        let limit = random.number(1...25)
        try await readers[index].read(store, limit: limit, ledger)
        if random.once(in: 2) { try await readers[index].save(store, epoch: ledger.epoch) }
    }

    private func prune() async throws {
        let limit = random.number(1...40)
        let before = try await store.status().oldest
        let count = try await store.pruneEvents(
            before: now.adding(.zero - random.seconds(0...7200)),
            limit: limit
        )
        let after = try await store.status().oldest
        try ensure(
            count <= limit && after == before + Int64(count),
            "\(count) events were forgotten, and the oldest is \(after), before \(before)"
        )
        tell("forgot \(count)")
        try await look(.nothing)
    }
}

/// Somebody who reads the log in pages and keeps a cursor.
struct SimulatedReader {
    let name: String
    private(set) var position: Int64 = 0
    private var saved: Int64?

    init(name: String) { self.name = name }

    mutating func read(_ store: any TaskStore, limit: Int, _ ledger: Ledger) async throws {
        let page = try await store.events(after: position, limit: limit)
        // What was forgotten before it came so far is a gap, and no more than that.
        var next = max(position, page.oldest - 1)
        for record in page.events {
            next += 1
            try ensure(record.position == next, "\(name) was to get \(next), and gets \(record.position)")
            let known = ledger.log[Int(next) - 1]
            try ensure(
                record.kind == known.kind && record.taskID == known.task,
                "position \(next) is another event now"
            )
        }
        try ensure(
            page.newest == ledger.newest,
            "\(name) sees the newest at \(page.newest), not \(ledger.newest)"
        )
        try ensure(
            page.events.count == min(limit, Int(page.newest - max(position, page.oldest - 1))),
            "\(name) got a short page"
        )
        position = next
    }

    mutating func save(_ store: any TaskStore, epoch: String) async throws {
        try await store.saveCursor(EventCursor(epoch: epoch, position: position), of: name)
        saved = position
    }

    /// After a restart it goes on where it last said it was.
    mutating func reopen(_ store: any TaskStore) async throws {
        let cursor = try await store.cursor(of: name)
        try ensure(
            cursor?.position == saved,
            "\(name) saved \(saved ?? 0), and finds \(cursor?.position ?? 0)"
        )
        position = cursor?.position ?? 0
    }
}
