// What happens to tasks between acceptance and their end.

import BelfryCore
import BelfryService
import BelfryTesting
import ServiceLifecycle
import Synchronization
import Testing

@Suite("The worker", .timeLimit(.minutes(1)))
struct WorkerTests {
    @Test("a task goes from accepted to completed, with its events in order")
    func completes() async throws {
        try await Harness.run(features: [ClosureFeature("echo") { params, _ in TaskResult(value: params) }]) {
            hub in
            let task = try await hub.add("echo") { $0.params = ["word": "hello"] }
            #expect(task.status == .pending)
            let events = try await hub.events { $0.kind == .completed }
            #expect(events.map(\.kind) == [.added, .started, .completed])
            let done = try #require(try await hub.service.task(task.id))
            #expect(done.status == .completed)
            #expect(done.result?.value == ["word": "hello"])
        }
    }

    @Test("no more attempts run at once than the configuration says, nor of a feature than it says itself")
    func concurrency() async throws {
        let running = Mutex<(now: [String: Int], most: [String: Int], total: Int)>(([:], [:], 0))
        let work: @Sendable (JSONValue, FeatureContext) async throws -> TaskResult = { _, context in
            running.withLock { state in
                state.now[context.featureID, default: 0] += 1
                state.most[context.featureID] = max(
                    state.most[context.featureID] ?? 0,
                    state.now[context.featureID]!
                )
                state.total = max(state.total, state.now.values.reduce(0, +))
            }
            for _ in 0..<20 { await Task.yield() }
            running.withLock { $0.now[context.featureID]! -= 1 }
            return TaskResult()
        }
        let features = [
            ClosureFeature("wide", work: work), ClosureFeature("narrow", concurrency: 1, work: work),
        ]
        try await Harness.run(features: features, concurrency: 3) { hub in
            for index in 0..<40 { _ = try await hub.add(index.isMultiple(of: 2) ? "wide" : "narrow") }
            var left = 40
            _ = try await hub.events { event in
                if event.kind == .completed { left -= 1 }
                return left == 0
            }
        }
        let most = running.withLock { $0 }
        #expect(most.total <= 3)
        #expect(most.most["narrow"] == 1)
    }

