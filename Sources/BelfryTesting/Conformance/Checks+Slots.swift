// What fits beside what: slots, named resources, the limits of groups and features.

import BelfryCore

extension StoreConformance {
    static let slots: [StoreCheck] = [
        StoreCheck("tasks take as many slots as they need, and a claim gives out no more than it has") {
            bench in
            try await bench.add(4) { $0.needs = TaskNeeds(slots: 2) }
            let claimed = try await bench.claim(needing: [TaskNeeds(slots: 2)], slots: 5)
            try expectEqual(claimed.map(\.task.number), [1, 2], "the tasks for 5 slots")
            try expectEqual(claimed.map(\.task.needs.slots), [2, 2], "what they need")
            let rest = try await bench.claim(needing: [TaskNeeds(slots: 2)], slots: 4)
            try expectEqual(rest.map(\.task.number), [3, 4], "the rest")
        },
        StoreCheck("a task that needs many slots is not passed by small ones behind it") { bench in
            try await bench.add(1)
            try await bench.add(1) { $0.needs = TaskNeeds(slots: 4) }
            try await bench.add(3)
            let needs = [TaskNeeds(), TaskNeeds(slots: 4)]
            try expectEqual(
                try await bench.claim(needing: needs, slots: 4).map(\.task.number),
                [1],
                "with 4 slots, of which the first takes one"
            )
            try expectEqual(try await bench.claim(needing: needs, slots: 3), [], "with 3 slots")
            try expectEqual(
                try await bench.claim(needing: needs, slots: 5).map(\.task.number),
                [2, 3],
                "with 5 slots"
            )
        },
        StoreCheck("a more urgent small task goes before a big one that waits") { bench in
            try await bench.add(1) { $0.needs = TaskNeeds(slots: 4) }
            try await bench.add(1) { $0.priority = 1 }
            let claimed = try await bench.claim(needing: [TaskNeeds(), TaskNeeds(slots: 4)], slots: 3)
            try expectEqual(claimed.map(\.task.number), [2], "the tasks")
        },
        StoreCheck("a resource is given out as far as it goes; what needs another or none goes on") { bench in
            let gpu = TaskNeeds(resources: ["gpu": 1])
            let memory = TaskNeeds(resources: ["memory": 8 << 30])
            try await bench.add(2) { $0.needs = gpu }
            try await bench.add(1) { $0.needs = memory }
            try await bench.add(1)
            let claimed = try await bench.claim(needing: [gpu, memory, TaskNeeds()], slots: 9) {
                $0.resources = ["gpu": 1, "memory": 8 << 30]
            }
            try expectEqual(claimed.map(\.task.number), [1, 3, 4], "one GPU and 8 GiB")
            try expectEqual(claimed.map(\.task.needs), [gpu, memory, TaskNeeds()], "what they need")
        },
        StoreCheck("of a resource that is not named there is nothing") { bench in
            let gpu = TaskNeeds(resources: ["gpu": 1])
            try await bench.add(1) { $0.needs = gpu }
            try expectEqual(try await bench.claim(needing: [gpu], slots: 9), [], "a claim without a GPU")
            let claimed = try await bench.claim(needing: [gpu], slots: 9) { $0.resources["gpu"] = 1 }
            try expectEqual(claimed.count, 1, "a claim with one")
        },
        StoreCheck("a task that waits for a resource is not passed by smaller ones that need it") { bench in
            let (large, small) = (TaskNeeds(resources: ["memory": 8]), TaskNeeds(resources: ["memory": 1]))
            try await bench.add(1) { $0.needs = large }
            try await bench.add(2) { $0.needs = small }
            try await bench.add(1)
            let first = try await bench.claim(needing: [large, small, TaskNeeds()], slots: 9) {
                $0.resources["memory"] = 7
            }
            try expectEqual(first.map(\.task.number), [4], "while 7 are free")
            let second = try await bench.claim(needing: [large, small, TaskNeeds()], slots: 9) {
                $0.resources["memory"] = 9
            }
            try expectEqual(second.map(\.task.number), [1, 2], "while 9 are free")
        },
        StoreCheck("a task that needs two resources gets both, though others that need one keep coming") {
            bench in
            let (gpu, memory) = (TaskNeeds(resources: ["gpu": 1]), TaskNeeds(resources: ["memory": 1]))
            let both = TaskNeeds(resources: ["gpu": 1, "memory": 1])
            let head = try await bench.addOne { $0.needs = both }
            try await bench.add(5) { $0.needs = gpu }
            try await bench.add(5) { $0.needs = memory }
            // Now the one is free, now the other.
            for free in ["memory", "gpu", "memory", "gpu"] {
                _ = try await bench.claim(needing: [gpu, memory, both], slots: 9) { $0.resources = [free: 1] }
            }
            let gpus = try await bench.running(needing: gpu)
            try expectEqual(gpus, 0, "the tasks that took the GPU from it")
            let last = try await bench.claim(needing: [gpu, memory, both], slots: 9) {
                $0.resources = ["gpu": 1, "memory": 1]
            }
            try expectEqual(last.map(\.task.id), [head.id], "what starts when both are free")
        },
        StoreCheck("a group's slots are its own limit, counted by what its tasks need") { bench in
            let two = TaskNeeds(slots: 2)
            try await bench.add(2) { $0.group = "night" }
            try await bench.add(3) { ($0.group, $0.needs) = ("night", two) }
            try await bench.add(2)
            let lanes = [
                Lane(group: "night", featureID: "paint"): 9,
                Lane(group: "night", featureID: "paint", needs: two): 9,
                Lane(group: "default", featureID: "paint"): 9,
            ]
            func claim(_ free: Int) async throws -> [Int64] {
                var request = bench.request(slots: 9, lanes: lanes)
                request.groups["night"] = free
                return try await bench.store.claim(request, at: bench.now).map(\.task.number)
            }
            try expectEqual(try await claim(3), [1, 2, 6, 7], "3 slots: the third needs two")
            try expectEqual(try await claim(1), [], "1 slot")
            try expectEqual(try await claim(3), [3], "3 slots: the first takes two")
            try expectEqual(try await claim(2), [4], "2 slots")
            try expectEqual(try await claim(0), [], "none")
        },
        StoreCheck("a group that is full holds up none of another group") { bench in
            try await bench.add(1) {
                $0.group = "night"
                $0.priority = 9
            }
            try await bench.add(1)
            var request = bench.request(
                slots: 9,
                lanes: [
                    Lane(group: "night", featureID: "paint"): 9,
                    Lane(group: "default", featureID: "paint"): 9,
                ]
            )
            request.groups["night"] = 0
            let claimed = try await bench.store.claim(request, at: bench.now)
            try expectEqual(claimed.map(\.task.number), [2], "the tasks")
        },
        StoreCheck("a feature's limit counts over all its lanes, and holds up no other feature") { bench in
            let gpu = TaskNeeds(resources: ["gpu": 1])
            try await bench.add(2)
            try await bench.add(2) { $0.needs = gpu }
            try await bench.add(2, "upscale")
            var request = bench.request(
                slots: 9,
                lanes: [
                    Lane(group: "default", featureID: "paint"): 9,
                    Lane(group: "default", featureID: "paint", needs: gpu): 9,
                    Lane(group: "default", featureID: "upscale"): 9,
                ]
            )
            request.resources["gpu"] = 9
            request.features["paint"] = 3
            let claimed = try await bench.store.claim(request, at: bench.now)
            try expectEqual(claimed.map(\.task.number), [1, 2, 3, 5, 6], "the tasks")
            request.features["paint"] = 0
            try expectEqual(try await bench.store.claim(request, at: bench.now), [], "with none free")
        },
        StoreCheck("needs come back as they were, also in the lanes of pending work, and after a restart") {
            bench in
            let needs = TaskNeeds(slots: 3, resources: ["gpu": 2, "memory": 8 << 30])
            let task = try await bench.addOne { $0.needs = needs }
            try expectEqual(try await bench.stored(task.id).needs, needs, "the needs")
            let reopened = try await bench.reopened()
            let lanes = try await reopened.store.pendingWork().lanes
            try expectEqual(lanes, [Lane(group: "default", featureID: "paint", needs: needs)], "the lanes")
            let claimed = try await reopened.claim(needing: [needs], slots: 3) {
                $0.resources = ["gpu": 2, "memory": 8 << 30]
            }
            try expectEqual(claimed.map(\.task.id), [task.id], "the claim")
        },
        StoreCheck("a clock that was set back makes nothing due, and nothing break") { bench in
            let late = try await bench.addOne {
                $0.notBefore = bench.now.adding(.seconds(10))
                $0.priority = 1
            }
            let other = try await bench.addOne("upscale")
            bench.clock.advance(by: .seconds(10))
            // Notices that the first one is due, and takes it not.
            let upscale = Lane(group: "default", featureID: "upscale")
            try expectEqual(
                try await bench.claim(1, lanes: [upscale: 1]).map(\.task.id),
                [other.id],
                "the other"
            )
            bench.clock.advance(by: .seconds(-5))
            let third = try await bench.addOne()
            try expectEqual(
                try await bench.claim(1).map(\.task.id),
                [third.id],
                "the claim at the earlier time"
            )
            bench.clock.advance(by: .seconds(5))
            try expectEqual(try await bench.claim(1).map(\.task.id), [late.id], "the claim in time")
        },
    ]

