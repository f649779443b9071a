// How long tasks wait: since when they have been due, told of the queue and with each claim.

import BelfryCore

extension StoreConformance {
    static let waiting: [StoreCheck] = [
        StoreCheck("the oldest due task is the one that was submitted first, whatever its priority") {
            bench in
            try await expectOldest(bench, nil, "an empty store")
            let first = bench.now
            try await bench.add(1) { $0.priority = -5 }
            bench.clock.advance(by: .seconds(60))
            try await bench.add(1) { $0.priority = 5 }
            bench.clock.advance(by: .seconds(60))
            try await expectOldest(bench, first, "two that wait")
            try await bench.complete(bench.claim(2)[0])
            try await expectOldest(bench, nil, "none that waits")
        },
        StoreCheck("a task that waits for a time is due from that time on") { bench in
            let due = bench.now.adding(.seconds(60))
            let early = try await bench.addOne { $0.notBefore = due }
            try await expectOldest(bench, nil, "before its time")
            bench.clock.advance(by: .seconds(30))
            let second = bench.now
            try await bench.add(1)
            try await expectOldest(bench, second, "beside one that is due")
            bench.clock.advance(by: .seconds(40))
            try await expectOldest(bench, due, "ten seconds after its time")
            let claimed = try await bench.claim(2)
            let since = claimed.first { $0.task.id == early.id }?.dueSince
            try expectEqual(since, due, "since when it was due, as its claimant hears")
        },
        StoreCheck("a task whose time has come is due before anybody claims") { bench in
            let due = bench.now.adding(.seconds(60))
            try await bench.add(1) { $0.notBefore = due }
            bench.clock.advance(by: .seconds(61))
            try await expectOldest(bench, due, "a second after its time")
        },
        StoreCheck("a task that is pending again is due from then on, not from its submission") { bench in
            try await bench.add(1)
            bench.clock.advance(by: .seconds(60))
            try await bench.settle(bench.claim(1)[0].claim, .interrupted)
            let again = bench.now
            bench.clock.advance(by: .seconds(60))
            try await expectOldest(bench, again, "an interrupted task")
            try expectEqual(try await bench.claim(1)[0].dueSince, again, "as its claimant hears")
        },
    ]

    private static func expectOldest(_ bench: StoreBench, _ expected: Timestamp?, _ what: String) async throws
    {
        try expectEqual(try await bench.store.oldestDue(at: bench.now), expected, what)
    }
}
