// How the end of an attempt's work and the reasons to stop it meet.

import BelfryCore
import Synchronization
import Testing

@testable import BelfryService

@Suite("Stopping an attempt", .timeLimit(.minutes(1)))
struct AttemptStopTests {
    private struct Idle: Feature {
        let descriptor = FeatureDescriptor(id: "idle", title: "Idle")

        func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
            TaskResult()
        }
    }

    private static func bounds() -> AttemptBounds {
        let now = Timestamp(milliseconds: 0)
        let task = BackgroundTask(
            NewTask(featureID: "idle"),
            id: IDGenerator().taskID(at: now),
            number: 1,
            at: now
        )
        return AttemptBounds(task, TaskTimeouts(), feature: Idle(), signs: SignsOfLife(), clocks: Clocks())
    }

    /// Goes on until it is cancelled.
    @Sendable private static func untilCancelled() async throws -> TaskResult {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        for await _ in stream {}
        continuation.finish()
        throw CancellationError()
    }

    @Test("work that ends by itself has no reason, and none that comes later")
    func endsByItself() async throws {
        let stop = AttemptStop()
        let end = await stop.run(Self.bounds()) { TaskResult(value: 7) }
        stop.stop(.cancelled)
        let again = await stop.run(Self.bounds()) { TaskResult(value: 7) }
        #expect((end.reason, again.reason) == (nil, nil))
        #expect(try end.result.get().value == 7)
    }

    @Test("the first reason counts, and the work is cancelled and waited for")
    func firstReason() async {
        let stop = AttemptStop()
        stop.stop(.leaseLost)
        stop.stop(.cancelled)
        let end = await stop.run(Self.bounds()) { try await Self.untilCancelled() }
        #expect(end.reason == .leaseLost)
        #expect(throws: CancellationError.self) { try end.result.get() }
    }

    @Test("work that ends well although it was told to stop has its result")
    func lateSuccess() async {
        let stop = AttemptStop()
        stop.stop(.shutdown)
        let end = await stop.run(Self.bounds()) {
            _ = try? await Self.untilCancelled()
            return TaskResult(value: 7)
        }
        #expect(end.reason == .shutdown)
        #expect((try? end.result.get().value) == 7)
    }

    @Test("a worker that is itself cancelled gives its attempts back")
    func cancelledWorker() async {
        let stop = AttemptStop()
        let end = await withTaskGroup(of: TaskWorker.End.self) { group in
            group.addTask { await stop.run(Self.bounds()) { try await Self.untilCancelled() } }
            group.cancelAll()
            return await group.next()
        }
        #expect(end?.reason == .shutdown)
    }

    @Test("a running task that a unique one replaces is stopped, and the new one runs in its place")
    func replaced() async throws {
        let stops = Mutex(0)
        let feature = ClosureFeature("long", concurrency: 1) { params, _ in
            if params["n"] == 2 { return TaskResult(value: "in its place") }
            defer { if Task.isCancelled { stops.withLock { $0 += 1 } } }
            try await Gate().wait()
            return TaskResult()
        }
        try await Harness.run(features: [feature]) { hub in
            func add(_ number: Int64) async throws -> BackgroundTask {
                try await hub.add("long") { new in
                    new.params = ["name": "same", "n": .int(number)]
                    new.unique = UniqueRule()
                    new.unique?.params = ["name"]
                    new.unique?.onConflict = .replace
                }
            }
            let first = try await add(1)
            try await hub.event(.started, of: first.id)
            let second = try await add(2)
            try await hub.event(.completed, of: second.id)
            #expect(try await hub.service.task(first.id)?.status == .cancelled)
            #expect(try await hub.service.task(second.id)?.result?.value == "in its place")
        }
        #expect(stops.withLock { $0 } == 1)
    }
}
