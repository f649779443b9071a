// What tasks cannot come after, and what they come after when a submission is a repeat.

import BelfryCore

extension StoreConformance {
    static let dependencyRefusals: [StoreCheck] = [
        StoreCheck("a circle is refused and nothing of the submission is written") { bench in
            var (a, b, c) = (bench.submission(), bench.submission(), bench.submission())
            (a.new.after, b.new.after, c.new.after) = ([c.id], [a.id], [b.id])
            try await refused([bench.submission(), a, b, c], bench)
            var own = bench.submission()
            own.new.after = [own.id]
            try await refused([own], bench)
        },
        StoreCheck("a circle by way of a task that is named by two ids is refused") { bench in
            var first = bench.submission { $0.idempotencyKey = "order-7" }
            let again = bench.submission { $0.idempotencyKey = "order-7" }
            var last = bench.submission()
            last.new.after = [again.id]
            first.new.after = [last.id]
            try await refused([first, again, last], bench)
        },
        StoreCheck("what comes after an unknown task is refused and nothing of the submission is written") {
            bench in
            var task = bench.submission()
            task.new.after = [bench.ids.taskID(at: bench.now)]
            try await refused([bench.submission(), task], bench)
        },
        StoreCheck("what comes after a task that has failed is refused, unless it runs whatever became of it")
        {
            bench in
            let failed = try await bench.running()
            try await bench.fail(failed)
            var task = bench.submission()
            task.new.after = [failed.task.id]
            try await refused([task], bench)
            let cleanup = try await bench.add(after: [failed.task], policy: .run)
            try expectEqual(cleanup.holdCount, 0, "what holds the one that runs")
        },
        StoreCheck("what comes after a repeat comes after the task that is there already") { bench in
            let stored = try await bench.addOne { $0.idempotencyKey = "order-7" }
            let again = bench.submission { $0.idempotencyKey = "order-7" }
            var next = bench.submission()
            next.new.after = [again.id]
            let added = try await bench.store.add([again, next], batch: nil, at: bench.now)
            try expectEqual(added.map(\.isNew), [false, true], "isNew")
            try expectEqual(try await bench.edges(of: added[1].task).map(\.id), [stored.id], "the edge")
            try expectEqual(try await bench.claim().map(\.task.id), [stored.id], "what can start")
        },
        StoreCheck("a submission with dependencies that is sent again is a repeat") { bench in
            let first = bench.submission()
            var second = bench.submission()
            second.new.after = [first.id]
            _ = try await bench.store.add([first, second], batch: nil, at: bench.now)
            try await bench.fail(bench.claimOne())
            let kinds = try await bench.kindsOf {
                let again = try await bench.store.add([first, second], batch: nil, at: bench.now)
                try expectEqual(again.map(\.isNew), [false, false], "isNew")
                try expectEqual(again.map(\.task.status), [.failed, .failed], "the statuses")
            }
            try expectEqual(kinds, [], "the events")
        },
    ]

    /// Expects that the submission is refused as one that cannot be ordered, and leaves no trace.
    private static func refused(_ tasks: [AcceptedTask], _ bench: StoreBench) async throws {
        let before = try await bench.store.tasks(TaskQuery()).tasks
        let batch = TaskBatch(
            id: bench.ids.batchID(at: bench.now),
            title: "",
            total: tasks.count,
            createdAt: bench.now
        )
        let kinds = try await bench.kindsOf {
            try await expectRefusal("the submission", \.isDependency) {
                try await bench.store.add(tasks, batch: batch, at: bench.now)
            }
        }
        try expectEqual(kinds, [], "the events")
        try expectEqual(try await bench.store.tasks(TaskQuery()).tasks, before, "the tasks")
        try expectEqual(try await bench.store.batch(batch.id), nil, "the batch")
    }
}
