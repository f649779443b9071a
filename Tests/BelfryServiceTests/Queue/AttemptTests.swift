// What bounds an attempt, and what it leaves to the next.

import BelfryCore
import BelfryService
import BelfryTesting
import Synchronization
import Testing

@Suite("Attempts", .timeLimit(.minutes(1)))
struct AttemptTests {
    /// Clocks on which one span passes at once, and every other takes its time.
    private func clocks(passing span: Duration) -> Clocks {
        Clocks(sleep: { duration in
            if duration == span { return }
            try await ContinuousClock().sleep(for: duration)
        })
    }

    private let endless = ClosureFeature("endless") { _, _ in
        try await ContinuousClock().sleep(for: .seconds(3600))
        return TaskResult()
    }

    @Test("an attempt that takes longer than it may is stopped and tried again")
    func timeout() async throws {
        try await Harness.run(features: [endless], clocks: clocks(passing: .seconds(77))) { hub in
            let task = try await hub.add("endless") {
                $0.options.timeouts.attempt = .seconds(77)
                $0.maxAttempts = 1
            }
            try await hub.event(.failed, of: task.id)
            #expect(try await hub.service.task(task.id)?.error?.code == "timeout")
        }
    }

    @Test("an attempt without a sign of life is stopped, and one that shows some is not")
    func idle() async throws {
        let spans = Mutex(0)
        let (begun, reported) = (Gate(), Gate())
        let clocks = Clocks(sleep: { duration in
            guard duration == .seconds(77) else { return try await ContinuousClock().sleep(for: duration) }
            // The feature reports in the first span; the second passes in silence.
            guard
                spans.withLock({
                    $0 += 1
                    return $0
                }) == 1
            else { return }
            begun.open()
            try await reported.wait()
        })
        let feature = ClosureFeature("chatty") { _, context in
            try await begun.wait()
            context.progress(1)
            reported.open()
            try await ContinuousClock().sleep(for: .seconds(3600))
            return TaskResult()
        }
        try await Harness.run(features: [feature], clocks: clocks) { hub in
            let task = try await hub.add("chatty") { $0.options.timeouts.idle = .seconds(77) }
            try await hub.event(.failed, of: task.id)
            #expect(try await hub.service.task(task.id)?.error?.code == "idle_timeout")
            #expect(spans.withLock { $0 } == 2)
        }
    }

