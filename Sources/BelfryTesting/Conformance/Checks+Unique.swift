// Tasks that must not be there twice.

import BelfryCore

extension StoreConformance {
    static let uniqueness: [StoreCheck] = [
        StoreCheck("a task that is there is not accepted twice, and nothing of the submission is") { bench in
            let first = try await bench.addOne { $0.unique = UniqueRule() }
            let kinds = try await bench.kindsOf {
                try await expectRefusal("the second", \.isConflict) {
                    try await bench.add(1, "upscale")
                    _ = try await bench.store.add(
                        [bench.submission("resize"), bench.unique()],
                        batch: nil,
                        at: bench.now
                    )
                }
            }
            try expectEqual(kinds, [.added], "the events: of the one beside it")
            let left = try await bench.store.tasks(TaskQuery()).tasks.map(\.featureID)
            try expectEqual(left, ["upscale", first.featureID], "the features of the tasks")
        },
        StoreCheck("tasks are the same by feature, user and params, in whatever order these are written") {
            bench in
            try await bench.add(1) {
                $0.unique = UniqueRule()
                $0.params = ["a": 1, "b": ["c": 2, "d": 3]]
            }
            try await expectRefusal("the same in another order", \.isConflict) {
                try await bench.addOne {
                    $0.unique = UniqueRule()
                    $0.params = ["b": ["d": 3, "c": 2], "a": 1]
                }
            }
            let others: [(String, (inout NewTask) -> Void)] = [
                ("paint", { $0.params = ["a": 1, "b": ["c": 2, "d": 4]] }),
                ("paint", { ($0.userID, $0.params) = ("ada", ["a": 1, "b": ["c": 2, "d": 3]]) }),
                ("upscale", { $0.params = ["a": 1, "b": ["c": 2, "d": 3]] }),
            ]
            for (feature, change) in others {
                _ = try await bench.addOne(feature) {
                    $0.unique = UniqueRule()
                    change(&$0)
                }
            }
            try expectEqual(try await bench.store.status().counts[.pending], 4, "the tasks")
        },
        StoreCheck("only the chosen params count; one that is missing is as good as any other that is") {
            bench in
            func add(_ params: JSONValue) async throws {
                try await bench.add(1) { new in
                    var rule = UniqueRule()
                    rule.params = ["url", "size"]
                    (new.unique, new.params) = (rule, params)
                }
            }
            try await add(["url": "a", "title": "x"])
            try await expectRefusal("another title", \.isConflict) {
                try await add(["url": "a", "title": "y"])
            }
            try await add(["url": "a", "size": 1])
            try await add(["url": "b"])
        },
        StoreCheck("keep answers with the task that is there, as it is now") { bench in
            let claimed = try await bench.running { $0.unique = UniqueRule() }
            let kinds = try await bench.kindsOf {
                let answer = try await bench.store.add([bench.unique(.keep)], batch: nil, at: bench.now)
                try expectEqual(answer, [AddedTask(task: claimed.task, isNew: false)], "the answer")
            }
            try expectEqual(kinds, [], "the events")
        },
        StoreCheck("what comes after a task that was kept comes after the one that is there") { bench in
            let there = try await bench.addOne { $0.unique = UniqueRule() }
            let build = bench.unique(.keep)
            let deploy = bench.submission { $0.after = [build.id] }
            let added = try await bench.store.add([deploy, build], batch: nil, at: bench.now)
            try expectEqual(added.map(\.isNew), [true, false], "isNew")
            try expectEqual(try await bench.edges(of: added[0].task).map(\.id), [there.id], "the edge")
            try await bench.complete(bench.claimOne())
            try expectEqual(try await bench.claim().map(\.task.id), [deploy.id], "what can start")
        },
        StoreCheck("replace cancels what waits and tells what runs to stop; the new one is accepted") {
            bench in
            let waiting = try await bench.addOne { $0.unique = UniqueRule() }
            var added: [AddedTask] = []
            let kinds = try await bench.kindsOf {
                added = try await bench.store.add([bench.unique(.replace)], batch: nil, at: bench.now)
            }
            try expectEqual(kinds, [.cancelled, .added], "the events")
            try expectEqual(added.map(\.stopping), [[]], "what is to be stopped")
            try expectEqual(try await bench.stored(waiting.id).status, .cancelled, "the one that waited")
            let claimed = try await bench.claimOne()
            try expectEqual(claimed.task.id, added[0].task.id, "what can start")
            let again = try await bench.kindsOf {
                let after = try await bench.store.add([bench.unique(.replace)], batch: nil, at: bench.now)
                try expectEqual(after.map(\.stopping), [[claimed.task.id]], "what is to be stopped")
            }
            try expectEqual(again, [.cancelRequested, .added], "the events while it runs")
            try expectEqual(try await bench.stored(claimed.task.id).isCancelRequested, true, "told to stop")
        },
        StoreCheck("replace takes the place of all that are there, and of each once") { bench in
            let onlyRunning: (inout UniqueRule) -> Void = { $0.statuses = [.processing] }
            let both = [bench.unique(change: onlyRunning), bench.unique(change: onlyRunning)]
            for task in both { _ = try await bench.store.add([task], batch: nil, at: bench.now) }
            let kinds = try await bench.kindsOf {
                _ = try await bench.store.add([bench.unique(.replace)], batch: nil, at: bench.now)
            }
            try expectEqual(kinds, [.cancelled, .cancelled, .added], "the events")
            let claimed = try await bench.claimOne()
            let twice = [
                bench.unique(.replace, change: onlyRunning), bench.unique(.replace, change: onlyRunning),
            ]
            let second = try await bench.kindsOf {
                _ = try await bench.store.add(twice, batch: nil, at: bench.now)
            }
            try expectEqual(second, [.cancelRequested, .added, .added], "the events of two at once")
            try expectEqual(
                try await bench.stored(claimed.task.id).revision,
                3,
                "the revision of the running one"
            )
        },
        StoreCheck("what is kept and then replaced in one submission is answered as it is afterwards") {
            bench in
            let there = try await bench.addOne { $0.unique = UniqueRule() }
            let both = [bench.unique(.keep), bench.unique(.replace)]
            let added = try await bench.store.add(both, batch: nil, at: bench.now)
            try expectEqual(added.map(\.isNew), [false, true], "what is new")
            try expectEqual(added[0].task, try await bench.stored(there.id), "the answer")
            try expectEqual(added[0].task.status, .cancelled, "its status")
        },
        StoreCheck(
            "what comes after the task that it replaces is refused, unless it runs whatever became of it"
        ) {
            bench in
            let there = try await bench.addOne { $0.unique = UniqueRule() }
            var task = bench.unique(.replace)
            task.new.after = [there.id]
            let kinds = try await bench.kindsOf {
                try await expectRefusal("the replacement", \.isDependency) {
                    try await bench.store.add([task], batch: nil, at: bench.now)
                }
            }
            try expectEqual(kinds, [], "the events")
            task.new.options.onDependencyFailure = .run
            _ = try await bench.store.add([task], batch: nil, at: bench.now)
            try expectEqual(try await bench.claim().map(\.task.id), [task.id], "what can start")
        },
        StoreCheck(
            "what comes after a task that falls with a replaced one fails with it, and nobody waits for ever"
        ) { bench in
            let there = try await bench.addOne { $0.unique = UniqueRule() }
            let behind = try await bench.add(after: [there])
            let first = bench.submission { $0.after = [behind.id] }
            let second = bench.submission { $0.after = [first.id] }
            let tasks = [bench.unique(.replace), first, second]
            let added = try await bench.store.add(tasks, batch: nil, at: bench.now)
            try expectEqual(added.map(\.task.status), [.pending, .failed, .failed], "the statuses")
            for answer in added {
                try expectEqual(
                    try await bench.stored(answer.task.id),
                    answer.task,
                    "the task that is stored"
                )
            }
            try expectEqual(added[2].task.error?.code, "dependency_failed", "the error")
        },
        StoreCheck("a task that is finished stands in nobody's way, unless the rule says so") { bench in
            _ = try await bench.completed { $0.unique = UniqueRule() }
            var rule = UniqueRule()
            rule.statuses = [.completed]
            try await expectRefusal("with a rule about completed ones", \.isConflict) {
                try await bench.addOne { $0.unique = rule }
            }
            rule.onConflict = .replace
            let kinds = try await bench.kindsOf { _ = try await bench.addOne { $0.unique = rule } }
            try expectEqual(kinds, [.added], "the events of a replacement: what is finished stays")
            try expectEqual(try await bench.store.status().counts[.completed], 1, "the completed task")
        },
        StoreCheck("an old task counts for as long as the rule's period, from its submission on") { bench in
            var rule = UniqueRule()
            rule.period = .seconds(60)
            try await bench.add(1) { $0.unique = rule }
            bench.clock.advance(by: .milliseconds(59_999))
            try await expectRefusal("within the period", \.isConflict) {
                try await bench.addOne { $0.unique = rule }
            }
            bench.clock.advance(by: .milliseconds(1))
            _ = try await bench.addOne { $0.unique = rule }
        },
        StoreCheck("within one submission the second is kept or refused, also when it would replace") {
            bench in
            let rules: [UniqueRule.Conflict] = [.reject, .replace]
            for rule in rules {
                try await expectRefusal("two with \(rule)", \.isConflict) {
                    try await bench.store.add(
                        [bench.unique(rule), bench.unique(rule)],
                        batch: nil,
                        at: bench.now
                    )
                }
            }
            try expectEqual(try await bench.store.status().newest, 0, "the events")
            let both = [bench.unique(.keep), bench.unique(.keep)]
            let added = try await bench.store.add(both, batch: nil, at: bench.now)
            try expectEqual(added.map(\.isNew), [true, false], "isNew")
            try expectEqual(Set(added.map(\.task.id)), [both[0].id], "the task")
        },
        StoreCheck("a retry obeys the unique rule as a submission does, and names the task in its way") {
            bench in
            let first = try await bench.addOne { $0.unique = UniqueRule() }
            _ = try await bench.store.requestCancel(first.id, at: bench.now)
            let second = try await bench.addOne { $0.unique = UniqueRule() }
            let kinds = try await bench.kindsOf {
                try await expectRefusal(
                    "the retry",
                    { $0.isConflict && "\($0)".contains("#\(second.number).") }
                ) {
                    try await bench.retry(first)
                }
            }
            try expectEqual(kinds, [], "the events")
            _ = try await bench.store.requestCancel(second.id, at: bench.now)
            try expectEqual(try await bench.retry(first).status, .pending, "the status when it is alone")
            try await expectRefusal("a submission beside it", \.isConflict) {
                try await bench.addOne { $0.unique = UniqueRule() }
            }
        },
        StoreCheck("a retry goes by its rule's statuses and period, also after a restart") { bench in
            var rule = UniqueRule()
            rule.statuses = [.completed]
            rule.period = .seconds(60)
            let first = try await bench.addOne { $0.unique = rule }
            _ = try await bench.store.requestCancel(first.id, at: bench.now)
            _ = try await bench.completed { $0.unique = rule }
            let reopened = try await bench.reopened()
            try await expectRefusal("the retry", \.isConflict) { try await reopened.retry(first) }
            bench.clock.advance(by: .seconds(60))
            try expectEqual(try await reopened.retry(first).status, .pending, "the status later")
        },
        StoreCheck("what came after a retried task stays as it is while another does the same") { bench in
            let first = try await bench.running()
            let second = try await bench.add(after: [first.task]) {
                ($0.unique, $0.params) = (UniqueRule(), ["prompt": "a pier"])
            }
            try await bench.fail(first)
            _ = try await bench.addOne { ($0.unique, $0.params) = (UniqueRule(), ["prompt": "a pier"]) }
            try await bench.retry(first.task)
            try expectEqual(try await bench.stored(second.id).status, .failed, "the one behind it")
        },
        StoreCheck("an edit of params gives another unique key, which must be free") { bench in
            let other: JSONValue = ["prompt": "a pier"]
            let first = try await bench.addOne { $0.unique = UniqueRule() }
            _ = try await bench.addOne { ($0.unique, $0.params) = (UniqueRule(), other) }
            var edit = TaskEdit()
            edit.params = other
            let kinds = try await bench.kindsOf {
                try await expectRefusal("the edit", \.isConflict) {
                    try await bench.store.edit(first.id, edit, at: bench.now)
                }
            }
            try expectEqual(kinds, [], "the events")
            try expectEqual(try await bench.stored(first.id), first, "the task")
            edit.params = ["prompt": "a dune"]
            let edited = try await bench.store.edit(first.id, edit, at: bench.now)
            try expectEqual(try await bench.stored(first.id), edited, "what is stored")
            try await expectRefusal("what it has become", \.isConflict) {
                try await bench.addOne { ($0.unique, $0.params) = (UniqueRule(), ["prompt": "a dune"]) }
            }
            _ = try await bench.addOne { $0.unique = UniqueRule() }
        },
        StoreCheck("a repeat by id is a repeat, whatever a unique rule would say") { bench in
            let task = bench.unique()
            _ = try await bench.store.add([task], batch: nil, at: bench.now)
            let again = try await bench.store.add([task], batch: nil, at: bench.now)
            try expectEqual(again.map(\.isNew), [false], "isNew")
        },
        StoreCheck("what must be unique is so over a restart, and no longer when it was cleared") { bench in
            var rule = UniqueRule()
            rule.statuses = [.completed]
            _ = try await bench.completed { $0.unique = rule }
            let reopened = try await bench.reopened()
            try await expectRefusal("after the restart", \.isConflict) {
                try await reopened.addOne { $0.unique = rule }
            }
            _ = try await reopened.store.clear(ClearFilter(), at: reopened.now)
            _ = try await reopened.addOne { $0.unique = rule }
        },
        StoreCheck("an old one that waits still counts behind many that are finished") { bench in
            let old = try await bench.addOne {
                $0.unique = UniqueRule()
                $0.isStashed = true
            }
            for _ in 0..<120 {
                let task = bench.unique { $0.statuses = [.failed] }
                _ = try await bench.store.add([task], batch: nil, at: bench.now)
                _ = try await bench.store.requestCancel(task.id, at: bench.now)
            }
            let added = try await bench.store.add([bench.unique(.keep)], batch: nil, at: bench.now)
            try expectEqual(added.map(\.task.id), [old.id], "the one that is kept")
        },
    ]
}

extension StoreBench {
    /// A submission that must not be there twice.
    fileprivate func unique(
        _ onConflict: UniqueRule.Conflict = .reject,
        change: (inout UniqueRule) -> Void = { _ in }
    ) -> AcceptedTask {
        submission { new in
            var rule = UniqueRule()
            rule.onConflict = onConflict
            change(&rule)
            new.unique = rule
        }
    }
}
