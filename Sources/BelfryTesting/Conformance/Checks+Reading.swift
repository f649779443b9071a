// Lists, pages, the event log, and what sinks keep in the store.

import BelfryCore

extension StoreConformance {
    static let queries: [StoreCheck] = [
        StoreCheck("tasks are listed newest first, page by page, to a definite end") { bench in
            try await bench.add(10)
            var query = TaskQuery()
            query.limit = 5
            let first = try await bench.store.tasks(query)
            try expectEqual(first.tasks.map(\.number), [10, 9, 8, 7, 6], "the first page")
            query.beforeNumber = try unwrap(first.nextBefore, "the way to the second page")
            let second = try await bench.store.tasks(query)
            try expectEqual(second.tasks.map(\.number), [5, 4, 3, 2, 1], "the second page")
            try expectEqual(second.nextBefore, nil, "the way on from the last page")
        },
        StoreCheck("pages have no gaps and no repeats while tasks are added") { bench in
            try await bench.add(9)
            var query = TaskQuery()
            query.limit = 4
            var numbers: [Int64] = []
            repeat {
                let page = try await bench.store.tasks(query)
                numbers += page.tasks.map(\.number)
                query.beforeNumber = page.nextBefore
                try await bench.add(3)
            } while query.beforeNumber != nil
            try expectEqual(numbers, Array((1...9).reversed()), "the numbers on all pages")
        },
        StoreCheck("a list can be narrowed by status, feature, batch and label, and by all of them") {
            bench in
            try await bench.add(1, "upscale") { $0.labels = ["night", "sea"] }
            let batch = try await bench.addBatch(2) { $0.labels = ["night"] }
            try await bench.add(1) { $0.labels = ["night time", "Night"] }
            try await bench.complete(bench.claim(1)[0])
            func numbers(_ change: (inout TaskQuery) -> Void) async throws -> [Int64] {
                var query = TaskQuery()
                change(&query)
                return try await bench.store.tasks(query).tasks.map(\.number)
            }
            try expectEqual(try await numbers { $0.statuses = [.completed] }, [2], "completed")
            try expectEqual(
                try await numbers { $0.statuses = [.completed, .pending] },
                [4, 3, 2, 1],
                "two statuses"
            )
            try expectEqual(try await numbers { $0.featureID = "upscale" }, [1], "a feature")
            try expectEqual(try await numbers { $0.batchID = batch.id }, [3, 2], "a batch")
            try expectEqual(try await numbers { $0.label = "night" }, [3, 2, 1], "a label, whole")
            try expectEqual(try await numbers { $0.label = "n%t" }, [], "a label with a wildcard")
            let all = try await numbers { query in
                query.statuses = [.pending]
                query.featureID = "paint"
                query.batchID = batch.id
                query.label = "night"
            }
            try expectEqual(all, [3], "all filters at once")
        },
        StoreCheck("activeSince lists what is unfinished or was updated since") { bench in
            _ = try await bench.completed()
            bench.clock.advance(by: .seconds(10))
            let since = bench.now
            _ = try await bench.completed()
            try await bench.add(1)
            bench.clock.advance(by: .seconds(10))
            var query = TaskQuery()
            query.activeSince = since
            try expectEqual(try await bench.store.tasks(query).tasks.map(\.number), [3, 2], "the numbers")
            query.activeSince = bench.now
            try expectEqual(
                try await bench.store.tasks(query).tasks.map(\.number),
                [3],
                "only what is unfinished"
            )
        },
        StoreCheck("a page holds 1,000 tasks at most") { bench in
            try await bench.add(1005)
            var query = TaskQuery()
            query.limit = 5000
            let page = try await bench.store.tasks(query)
            try expectEqual(page.tasks.count, 1000, "the number of tasks")
            try expectEqual(page.nextBefore, 6, "the way on")
        },
        StoreCheck("a page says which event it is as of") { bench in
            try await bench.add(3)
            let page = try await bench.store.tasks(TaskQuery())
            let status = try await bench.store.status()
            try expectEqual(page.asOf, status.cursor, "asOf")
            let added = try await bench.addOne()
            let missed = try await bench.events(after: page.asOf.position)
            try expectEqual(missed.compactMap { $0.task?.id }, [added.id], "the events after it")
        },
        StoreCheck("the status counts tasks in each state") { bench in
            try await bench.add(6)
            let claimed = try await bench.claim(4)
            try await bench.complete(claimed[0])
            try await bench.fail(claimed[1])
            try await bench.settle(claimed[2].claim, .cancelled)
            func numbers() async throws -> [Int] {
                let status = try await bench.store.status()
                return TaskStatus.allCases.map { status.counts[$0, default: 0] }
            }
            try expectEqual(try await numbers(), [2, 1, 1, 1, 1], "pending … cancelled")
            _ = try await bench.store.retry(claimed[1].task.id, attempts: 1, context: nil, at: bench.now)
            _ = try await bench.store.clear(ClearFilter(), at: bench.now)
            try expectEqual(try await numbers(), [3, 1, 0, 0, 1], "after a retry and a clear")
        },
    ]

