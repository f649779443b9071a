// The counts of a batch, and the one moment at which it is finished.

import BelfryCore
import Testing

@Suite("Batches")
struct TaskBatchTests {
    private func batch(_ total: Int) -> TaskBatch {
        TaskBatch(id: Example.batchID, title: "", total: total, createdAt: Example.now)
    }

    @Test(
        "final statuses are counted, the others are not",
        arguments: TaskStatus.allCases,
        TaskStatus.allCases
    )
    func counts(_ old: TaskStatus, _ new: TaskStatus) {
        var before = batch(100)
        (before.completed, before.failed, before.cancelled) = (10, 10, 10)
        let after = before.moving(from: old, to: new).batch
        #expect(after.finished == 30 + (new.isFinal ? 1 : 0) - (old.isFinal ? 1 : 0))
        let changed = [
            after.completed - 10 - (new == .completed ? 1 : 0) + (old == .completed ? 1 : 0),
            after.failed - 10 - (new == .failed ? 1 : 0) + (old == .failed ? 1 : 0),
            after.cancelled - 10 - (new == .cancelled ? 1 : 0) + (old == .cancelled ? 1 : 0),
        ]
        #expect(changed == [0, 0, 0])
    }

    @Test("the last task to end finishes the batch, once")
    func finishes() {
        let (half, none) = batch(2).moving(from: .processing, to: .completed)
        #expect(none.isEmpty)
        let (whole, events) = half.moving(from: .pending, to: .cancelled)
        #expect(events.map(\.kind) == [.batchFinished])
        #expect(events.first?.batch == whole)
        #expect(whole.moving(from: .failed, to: .cancelled).events.isEmpty)
    }

    @Test("a retry opens a finished batch, and it finishes again")
    func reopens() {
        let done = batch(1).moving(from: .processing, to: .failed).batch
        let (open, none) = done.moving(from: .failed, to: .pending)
        #expect(none.isEmpty)
        #expect(open.finished == 0)
        #expect(open.moving(from: .processing, to: .completed).events.map(\.kind) == [.batchFinished])
    }
}