    static let turns: [StoreCheck] = [
        StoreCheck("without flows tasks of a priority start in the order of submission") { bench in
            try await bench.add(6)
            try expectEqual(try await bench.claim().map(\.task.number), [1, 2, 3, 4, 5, 6], "the numbers")
        },
        StoreCheck("flows take turns, however many tasks one of them has") { bench in
            try await bench.add(flow: "ada", 4)
            try await bench.add(flow: "bob", 2)
            try await bench.add(flow: "eve", 1)
            try expectEqual(
                try await bench.flows(7),
                ["ada", "bob", "eve", "ada", "bob", "ada", "ada"],
                "the turns"
            )
        },
        StoreCheck(
            "a flow that comes late waits for its turn and not for the whole queue, and has saved up none"
        ) {
            bench in
            try await bench.add(flow: "ada", 6)
            try expectEqual(try await bench.flows(3), ["ada", "ada", "ada"], "the first")
            try await bench.add(flow: "bob", 3)
            try expectEqual(try await bench.flows(6), ["ada", "bob", "ada", "bob", "ada", "bob"], "the rest")
        },
        StoreCheck("turns count within a priority and a lane only") { bench in
            try await bench.add(flow: "ada", 2)
            try await bench.add(flow: "bob", 2) { $0.priority = 1 }
            try await bench.add(flow: "ada", 1) { $0.priority = 1 }
            try await bench.add(flow: "bob", 1)
            try expectEqual(
                try await bench.flows(6),
                ["bob", "ada", "bob", "ada", "bob", "ada"],
                "the turns"
            )
        },
        StoreCheck("an interrupted task keeps its turn, and flow and turn outlast a restart") { bench in
            try await bench.add(flow: "ada", 2)
            try await bench.add(flow: "bob", 1)
            let first = try await bench.claimOne()
            try await bench.settle(first.claim, .interrupted)
            let reopened = try await bench.reopened()
            try expectEqual(try await reopened.stored(first.task.id).flow, "ada", "the flow")
            try expectEqual(try await reopened.claim().map(\.task.number), [1, 3, 2], "the numbers")
        },
        StoreCheck(
            "a task that is put first comes before all others of its lane and priority, the newest first"
        ) {
            bench in
            let later = bench.now.adding(.seconds(5))
            let tasks = try await bench.add(3)
            let delayed = try await bench.addOne { $0.notBefore = later }
            try await bench.add(1) { $0.priority = 1 }
            for id in [delayed.id, tasks[1].id, tasks[2].id] { try await bench.putFirst(id) }
            bench.clock.advance(by: .seconds(5))
            try expectEqual(try await bench.claim().map(\.task.number), [5, 3, 2, 4, 1], "the numbers")
        },
        StoreCheck("a task that was put first gives no flow an advantage") { bench in
            let ada = try await bench.add(flow: "ada", 4)
            try expectEqual(try await bench.flows(2), ["ada", "ada"], "the first")
            try await bench.putFirst(ada[3].id)
            try await bench.add(flow: "bob", 3)
            try expectEqual(try await bench.flows(5), ["ada", "ada", "bob", "bob", "bob"], "the rest")
        },
    ]
}