    static let eventLog: [StoreCheck] = [
        StoreCheck("events are read in pages, oldest first, each after the last") { bench in
            try await bench.add(7)
            let first = try await bench.store.events(after: 0, limit: 3)
            try expectEqual(first.events.map(\.position), [1, 2, 3], "the first page")
            try expectEqual([first.oldest, first.newest], [1, 7], "oldest and newest")
            let last = try await bench.store.events(after: 6, limit: 3)
            try expectEqual(last.events.map(\.position), [7], "the last page")
            try expectEqual(try await bench.store.events(after: 7, limit: 3).events, [], "after the end")
            try expectEqual(try await bench.store.events(after: 99, limit: 3).events, [], "far after the end")
            try expectEqual(try await bench.store.events(after: 0, limit: 0).events, [], "a page of none")
        },
        StoreCheck("every event carries the log's epoch and reads back as what was written") { bench in
            let task = try await bench.completed { $0.labels = ["a"] }
            let page = try await bench.store.events(after: 0, limit: 10)
            let status = try await bench.store.status()
            try expectEqual(page.epoch, status.epoch, "the page's epoch")
            for record in page.events {
                let event = try record.event()
                try expectEqual(record.cursor, event.cursor, "the record's cursor")
                try expectEqual(record.cursor.epoch, status.epoch, "the event's epoch")
                try expectEqual(record.kind, event.kind, "the record's kind")
                try expectEqual(record.taskID, task.id, "the record's task")
                try expectEqual(EventRecord(event).json, record.json, "the line")
                try expect(!record.json.contains(0x0A), "an event is more than one line")
            }
        },
        StoreCheck("the newest events of one task are read oldest first") { bench in
            let first = try await bench.running { $0.maxAttempts = 2 }
            _ = try await bench.completed()
            try await bench.fail(first, retryable: true)
            try await bench.complete(bench.claimOne())
            let all = try await bench.store.events(of: first.task.id, limit: 10)
            try expectEqual(
                all.map(\.kind),
                [.added, .started, .retrying, .started, .completed],
                "all of them"
            )
            try expect(
                zip(all, all.dropFirst()).allSatisfy { $0.position < $1.position },
                "positions do not grow"
            )
            let newest = try await bench.store.events(of: first.task.id, limit: 2)
            try expectEqual(newest, Array(all.suffix(2)), "the newest two")
            let none = try await bench.store.events(of: bench.ids.taskID(at: bench.now), limit: 5)
            try expectEqual(none, [], "the events of an unknown task")
        },
        StoreCheck("refused changes take no position") { bench in
            let done = try await bench.completed()
            for _ in 0..<3 {
                try await expectRefusal("cancelling a completed task", \.isRefused) {
                    try await bench.store.requestCancel(done.id, at: bench.now)
                }
            }
            try await bench.add(1)
            try expectEqual(try await bench.events().map(\.position), [1, 2, 3, 4], "the positions")
        },
        StoreCheck("no event is larger than 4 KiB, whatever is in the task") { bench in
            let long = String(repeating: "\u{1}\"\u{1F5FC}", count: 2000)
            let claimed = try await bench.running { new in
                new.title = long.truncated(toUTF8: 800)
                new.labels = (0..<16).map { _ in String(repeating: "\"", count: 64) }
                new.userID = String(repeating: "\\", count: 128)
                new.origin = String(repeating: "\"", count: 255)
                new.maxAttempts = 2
            }
            let failure = TaskFailure(long, long, fix: long, isRetryable: true, logTail: long)
            try await bench.settle(claimed.claim, .failed(failure, retryAfter: .zero))
            let artifacts = (0..<9).map { _ in
                TaskResult.Artifact(uri: "file:///" + long, mime: long, size: 1)
            }
            let result = TaskResult(value: .string(String(long.prefix(200))), artifacts: artifacts)
            try await bench.settle(bench.claimOne().claim, .completed(result))
            let sizes = try await bench.store.events(after: 0, limit: 10).events.map(\.json.count)
            try expect(sizes.allSatisfy { $0 <= 4096 }, "sizes in bytes: \(sizes)")
        },
    ]

