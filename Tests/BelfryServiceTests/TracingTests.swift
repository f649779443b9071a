// What a tracer that is handed in gets to see of the worker.

import BelfryCore
import BelfryService
import BelfryTesting
import InMemoryTracing
import Synchronization
import Testing
import Tracing

@Suite("Spans", .timeLimit(.minutes(1)))
struct TracingTests {
    let tracer = InMemoryTracer()

    private func spans(_ name: String) -> [FinishedInMemorySpan] {
        tracer.finishedSpans.filter { $0.operationName == name }
    }

    @Test("an attempt is one trace, with the task, its feature and number, and the commit of its outcome")
    func attempt() async throws {
        let inside = Mutex<String?>(nil)
        let feature = ClosureFeature("echo") { _, _ in
            inside.withLock { $0 = InstrumentationContext.current?.inMemorySpanContext?.spanID }
            return TaskResult()
        }
        try await Harness.run(features: [feature], instruments: Instruments(tracer: tracer)) { hub in
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
        }
        let attempt = try #require(spans("belfry.attempt").first)
        #expect(spans("belfry.attempt").count == 1)
        #expect(attempt.parentSpanID == nil)
        #expect(inside.withLock { $0 } == attempt.spanID, "what the feature does is part of it")
        #expect(attempt.attributes.get("belfry.task.feature") == .string("echo"))
        #expect(attempt.attributes.get("belfry.task.attempt") == .int64(1))
        #expect(attempt.attributes.get("belfry.attempt.outcome") == .string("completed"))
        #expect(attempt.status == nil)
        let settle = try #require(spans("belfry.settle").first)
        #expect(settle.parentSpanID == attempt.spanID)
        #expect(settle.traceID == attempt.traceID)
        #expect(settle.attributes.get("belfry.task.id") == attempt.attributes.get("belfry.task.id"))
    }

    @Test("a failed attempt has the status of an error with the code, and no word of the message")
    func failure() async throws {
        let feature = ClosureFeature("bad") { _, _ in throw TaskFailure("bad_input", "the secret is 42") }
        try await Harness.run(features: [feature], instruments: Instruments(tracer: tracer)) { hub in
            let task = try await hub.add("bad")
            try await hub.event(.failed, of: task.id)
        }
        let attempt = try #require(spans("belfry.attempt").first)
        #expect(attempt.status == SpanStatus(code: .error, message: "bad_input"))
        #expect(attempt.attributes.get("belfry.attempt.error") == .string("bad_input"))
        #expect(attempt.errors.isEmpty)
    }

    @Test("a claim tells what it asked for and what it got, outside any trace of the caller")
    func claim() async throws {
        try await Harness.run(
            features: [ClosureFeature("echo")],
            concurrency: 3,
            instruments: Instruments(tracer: tracer)
        ) { hub in
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
        }
        let claim = try #require(
            spans("belfry.claim").first { $0.attributes.get("belfry.claim.tasks") == .int64(1) }
        )
        #expect(claim.attributes.get("belfry.claim.slots") == .int64(3))
        #expect(claim.parentSpanID == nil)
    }

    @Test("an outcome that the store refuses ends its span with the error")
    func refused() async throws {
        try await Harness.run(
            features: [ClosureFeature("echo")],
            instruments: Instruments(tracer: tracer)
        ) { hub in
            hub.store.fail(.settle)
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
        }
        #expect(spans("belfry.settle").map(\.errors.count) == [1, 0])
    }
}