extension StoreBench {
    func request(slots: Int, lanes: [Lane: Int]) -> ClaimRequest {
        ClaimRequest(worker: StoreBench.worker, lease: lease(), slots: slots, lanes: lanes)
    }

    /// Claims from the lanes of `paint` with these needs.
    func claim(
        needing needs: [TaskNeeds],
        slots: Int,
        change: (inout ClaimRequest) -> Void = { _ in }
    ) async throws -> [ClaimedTask] {
        let lanes = needs.map { (Lane(group: "default", featureID: "paint", needs: $0), 9) }
        var request = request(slots: slots, lanes: Dictionary(uniqueKeysWithValues: lanes))
        change(&request)
        return try await store.claim(request, at: now)
    }

    fileprivate func running(needing needs: TaskNeeds) async throws -> Int {
        var query = TaskQuery()
        query.statuses = [.processing]
        return try await store.tasks(query).tasks.count { $0.needs == needs }
    }

    @discardableResult
    fileprivate func add(flow: String, _ count: Int, change: (inout NewTask) -> Void = { _ in }) async throws
        -> [BackgroundTask]
    {
        var tasks: [BackgroundTask] = []
        for _ in 0..<count {
            var submission = submission(change: change)
            submission.flow = flow
            tasks += try await store.add([submission], batch: nil, at: now).map(\.task)
        }
        return tasks
    }

    /// The flows of the next `count` tasks, claimed one by one.
    fileprivate func flows(_ count: Int) async throws -> [String?] {
        var flows: [String?] = []
        for _ in 0..<count { flows.append(try await claimOne().task.flow) }
        return flows
    }

    fileprivate func putFirst(_ id: TaskID) async throws {
        var edit = TaskEdit()
        edit.isFirst = true
        _ = try await store.edit(id, edit, at: now)
    }
}
