// Accepting tasks: numbers, events, repeats, conflicts, and values that must come back as they went in.

import BelfryCore

extension StoreConformance {
    static let submission: [StoreCheck] = [
        StoreCheck("a new store is empty, its log begins before position 1") { bench in
            let status = try await bench.store.status()
            try expectEqual(status.newest, 0, "the newest position")
            try expectEqual(status.oldest, 1, "the oldest position")
            try expectEqual(status.counts.values.reduce(0, +), 0, "the number of tasks")
            try expect(!status.epoch.isEmpty, "a log has an epoch")
            try expect(!status.wasUnclean, "a new store had no owner before")
            try expectEqual(try await bench.store.tasks(TaskQuery()).tasks, [], "the tasks")
            try expectEqual(try await bench.events(), [], "the events")
            try expectEqual(
                try await bench.store.pendingWork(),
                PendingWork(lanes: [], nextDue: nil),
                "the pending work"
            )
        },
        StoreCheck("tasks are numbered 1, 2, 3… in the order of submission") { bench in
            let first = try await bench.add(3)
            let second = try await bench.add(2)
            try expectEqual((first + second).map(\.number), [1, 2, 3, 4, 5], "the numbers")
        },
        StoreCheck("an accepted task is found by id and by number, as it was returned") { bench in
            let task = try await bench.addOne()
            try expectEqual(try await bench.store.task(task.id), task, "the task by its id")
            try expectEqual(try await bench.store.task(number: task.number), task, "the task by its number")
            try expectEqual(task.status, .pending, "its status")
            try expectEqual(task.createdAt, bench.now, "createdAt")
            try expectEqual(task.revision, 1, "its revision")
        },
        StoreCheck("what is not there is nil") { bench in
            let id = bench.ids.taskID(at: bench.now)
            try expectEqual(try await bench.store.task(id), nil, "an unknown id")
            try expectEqual(try await bench.store.task(number: 99), nil, "an unknown number")
            try expectEqual(
                try await bench.store.batch(bench.ids.batchID(at: bench.now)),
                nil,
                "an unknown batch"
            )
            try expectEqual(try await bench.store.attempts(of: id), [], "the attempts of an unknown task")
        },
        StoreCheck("each task has its task.added event, in the same order, at dense positions") { bench in
            let tasks = try await bench.add(5)
            let events = try await bench.events()
            try expectEqual(events.map(\.kind), Array(repeating: .added, count: 5), "the kinds")
            try expectEqual(events.map(\.position), [1, 2, 3, 4, 5], "the positions")
            try expectEqual(events.compactMap(\.task), tasks.map { TaskSummary($0) }, "the summaries")
            try expectEqual(Set(events.map(\.time)), [bench.now], "the times")
        },
        StoreCheck("adding nothing changes nothing") { bench in
            try expectEqual(try await bench.store.add([], batch: nil, at: bench.now), [], "what was added")
            try expectEqual(try await bench.store.status().newest, 0, "the newest position")
        },
        StoreCheck("a conflict anywhere in a submission stores none of it") { bench in
            let taken = try await bench.addOne()
            let other = bench.submission(id: taken.id) { $0.params = ["prompt": "something else"] }
            let batch = TaskBatch(
                id: bench.ids.batchID(at: bench.now),
                title: "",
                total: 3,
                createdAt: bench.now
            )
            let events = try await bench.events()
            try await expectRefusal("a batch with a conflict", \.isConflict) {
                try await bench.store.add(
                    [bench.submission(), other, bench.submission()],
                    batch: batch,
                    at: bench.now
                )
            }
            try expectEqual(try await bench.store.tasks(TaskQuery()).tasks, [taken], "the tasks")
            try expectEqual(try await bench.store.batch(batch.id), nil, "the batch")
            try expectEqual(try await bench.events(), events, "the events")
            try expectEqual(try await bench.addOne().number, 2, "the next number")
        },
        StoreCheck("each change that writes events is signalled, a refusal, a read and a cursor are not") {
            bench in
            let task = try await bench.addOne()
            let afterAdd = bench.signals.count
            try expect(afterAdd > 0, "adding was not signalled")
            try await expectRefusal("a retry of a pending task", \.isRefused) {
                try await bench.store.retry(task.id, attempts: 1, context: nil, at: bench.now)
            }
            _ = try await bench.events()
            try await bench.store.saveCursor(EventCursor(epoch: "e", position: 1), of: "file")
            try expectEqual(bench.signals.count, afterAdd, "signals after what wrote no event")
            try await bench.complete(bench.claimOne())
            try expect(bench.signals.count > afterAdd, "claiming and completing were not signalled")
        },
    ]