    static let sinkState: [StoreCheck] = [
        StoreCheck("a sink's cursor is its own, and the last one saved counts") { bench in
            let epoch = try await bench.store.status().epoch
            try expectEqual(try await bench.store.cursor(of: "file"), nil, "a cursor that was never saved")
            try await bench.store.saveCursor(EventCursor(epoch: epoch, position: 7), of: "file")
            try await bench.store.saveCursor(EventCursor(epoch: "another", position: 1), of: "desktop@host")
            try await bench.store.saveCursor(EventCursor(epoch: epoch, position: 3), of: "file")
            try expectEqual(
                try await bench.store.cursor(of: "file"),
                EventCursor(epoch: epoch, position: 3),
                "file's cursor"
            )
            try expectEqual(
                try await bench.store.cursor(of: "desktop@host"),
                EventCursor(epoch: "another", position: 1),
                "desktop's cursor"
            )
        },
        StoreCheck("parked events are kept for each sink, by position, each once") { bench in
            func parked(_ sink: String, _ position: Int64, _ reason: String) -> ParkedEvent {
                ParkedEvent(sink: sink, position: position, reason: reason, time: bench.now)
            }
            for event in [
                parked("hook", 9, "410 Gone"), parked("hook", 4, "too large"), parked("file", 4, "\u{0}odd"),
                parked("hook", 9, "404 Not Found"),
            ] { try await bench.store.park(event) }
            try expectEqual(
                try await bench.store.parkedEvents(of: "hook"),
                [parked("hook", 4, "too large"), parked("hook", 9, "404 Not Found")],
                "hook's events"
            )
            try expectEqual(
                try await bench.store.parkedEvents(of: "file"),
                [parked("file", 4, "\u{0}odd")],
                "file's events"
            )
            try expectEqual(try await bench.store.parkedEvents(of: "desktop"), [], "desktop's events")
        },
        StoreCheck("parked events are forgotten one by one, and all with their sink and its cursor") {
            bench in
            for (sink, position) in [("hook", 1), ("hook", 2), ("hook", 3), ("file", 2)] as [(String, Int64)]
            {
                try await bench.store.park(
                    ParkedEvent(sink: sink, position: position, reason: "odd", time: bench.now)
                )
                try await bench.store.saveCursor(EventCursor(epoch: "e", position: position), of: sink)
            }
            func positions(_ sink: String) async throws -> [Int64] {
                try await bench.store.parkedEvents(of: sink).map(\.position)
            }
            try await bench.store.unpark([2, 99], of: "hook")
            try expectEqual(try await positions("hook"), [1, 3], "hook's events without the second")
            try await bench.store.forgetSink("hook")
            try expectEqual(try await positions("hook"), [], "hook's events")
            try expectEqual(try await bench.store.cursor(of: "hook"), nil, "hook's cursor")
            try expectEqual(try await positions("file"), [2], "file's events")
            try expectEqual(try await bench.store.cursor(of: "file")?.position, 2, "file's cursor")
        },
        StoreCheck("cursors and parked events write no event") { bench in
            let kinds = try await bench.kindsOf {
                try await bench.store.saveCursor(EventCursor(epoch: "e", position: 1), of: "file")
                try await bench.store.park(
                    ParkedEvent(sink: "file", position: 1, reason: "", time: bench.now)
                )
            }
            try expectEqual(kinds, [], "the events")
        },
    ]
}
