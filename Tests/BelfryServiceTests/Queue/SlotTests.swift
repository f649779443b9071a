// Who runs when there is not room for all: slots, resources, devices, groups, turns.

import BelfryCore
import BelfryService
import BelfryTesting
import Synchronization
import Testing

@Suite("Slots and groups", .timeLimit(.minutes(1)))
struct SlotTests {
    /// A feature that runs until its gate opens, and tells its environment.
    private func gated(_ id: String, _ gate: Gate, concurrency: Int? = nil) -> ClosureFeature {
        ClosureFeature(id, concurrency: concurrency) { _, context in
            try await gate.wait()
            let devices = context.deviceEnvironment.map { "\($0.key)=\($0.value)" }.sorted()
            return TaskResult(value: .array(devices.map { .string($0) }))
        }
    }

    @Test("two tasks that need the only GPU run one after the other, and one that does not runs beside them")
    func resource() async throws {
        let gate = Gate()
        try await Harness.run(features: [gated("paint", gate)], concurrency: 4) { hub in
            let first = try await hub.add("paint") { $0.needs = TaskNeeds(resources: ["gpu": 1]) }
            let second = try await hub.add("paint") { $0.needs = TaskNeeds(resources: ["gpu": 1]) }
            let other = try await hub.add("paint")
            try await hub.event(.started, of: other.id)
            #expect(try await hub.service.task(first.id)?.status == .processing)
            let waiting = try #require(try await hub.service.task(second.id))
            #expect(waiting.status == .pending)
            let reason = try await hub.service.waitReasons(of: [waiting])[second.id]
            #expect(reason == WaitReason(.resource, "needs gpu=1: #1 has it"))
            gate.open()
            try await hub.event(.completed, of: second.id)
        }
    }

    @Test("each task gets devices of its own, and gives them back")
    func devices() async throws {
        let gate = Gate()
        var configuration = TaskWorker.Configuration()
        let cards = Capacity.Devices(names: ["0", "1"], variables: ["CUDA_VISIBLE_DEVICES"])
        configuration.capacity.setDevices(cards, of: "gpu")
        configuration.concurrency = 4
        try await Harness.run(features: [gated("paint", gate)], configuration: configuration) { hub in
            var ids: [TaskID] = []
            for _ in 0..<3 {
                ids.append(try await hub.add("paint") { $0.needs = TaskNeeds(resources: ["gpu": 1]) }.id)
            }
            try await hub.event(.started, of: ids[1])
            gate.open()
            for id in ids { try await hub.event(.completed, of: id) }
            var seen: [String] = []
            for id in ids {
                let value = try await hub.service.task(id)?.result?.value
                seen.append(value?.array?.first?.string ?? "none")
            }
            #expect(Set(seen[..<2]) == ["CUDA_VISIBLE_DEVICES=0", "CUDA_VISIBLE_DEVICES=1"])
            #expect(seen[2].hasPrefix("CUDA_VISIBLE_DEVICES="))
        }
    }

    @Test("a task that takes two slots waits until two are free, and nothing passes it")
    func weight() async throws {
        let gate = Gate()
        let features = [gated("long", gate), ClosureFeature("quick")]
        try await Harness.run(features: features, concurrency: 2) { hub in
            let first = try await hub.add("long")
            try await hub.event(.started, of: first.id)
            let wide = try await hub.add("quick") { $0.needs = TaskNeeds(slots: 2) }
            let later = try await hub.add("quick")
            let reasons = try await hub.service.waitReasons(of: [wide, later])
            #expect(reasons[wide.id]?.kind == .slots)
            gate.open()
            let events = try await hub.events { $0.kind == .completed && $0.taskID == later.id }
            let started = events.filter { $0.kind == .started }.compactMap(\.taskID)
            #expect(started == [first.id, wide.id, later.id])
        }
    }

