// Changing a whole batch at once, as a popup's buttons do.

import BelfryCore
import BelfryService
import Testing

@Suite("Batches under control", .timeLimit(.minutes(1)))
struct BatchControlTests {
    private func batch(_ features: [String], on hub: Harness) async throws -> TaskBatch {
        try await hub.service.addBatch(features.map { NewTask(featureID: $0) }).batch
    }

    @Test("cancelling a batch ends what runs and what waits, and leaves what is done")
    func cancel() async throws {
        let gate = Gate()
        let hold = ClosureFeature("hold") { _, _ in
            try await gate.wait()
            return TaskResult()
        }
        try await Harness.run(features: [ClosureFeature("echo"), hold]) { hub in
            let batch = try await batch(["echo", "hold", "hold", "hold", "hold"], on: hub)
            var started = 0
            _ = try await hub.events { event in
                if event.kind == .started { started += 1 }
                return started == 3
            }
            let count = try await hub.service.cancel(batch: batch.id)
            #expect(count == 4)
            try await hub.event(.batchFinished)
            let after = try await hub.service.batch(batch.id)
            #expect(after?.completed == 1)
            #expect(after?.cancelled == 4)
            #expect(try await hub.service.cancel(batch: batch.id) == 0)
        }
    }

    @Test("retrying what failed of a batch leaves the rest as it is")
    func retryFailed() async throws {
        let fail = ClosureFeature("fail") { _, context in
            if context.fence < 3 { throw TaskFailure("x", "Not yet.") }
            return TaskResult()
        }
        try await Harness.run(features: [ClosureFeature("echo"), fail]) { hub in
            let batch = try await batch(["echo", "fail", "fail"], on: hub)
            try await hub.event(.batchFinished)
            #expect(try await hub.service.batch(batch.id)?.failed == 2)
            #expect(try await hub.service.retryFailed(batch: batch.id) == 2)
            var finished = 0
            _ = try await hub.events { event in
                if event.kind == .batchFinished { finished += 1 }
                return finished == 2
            }
            #expect(try await hub.service.batch(batch.id)?.completed == 3)
        }
    }
}