    @Test("a deadline ends a task that runs, and one that waits, and what comes after it")
    func deadline() async throws {
        let wall = ManualWallClock()
        let held = Gate()
        let clocks = Clocks(
            wall: wall,
            sleep: { duration in
                guard duration > .seconds(50), duration < .seconds(70) else {
                    return try await ContinuousClock().sleep(for: .seconds(3600))
                }
                try await held.wait()
            }
        )
        try await Harness.run(features: [endless], clocks: clocks, concurrency: 1) { hub in
            let running = try await hub.add("endless") { $0.timeout = .seconds(60) }
            try await hub.event(.started, of: running.id)
            let waiting = try await hub.add("endless") { $0.timeout = .seconds(60) }
            let next = try await hub.add("endless") { $0.after = [waiting.id] }
            wall.advance(by: .seconds(60))
            held.open()
            try await hub.event(.failed, of: running.id)
            try await hub.event(.failed, of: next.id)
            #expect(try await hub.service.task(running.id)?.error?.code == "deadline")
            #expect(try await hub.service.task(waiting.id)?.error?.code == "deadline")
            #expect(try await hub.service.task(next.id)?.error?.code == TaskFailure.dependencyCode)
            await #expect(throws: BelfryError.self) {
                try await hub.add("endless") { $0.deadline = wall.now }
            }
        }
    }

    @Test("a task's own retry policy says which errors are tried again, how often, and when it gives up")
    func policy() async throws {
        let codes = ["one", "two", "three"]
        let feature = ClosureFeature("flaky") { _, context in
            throw TaskFailure(codes[context.attempt - 1], "attempt \(context.attempt)")
        }
        try await Harness.run(features: [feature]) { hub in
            let task = try await hub.add("flaky") {
                var policy = RetryPolicy()
                policy.initialDelay = .zero
                policy.maxAttempts = 9
                policy.retryOn = ["*"]
                policy.giveUpOn = ["three"]
                $0.options.retry = policy
            }
            #expect(task.maxAttempts == 9)
            try await hub.event(.failed, of: task.id)
            let seen = try await hub.service.attempts(of: task.id).map { $0.error?.code ?? "" }
            #expect(seen == codes)
        }
    }

    @Test("a snoozed attempt does not count, and the next one gets what it saved")
    func snooze() async throws {
        let feature = ClosureFeature("patient") { _, context in
            let step = context.checkpoint?["step"]?.int ?? 0
            context.saveCheckpoint(["step": .int(step + 1)])
            if step < 2 { throw TaskSnooze(for: .zero, "not yet") }
            return TaskResult(value: .int(step))
        }
        try await Harness.run(features: [feature]) { hub in
            let task = try await hub.add("patient") { $0.maxAttempts = 1 }
            let events = try await hub.events { $0.kind == .completed }
            let kinds = events.map(\.kind)
            #expect(kinds == [.added, .started, .snoozed, .started, .snoozed, .started, .completed])
            let value = try await hub.service.task(task.id)?.result?.value
            #expect(value == 2)
            let outcomes = try await hub.service.attempts(of: task.id).map(\.outcome?.rawValue)
            #expect(outcomes == ["snoozed", "snoozed", "completed"])
        }
    }

    @Test("a checkpoint survives a failure, and is written before the attempt's outcome")
    func checkpoint() async throws {
        let feature = ClosureFeature("flaky") { _, context in
            if let kept = context.checkpoint { return TaskResult(value: kept) }
            context.saveCheckpoint("half")
            throw TaskFailure("busy", "again", isRetryable: true)
        }
        try await Harness.run(features: [feature]) { hub in
            let task = try await hub.add("flaky") {
                $0.maxAttempts = 2
                $0.options.retry = RetryPolicy()
                $0.options.retry?.initialDelay = .zero
            }
            try await hub.event(.completed, of: task.id)
            #expect(try await hub.service.task(task.id)?.result?.value == "half")
        }
    }

    @Test("a task takes over the file, the value and the number of the one before it")
    func references() async throws {
        let maker = ClosureFeature("make") { _, _ in
            TaskResult(
                value: ["size": ["width": 640]],
                artifacts: [TaskResult.Artifact(uri: "file:///tmp/a%20b.png")]
            )
        }
        let echo = ClosureFeature("echo") { params, _ in TaskResult(value: params) }
        try await Harness.run(features: [maker, echo]) { hub in
            let first = try await hub.add("make")
            let second = try await hub.add("echo") {
                $0.after = [first.id]
                $0.params = [
                    "image": "${task.result.path}", "width": "${task.result.value.size.width}",
                    "text": "from #${task.number}: ${task.result.path}", "all": "${task.result.paths}",
                ]
            }
            try await hub.event(.completed, of: second.id)
            #expect(
                try await hub.service.task(second.id)?.result?.value == [
                    "image": "/tmp/a b.png", "width": 640, "text": "from #1: /tmp/a b.png",
                    "all": ["/tmp/a b.png"],
                ]
            )
        }
    }

    @Test("a reference to nothing is refused at submission, and one to what was not made fails the task")
    func badReferences() async throws {
        let features = [ClosureFeature("make"), ClosureFeature("echo")]
        try await Harness.run(features: features) { hub in
            let first = try await hub.add("make")
            for text in [
                "${task.resul.path}", "${task2.result.path}", "${task.result}", "${task.}", "${task0.id}",
            ] {
                await #expect(throws: BelfryError.self, "\(text)") {
                    try await hub.add("echo") {
                        $0.after = [first.id]
                        $0.params = ["image": .string(text)]
                    }
                }
            }
            await #expect(throws: BelfryError.self) {
                try await hub.add("echo") { $0.params = ["image": "${task.result.path}"] }
            }
            let task = try await hub.add("echo") {
                $0.after = [first.id]
                $0.params = ["image": "${task.result.path}"]
            }
            try await hub.event(.failed, of: task.id)
            #expect(try await hub.service.task(task.id)?.error?.code == "bad_reference")
        }
    }

    @Test("a unique task stops the one that it replaces")
    func replaces() async throws {
        try await Harness.run(features: [endless]) { hub in
            func add() async throws -> BackgroundTask {
                try await hub.add("endless") {
                    $0.unique = UniqueRule()
                    $0.unique?.onConflict = .replace
                }
            }
            let first = try await add()
            try await hub.event(.started, of: first.id)
            let second = try await add()
            try await hub.event(.cancelled, of: first.id)
            try await hub.event(.started, of: second.id)
            await #expect(throws: BelfryError.self) {
                try await hub.add("endless") { $0.unique = UniqueRule() }
            }
        }
    }
}