    @Test("what could never run here is refused at submission, with what there is")
    func lack() async throws {
        try await Harness.run(features: [ClosureFeature("paint")]) { hub in
            for needs in [
                TaskNeeds(slots: 3), TaskNeeds(resources: ["gpu": 2]), TaskNeeds(resources: ["license": 1]),
            ] {
                let error = await #expect(throws: BelfryError.self) {
                    try await hub.add("paint") { $0.needs = needs }
                }
                #expect(error?.pointer == "/needs")
            }
        }
    }

    @Test("of a time and a span the later start and the earlier deadline hold, in an edit as in a submission")
    func times() async throws {
        let wall = ManualWallClock()
        let start = wall.now
        @Sendable func later(_ seconds: Int) -> Timestamp { start.adding(.seconds(seconds)) }
        try await Harness.run(features: [ClosureFeature("paint")], clocks: Clocks(wall: wall)) { hub in
            let added = try await hub.add("paint") {
                ($0.notBefore, $0.delay) = (later(100), .seconds(50))
                ($0.deadline, $0.timeout) = (later(300), .seconds(400))
            }
            #expect(added.notBefore == later(100))
            #expect(added.deadline == later(300))
            let json: JSONValue = [
                "notBefore": .string(later(200).description), "delaySeconds": 60,
                "deadline": .string(later(500).description), "timeoutSeconds": 900,
            ]
            let edited = try await hub.service.edit(added.id, try TaskEdit(json: json, of: added))
            #expect(edited.notBefore == later(200))
            #expect(edited.deadline == later(500))
            let spans = try TaskEdit(json: ["delaySeconds": 60, "timeoutSeconds": 900], of: added)
            let again = try await hub.service.edit(added.id, spans)
            #expect(again.notBefore == later(60))
            #expect(again.deadline == later(900))
        }
    }

    @Test("a unique rule over a parameter that there is not is refused, and so is a bound of no time at all")
    func meaningless() async throws {
        try await Harness.run(features: [ClosureFeature("paint")]) { hub in
            let error = await #expect(throws: BelfryError.self) {
                try await hub.add("paint") {
                    $0.params = ["command": "touch"]
                    $0.unique = UniqueRule()
                    $0.unique?.params = ["comand"]
                }
            }
            #expect(error?.message.contains("did you mean 'command'?") == true)
            #expect(throws: BelfryError.self) { try TaskOptions(json: ["attemptTimeoutSeconds": 0]) }
            let policy = try RetryPolicy(json: ["initialDelaySeconds": 3600])
            #expect(policy.maxDelay == .seconds(3600))
        }
    }

    @Test("a group has as many slots as it was given, also after a restart")
    func groupLimit() async throws {
        let gate = Gate()
        let kept = Mutex<InMemoryTaskStore?>(nil)
        try await Harness.run(features: [gated("paint", gate)], concurrency: 4) { hub in
            try await hub.service.setGroup("g", slots: .some(1))
            let first = try await hub.add("paint") { $0.group = "g" }
            let second = try await hub.add("paint") { $0.group = "g" }
            let other = try await hub.add("paint")
            try await hub.event(.started, of: other.id)
            #expect(try await hub.service.task(first.id)?.status == .processing)
            #expect(try await hub.service.waitReasons(of: [second])[second.id]?.kind == .groupLimit)
            gate.open()
            try await hub.event(.completed, of: second.id)
            kept.withLock { $0 = hub.memory }
        }
        let previous = kept.withLock { $0 }
        try await Harness.run(features: [], previous: previous) { hub in
            while hub.service.groups.isEmpty { await Task.yield() }
            #expect(hub.service.groups.map(\.json.text) == [#"{"name":"g","slots":1,"state":"open"}"#])
        }
    }

    @Test("a paused group starts nothing and the others go on; resumed, it starts what waits")
    func pause() async throws {
        try await Harness.run(features: [ClosureFeature("paint")]) { hub in
            try await hub.service.setGroup("g", state: .paused)
            let held = try await hub.add("paint") { $0.group = "g" }
            let free = try await hub.add("paint")
            try await hub.event(.completed, of: free.id)
            #expect(try await hub.service.task(held.id)?.status == .pending)
            #expect(try await hub.service.waitReasons(of: [held])[held.id]?.kind == .paused)
            try await hub.service.setGroup("g", state: .open)
            try await hub.event(.completed, of: held.id)
        }
    }

    @Test("everything can be paused at once, and a draining group takes nothing new")
    func pauseAll() async throws {
        try await Harness.run(features: [ClosureFeature("paint")]) { hub in
            try await hub.service.setGroup(TaskGroup.all, state: .paused)
            let held = try await hub.add("paint")
            #expect(try await hub.service.waitReasons(of: [held])[held.id]?.kind == .paused)
            try await hub.service.setGroup("default", state: .draining)
            await #expect(throws: BelfryError.self) { try await hub.add("paint") }
            try await hub.service.setGroup(TaskGroup.all, state: .open)
            try await hub.event(.completed, of: held.id)
        }
    }

    @Test("users take turns, so that a thousand tasks of one do not keep another waiting")
    func fairness() async throws {
        try await Harness.run(features: [ClosureFeature("paint")], concurrency: 1, fairness: .user) { hub in
            try await hub.service.setGroup(TaskGroup.all, state: .paused)
            for _ in 0..<5 { _ = try await hub.add("paint") { $0.userID = "ada" } }
            for _ in 0..<2 { _ = try await hub.add("paint") { $0.userID = "ben" } }
            try await hub.service.setGroup(TaskGroup.all, state: .open)
            var left = 7
            let events = try await hub.events { event in
                if event.kind == .completed { left -= 1 }
                return left == 0
            }
            let users = try events.filter { $0.kind == .started }.map { try $0.event().task?.userID ?? "" }
            #expect(users == ["ada", "ben", "ada", "ben", "ada", "ada", "ada"])
        }
    }

    @Test("nothing starts on a disk that is too full, and the list says so")
    func disk() async throws {
        var configuration = TaskWorker.Configuration()
        configuration.diskReserve = .max
        try await Harness.run(features: [ClosureFeature("paint")], configuration: configuration) { hub in
            let task = try await hub.add("paint")
            hub.worker.wake()
            while try await hub.service.waitReasons(of: [task])[task.id]?.kind != .disk { await Task.yield() }
            #expect(try await hub.service.task(task.id)?.status == .pending)
        }
    }

    @Test(
        "a task that is moved to the front is next, and one with a higher priority comes first all the same"
    )
    func front() async throws {
        try await Harness.run(features: [ClosureFeature("paint")], concurrency: 1) { hub in
            try await hub.service.setGroup(TaskGroup.all, state: .paused)
            var ids: [TaskID] = []
            for _ in 0..<3 { ids.append(try await hub.add("paint").id) }
            let urgent = try await hub.add("paint") { $0.priority = 1 }
            try await hub.service.moveToFront(ids[2])
            try await hub.service.setGroup(TaskGroup.all, state: .open)
            let events = try await hub.events { $0.kind == .completed && $0.taskID == ids[1] }
            let order = events.filter { $0.kind == .started }.compactMap(\.taskID)
            #expect(order == [urgent.id, ids[2], ids[0], ids[1]])
        }
    }

    @Test("an edited task runs as it was edited, and its new params are checked")
    func edit() async throws {
        let echo = ClosureFeature("echo") { params, _ in TaskResult(value: params) }
        try await Harness.run(features: [echo]) { hub in
            let task = try await hub.add("echo") {
                $0.params = ["word": "old"]
                $0.isStashed = true
            }
            #expect(try await hub.service.waitReasons(of: [task])[task.id]?.kind == .stashed)
            var edit = TaskEdit()
            edit.params = ["word": "new"]
            edit.title = "A word"
            try await hub.service.edit(task.id, edit)
            var bad = TaskEdit()
            bad.params = ["word": "${task.result.path}"]
            await #expect(throws: BelfryError.self) { try await hub.service.edit(task.id, bad) }
            try await hub.service.setStashed(false, task.id)
            try await hub.event(.completed, of: task.id)
            let done = try #require(try await hub.service.task(task.id))
            #expect(done.result?.value == ["word": "new"])
            #expect(done.title == "A word")
            await #expect(throws: BelfryError.self) { try await hub.service.edit(task.id, edit) }
        }
    }
}