    static let idempotency: [StoreCheck] = [
        StoreCheck("the same submission again is answered with the stored task and writes no event") {
            bench in
            let submission = bench.submission()
            let first = try await bench.store.add([submission], batch: nil, at: bench.now)
            bench.clock.advance(by: .seconds(5))
            let kinds = try await bench.kindsOf {
                let again = try await bench.store.add([submission], batch: nil, at: bench.now)
                try expectEqual(
                    again,
                    [AddedTask(task: first[0].task, isNew: false)],
                    "the answer to the repeat"
                )
            }
            try expectEqual(first.map(\.isNew), [true], "isNew of the first")
            try expectEqual(kinds, [], "the repeat's events")
        },
        StoreCheck("a repeat finds the task as it is by now") { bench in
            let submission = bench.submission()
            _ = try await bench.store.add([submission], batch: nil, at: bench.now)
            let done = try await bench.complete(bench.claimOne())
            let again = try await bench.store.add([submission], batch: nil, at: bench.now)
            try expectEqual(again, [AddedTask(task: done, isNew: false)], "the answer to the repeat")
        },
        StoreCheck("a submission with a known idempotency key is a repeat, whatever its id") { bench in
            let task = try await bench.addOne { $0.idempotencyKey = "order-7" }
            let again = bench.submission { $0.idempotencyKey = "order-7" }
            let added = try await bench.store.add([again], batch: nil, at: bench.now)
            try expectEqual(added, [AddedTask(task: task, isNew: false)], "the answer to the repeat")
            try expectEqual(try await bench.store.task(again.id), nil, "the id of the repeat")
        },
        StoreCheck("an idempotency key is each user's own") { bench in
            let mine = try await bench.addOne { $0.idempotencyKey = "order-7" }
            let theirs = try await bench.addOne {
                $0.idempotencyKey = "order-7"
                $0.userID = "ada"
            }
            try expectEqual([mine.number, theirs.number], [1, 2], "the numbers")
        },
        StoreCheck("an id or a key that another submission has is a conflict") { bench in
            let task = try await bench.addOne { $0.idempotencyKey = "order-7" }
            try await expectRefusal("the id with other params", \.isConflict) {
                let other = bench.submission(id: task.id) { $0.params = [:] }
                return try await bench.store.add([other], batch: nil, at: bench.now)
            }
            try await expectRefusal("the key with another feature", \.isConflict) {
                let other = bench.submission("upscale") { $0.idempotencyKey = "order-7" }
                return try await bench.store.add([other], batch: nil, at: bench.now)
            }
        },
        StoreCheck("a repeat within one submission is one task") { bench in
            let submission = bench.submission { $0.idempotencyKey = "twice" }
            let sameKey = bench.submission { $0.idempotencyKey = "twice" }
            let added = try await bench.store.add(
                [submission, submission, sameKey],
                batch: nil,
                at: bench.now
            )
            try expectEqual(added.map(\.isNew), [true, false, false], "isNew")
            try expectEqual(Set(added.map(\.task.number)), [1], "the numbers")
            try expectEqual(try await bench.events().count, 1, "the number of events")
        },
        StoreCheck("fractions without a fraction are still a repeat when they come back from the store") {
            bench in
            let submission = bench.submission {
                $0.params = [
                    "cfg": .double(7), "scale": 0.1, "big": 1e300, "steps": 20, "offset": .double(-0.0),
                ]
            }
            _ = try await bench.store.add([submission], batch: nil, at: bench.now)
            let again = try await bench.store.add([submission], batch: nil, at: bench.now)
            try expectEqual(again.map(\.isNew), [false], "isNew of the repeat")
        },
        StoreCheck("the order of keys does not matter to a repeat, their spelling in Unicode does") { bench in
            let id = bench.ids.taskID(at: bench.now)
            let first = bench.submission(id: id) { $0.params = ["a": "caf\u{E9}", "b": 2] }
            let reordered = bench.submission(id: id) { $0.params = ["b": 2, "a": "caf\u{E9}"] }
            let decomposed = bench.submission(id: id) { $0.params = ["a": "cafe\u{301}", "b": 2] }
            _ = try await bench.store.add([first], batch: nil, at: bench.now)
            let again = try await bench.store.add([reordered], batch: nil, at: bench.now)
            try expectEqual(again.map(\.isNew), [false], "isNew with other key order")
            try await expectRefusal("another file name that looks the same", \.isConflict) {
                try await bench.store.add([decomposed], batch: nil, at: bench.now)
            }
        },
    ]