    @Test("a retryable failure is tried again after a growing wait, as often as the policy says")
    func retries() async throws {
        let waits = Mutex<[Duration]>([])
        let wall = ManualWallClock()
        var clocks = Clocks(wall: wall, random: { 0.5 })
        clocks.sleep = { duration in
            // The wait for the next due task is the only one here of a second or more: it passes at once.
            guard duration >= .seconds(1), duration < .seconds(9) else {
                return try await ContinuousClock().sleep(for: .seconds(3600))
            }
            waits.withLock { $0.append(duration) }
            wall.advance(by: duration)
        }
        var policy = RetryPolicy()
        policy.initialDelay = .seconds(2)
        policy.jitter = 0
        let feature = ClosureFeature("flaky", retry: policy) { _, context in
            throw TaskFailure("busy", "attempt \(context.attempt)", isRetryable: true)
        }
        try await Harness.run(features: [feature], clocks: clocks) { hub in
            let task = try await hub.add("flaky")
            let events = try await hub.events { $0.kind == .failed }
            #expect(
                events.map(\.kind) == [.added, .started, .retrying, .started, .retrying, .started, .failed]
            )
            let failed = try #require(try await hub.service.task(task.id))
            #expect(failed.attempt == 3)
            #expect(failed.error?.message == "attempt 3")
            #expect(waits.withLock { $0.map { $0.components.seconds } } == [2, 4])
        }
    }

    @Test("a failure that is not retryable is final at once")
    func finalFailure() async throws {
        let feature = ClosureFeature("bad", retry: RetryPolicy()) { _, _ in
            throw TaskFailure("bad_input", "no", fix: "yes")
        }
        try await Harness.run(features: [feature]) { hub in
            let task = try await hub.add("bad")
            let events = try await hub.events { $0.kind == .failed }
            #expect(events.map(\.kind) == [.added, .started, .failed])
            #expect(try await hub.service.task(task.id)?.error == TaskFailure("bad_input", "no", fix: "yes"))
        }
    }

    @Test("a running task is cancelled; its feature is told to stop; what is final cannot be cancelled")
    func cancel() async throws {
        let stopped = Mutex(false)
        let feature = ClosureFeature("long") { _, _ in
            let gate = Gate()
            defer { stopped.withLock { $0 = Task.isCancelled } }
            try await gate.wait()
            return TaskResult()
        }
        try await Harness.run(features: [feature]) { hub in
            let task = try await hub.add("long")
            try await hub.event(.started)
            _ = try await hub.service.cancel(task.id)
            let events = try await hub.events { $0.kind == .cancelled }
            #expect(events.map(\.kind) == [.added, .started, .cancelRequested, .cancelled])
            let error = await #expect(throws: BelfryError.self) { try await hub.service.cancel(task.id) }
            #expect(error?.code == .notAllowedNow)
        }
        #expect(stopped.withLock { $0 })
    }

    @Test(
        "a task that is cancelled while the worker is being told of its claim is stopped",
        .timeLimit(.minutes(1))
    )
    func cancelClaimed() async throws {
        let feature = ClosureFeature("long") { _, _ in
            try await Gate().wait()
            return TaskResult()
        }
        try await Harness.run(features: [feature]) { hub in
            hub.store.holdAnswers(of: .claim)
            let task = try await hub.add("long")
            await hub.store.waitUntilHeld(.claim)
            #expect(try await hub.service.cancel(task.id).isCancelRequested)
            hub.store.release(.claim)
            let events = try await hub.events { $0.kind == .cancelled }
            #expect(events.map(\.kind) == [.added, .started, .cancelRequested, .cancelled])
        }
    }

    @Test("a pending task that is cancelled never starts")
    func cancelPending() async throws {
        let gate = Gate()
        let features = [
            ClosureFeature("long") { _, _ in
                try await gate.wait()
                return TaskResult()
            }
        ]
        try await Harness.run(features: features, concurrency: 1) { hub in
            let first = try await hub.add("long")
            try await hub.event(.started, of: first.id)
            let second = try await hub.add("long")
            #expect(try await hub.service.cancel(second.id).status == .cancelled)
            gate.open()
            try await hub.event(.completed, of: first.id)
            let third = try await hub.add("long")
            let events = try await hub.events { $0.kind == .completed && $0.taskID == third.id }
            #expect(!events.contains { $0.kind == .started && $0.taskID == second.id })
        }
    }

    @Test("a completed work counts even when the word to cancel came first")
    func completedAfterCancel() async throws {
        let gate = Gate()
        let feature = ClosureFeature("stubborn") { _, _ in
            try? await gate.wait()
            return TaskResult(value: "done anyway")
        }
        try await Harness.run(features: [feature]) { hub in
            let task = try await hub.add("stubborn")
            try await hub.event(.started)
            _ = try await hub.service.cancel(task.id)
            gate.open()
            let last = try await hub.events { $0.kind == .completed || $0.kind == .cancelled }.last
            #expect(last?.kind == .completed)
        }
    }

    @Test("retry makes a failed task pending again, with a new budget")
    func retry() async throws {
        let isMended = Mutex(false)
        let feature = ClosureFeature("mended") { _, _ in
            guard isMended.withLock({ $0 }) else { throw TaskFailure("broken", "not yet") }
            return TaskResult()
        }
        try await Harness.run(features: [feature]) { hub in
            let task = try await hub.add("mended")
            try await hub.event(.failed)
            isMended.withLock { $0 = true }
            _ = try await hub.service.retry(task.id, context: nil)
            let events = try await hub.events { $0.kind == .completed }
            #expect(events.map(\.kind) == [.added, .started, .failed, .retried, .started, .completed])
        }
    }

    @Test("what a dead hub left is interrupted and runs again")
    func rescue() async throws {
        let before = InMemoryTaskStore()
        let worker = WorkerID("dead")
        var new = NewTask(featureID: "echo")
        new.maxAttempts = 1
        new.onInterrupt = .rerun
        let id = IDGenerator().taskID(at: Timestamp(milliseconds: 0))
        let now = Timestamp(milliseconds: 1000)
        _ = try before.add([AcceptedTask(id: id, new: new)], batch: nil, at: now)
        let lease = Lease(bootID: "boot", expiresAt: .seconds(1 << 40))
        let lane = try #require(try before.task(id)).lane
        _ = try before.claim(ClaimRequest(worker: worker, lease: lease, slots: 1, lanes: [lane: 1]), at: now)
        try await Harness.run(
            features: [ClosureFeature("echo")],
            previous: before
        ) { hub in
            let events = try await hub.events { $0.kind == .completed }
            #expect(events.map(\.kind) == [.added, .started, .interrupted, .started, .completed])
        }
    }

    @Test("shutdown waits for attempts; what does not end is given back and runs again later")
    func drain() async throws {
        let quick = Gate()
        let features = [
            ClosureFeature("quick") { _, _ in
                try await quick.wait()
                return TaskResult()
            },
            ClosureFeature("endless") { _, _ in
                try await Gate().wait()
                return TaskResult()
            },
        ]
        let kept = Mutex<InMemoryTaskStore?>(nil)
        let ids = Mutex<[TaskID]>([])
        // The drain is the only sleep of 10 seconds: it is over when the quick one has ended.
        var clocks = Clocks()
        clocks.sleep = { duration in
            guard duration == .seconds(10) else {
                return try await ContinuousClock().sleep(for: .seconds(3600))
            }
            quick.open()
            let store = kept.withLock { $0 }
            let first = ids.withLock { $0[0] }
            while try store?.task(first)?.status != .completed { await Task.yield() }
        }
        try await Harness.run(features: features, clocks: clocks, concurrency: 2) { hub in
            kept.withLock { $0 = hub.memory }
            let first = try await hub.add("quick")
            let second = try await hub.add("endless")
            ids.withLock { $0 = [first.id, second.id] }
            try await hub.event(.started, of: first.id)
            try await hub.event(.started, of: second.id)
        }
        let store = try #require(kept.withLock { $0 })
        let tasks = try ids.withLock { $0 }.map { try store.task($0)?.status }
        #expect(tasks == [.completed, .pending])
        let interrupted = try store.events(after: 0, limit: 100).events.filter { $0.kind == .interrupted }
        #expect(interrupted.count == 1)
    }

    @Test("a store that is out of order loses no result: it is recorded when the store is back")
    func settleLater() async throws {
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let gate = Gate()
        let feature = ClosureFeature("work") { _, _ in
            try await gate.wait()
            return TaskResult(value: 1)
        }
        try await Harness.run(features: [feature], clocks: clocks) { hub in
            let task = try await hub.add("work")
            try await hub.event(.started)
            hub.store.fail(.settle, times: 4)
            gate.open()
            try await hub.event(.completed)
            #expect(hub.store.calls(.settle) == 5)
            #expect(try await hub.service.task(task.id)?.result?.value == 1)
        }
    }

    @Test("an outcome whose commit could not be confirmed is told again, and is not lost")
    func settleAgain() async throws {
        var clocks = Clocks()
        clocks.sleep = { _ in await Task.yield() }
        let gate = Gate()
        let feature = ClosureFeature("work") { _, _ in
            try await gate.wait()
            return TaskResult(value: 1)
        }
        try await Harness.run(features: [feature], clocks: clocks) { hub in
            let task = try await hub.add("work")
            try await hub.event(.started)
            hub.store.fail(.settle, with: .refused(.outcomeUnknown("the disk was full")))
            gate.open()
            while hub.worker.runningTasks > 0 { await Task.yield() }
            let status = try await hub.service.task(task.id)?.status
            // The worker takes it for a refusal, and the task hangs until the hub's next start.
            #expect(status == .completed)
        }
    }

    @Test("progress is coalesced: however often it is reported, few updates come, the last one among them")
    func progress() async throws {
        let (start, gate) = (Gate(), Gate())
        let sink = RecordingSink("watcher", wantsProgress: true)
        let feature = ClosureFeature("painter") { _, context in
            try await start.wait()
            for step in 0...10_000 { context.progress(Double(step) / 100, "step \(step)") }
            try await gate.wait()
            return TaskResult()
        }
        try await Harness.run(features: [feature], sinks: [sink]) { hub in
            let task = try await hub.add("painter")
            let started = try await hub.event(.started, of: task.id)
            let reader = hub.bus.reader(after: hub.bus.newest, wantsProgress: true)
            // Only who listens by then hears of all.
            await sink.wait(for: started.position)
            start.open()
            var updates: [ProgressUpdate] = []
            while updates.last?.message != "step 10000", let batch = try await reader.next() {
                updates += batch.progress
            }
            #expect(updates.count < 100)
            #expect(updates.last?.percent == 100)
            // Progress that nobody has read goes with the end of the attempt.
            await sink.wait { $0.contains { !$0.progress.isEmpty } }
            gate.open()
            let events = try await hub.events { $0.kind == .completed && $0.taskID == task.id }
            // Progress is no event: the log has only what happened.
            #expect(events.count == 3)
        }
        #expect(sink.batches.contains { !$0.progress.isEmpty })
    }

    @Test("a task whose feature went away waits for it, and no slot with it")
    func featureGone() async throws {
        try await Harness.run(features: [ClosureFeature("stays")]) { hub in
            hub.features.replacePluginFeatures([ClosureFeature("goes")], unavailable: [:])
            let gate = Gate()
            hub.features.register(
                ClosureFeature("blocks") { _, _ in
                    try await gate.wait()
                    return TaskResult()
                }
            )
            for _ in 0..<2 { _ = try await hub.add("blocks") }
            let waiting = try await hub.add("goes")
            hub.features.replacePluginFeatures([], unavailable: ["goes": .init(reason: "removed")])
            gate.open()
            let other = try await hub.add("stays")
            try await hub.event(.completed, of: other.id)
            #expect(try await hub.service.task(waiting.id)?.status == .pending)
            hub.features.replacePluginFeatures([ClosureFeature("goes")], unavailable: [:])
            hub.worker.wake([waiting.lane])
            try await hub.event(.completed, of: waiting.id)
        }
    }

    @Test("submissions are refused with a code and a fix: unknown features, and a hub that shuts down")
    func refusals() async throws {
        try await Harness.run(features: [ClosureFeature("text-to-image")]) { hub in
            let unknown = await #expect(throws: BelfryError.self) { try await hub.add("text-to-imgae") }
            #expect(unknown?.code == .unknownFeature)
            #expect(unknown?.description.contains("text-to-image") == true)
            hub.service.closeIntake()
            let late = await #expect(throws: BelfryError.self) { try await hub.add("text-to-image") }
            #expect(late?.code == .shuttingDown)
            let accepted = try await hub.service.allTasks()
            #expect(accepted.isEmpty)
        }
    }

    @Test("a batch is accepted as a whole or not at all; sent again it is answered with what is there")
    func batch() async throws {
        try await Harness.run(features: [ClosureFeature("echo")]) { hub in
            let bad = [NewTask(featureID: "echo"), NewTask(featureID: "nothing")]
            let error = await #expect(throws: BelfryError.self) { try await hub.service.addBatch(bad) }
            #expect(error?.pointer?.hasPrefix("/tasks/1") == true)
            let accepted = try await hub.service.allTasks()
            #expect(accepted.isEmpty)
            let good = (0..<3).map { index in
                var new = NewTask(featureID: "echo")
                new.idempotencyKey = "key-\(index)"
                return new
            }
            let first = try await hub.service.addBatch(good, title: "three")
            try await hub.event(.batchFinished)
            let second = try await hub.service.addBatch(good, title: "three")
            #expect(second.batch.id == first.batch.id)
            #expect(second.tasks.allSatisfy { !$0.isNew })
            let events = try hub.memory.events(after: 0, limit: 100).events
            #expect(events.filter { $0.kind == .batchAdded }.count == 1)
            #expect(events.filter { $0.kind == .batchFinished }.count == 1)
        }
    }
}