    static let values: [StoreCheck] = [
        StoreCheck("everything in a submission comes back") { bench in
            let task = try await bench.addOne { new in
                new.title = "Ein Leuchtturm \u{1F5FC} im Sturm"
                new.userID = "ada"
                new.origin = "org.gnome.Photos"
                new.notify = .outcome
                new.labels = ["night", "série 2", "a,b \"c\""]
                new.priority = -3
                new.group = "gpu"
                new.notBefore = bench.now.adding(.seconds(60))
                new.maxAttempts = 4
                new.onInterrupt = .fail
                new.uniqueKey = "digest"
                new.idempotencyKey = "key"
            }
            var expected = bench.submission().new
            expected.title = "Ein Leuchtturm \u{1F5FC} im Sturm"
            (expected.userID, expected.origin, expected.notify) = ("ada", "org.gnome.Photos", .outcome)
            (expected.labels, expected.priority, expected.group) = (
                ["night", "série 2", "a,b \"c\""], -3, "gpu"
            )
            (expected.notBefore, expected.maxAttempts) = (bench.now.adding(.seconds(60)), 4)
            (expected.onInterrupt, expected.uniqueKey, expected.idempotencyKey) = (.fail, "digest", "key")
            let whole = BackgroundTask(expected, id: task.id, number: 1, at: bench.now)
            try expectEqual(try await bench.stored(task.id), whole, "the stored task")
        },
        StoreCheck("text comes back byte for byte: NUL, control characters, every plane, no normalization") {
            bench in
            let text =
                "a\u{0}b\u{1B}[31m\u{7F}\u{85}\u{2028}\u{FEFF}\u{FFFD}\u{10FFFF} e\u{301} \u{E9} '\"\\\r\n\t\u{202E}"
            let task = try await bench.addOne { new in
                new.title = text
                new.labels = [text]
                new.params = ["text": .string(text), text: "as a key"]
            }
            let stored = try await bench.stored(task.id)
            try expectEqual(Array(stored.title.utf8), Array(text.utf8), "the title")
            try expectEqual(stored.labels.map { Array($0.utf8) }, [Array(text.utf8)], "the label")
            try expectEqual(
                stored.params["text"]?.string.map { Array($0.utf8) },
                Array(text.utf8),
                "the param"
            )
            try expectEqual(
                stored.params.object?.keys.last.map { Array($0.utf8) },
                Array(text.utf8),
                "the key"
            )
            try await checkOutcomeText(text, bench)
        },
        StoreCheck("1 MiB of params come back, and cost the events nothing") { bench in
            let text = String(repeating: "0123456789abcde\n", count: 60_000)
            let task = try await bench.addOne { $0.params = ["text": .string(text)] }
            try expectEqual(try await bench.stored(task.id).params["text"]?.string, text, "the param")
            let page = try await bench.store.events(after: 0, limit: 10)
            try expect(page.events.allSatisfy { $0.json.count <= 4096 }, "an event is larger than 4 KiB")
        },
        StoreCheck("params come back as the JSON they were: order, large and small numbers, empty things") {
            bench in
            let params: JSONValue = [
                "z": 1, "a": [nil, true, false, [], [:], ""], "max": .int(.max), "min": .int(.min),
                "tiny": .double(.leastNonzeroMagnitude), "third": 0.1, "nested": ["b": ["c": ["d": nil]]],
            ]
            let task = try await bench.addOne { $0.params = params }
            try expectEqual(try await bench.stored(task.id).params.text, params.text, "the params as text")
        },
    ]

    /// Message, failure and result go other ways than the submission.
    private static func checkOutcomeText(_ text: String, _ bench: StoreBench) async throws {
        let claimed = try await bench.claimOne()
        _ = try await bench.store.saveProgress(
            [ProgressValue(claim: claimed.claim, percent: 5, message: text)],
            at: bench.now
        )
        let message = try await bench.stored(claimed.task.id).message
        try expectEqual(message.map { Array($0.utf8) }, Array(text.utf8), "the message")
        let failure = TaskFailure("code", text, fix: text, isRetryable: true, logTail: text)
        try await bench.settle(claimed.claim, .failed(failure, retryAfter: .zero))
        let stored = try await bench.stored(claimed.task.id)
        try expectEqual(
            stored.error?.message.utf8.count,
            stored.error?.logTail?.utf8.count,
            "lengths in the error"
        )
        try expectEqual(stored.error?.logTail.map { Array($0.utf8) }, Array(text.utf8), "the log's tail")
    }
}
