// The order within one submission, and what the end of one task means for the next.

import BelfryCore
import Testing

@Suite("Dependencies")
struct DependencyOrderTests {
    private static let ids = (0..<200).map {
        TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-\(100_000_000_000 + $0)")
    }

    /// Tasks of which each comes after those with the given indexes.
    private func tasks(_ after: [[Int]]) -> [AcceptedTask] {
        after.enumerated().map { index, earlier in
            var new = NewTask(featureID: "paint")
            new.after = earlier.map { Self.ids[$0] }
            return AcceptedTask(id: Self.ids[index], new: new)
        }
    }

    @Test(
        "what has an order is accepted",
        arguments: [
            [], [[]], [[], [0], [1]], [[2], [0], []], [[], [0], [0], [1, 2]], [[3, 1], [3], [], [2]],
            // Twice the same, and one that is not of this submission.
            [[], [0, 0]], [[199], [0, 198]],
        ] as [[[Int]]]
    )
    func accepted(_ after: [[Int]]) {
        #expect(throws: Never.self) { try DependencyOrder.check(tasks(after)) }
    }

    @Test(
        "a circle is refused, with the place of a task in or behind it",
        arguments: [
            ([[0]], 1), ([[1], [0]], 1), ([[], [3], [1], [2]], 2), ([[], [0, 2], [1]], 2),
            ([[2], [], [0], [1]], 1),
        ] as [([[Int]], Int)]
    )
    func circles(_ after: [[Int]], _ place: Int) throws {
        let error = #expect(throws: TaskStoreError.self) { try DependencyOrder.check(tasks(after)) }
        guard case .dependency(let reason) = try #require(error) else { throw try #require(error) }
        #expect(reason.hasPrefix("Task \(place) of \(after.count) comes after itself"))
    }

    @Test("a long line, backwards, is no trouble")
    func long() {
        let line = (0..<199).map { [$0 + 1] } + [[]]
        #expect(throws: Never.self) { try DependencyOrder.check(tasks(line)) }
        #expect(throws: TaskStoreError.self) {
            try DependencyOrder.check(tasks((0..<199).map { [$0 + 1] } + [[0]]))
        }
    }

    @Test("a policy says what the end of a dependency means")
    func verdicts() {
        let statuses = TaskStatus.allCases
        #expect(statuses == [.pending, .processing, .completed, .failed, .cancelled])
        #expect(statuses.map(DependencyPolicy.fail.verdict) == [.wait, .wait, .go, .fail, .fail])
        #expect(statuses.map(DependencyPolicy.run.verdict) == [.wait, .wait, .go, .go, .go])
    }

    @Test("the failure names what failed, how it ended, and the way back")
    func failures() throws {
        let failed = TaskFailure.dependency(try Example.task(.failed))
        #expect(failed.code == "dependency_failed")
        #expect(failed.message == "#7 failed, and this comes after it.")
        #expect(failed.fix == "Retry what failed: belfry retry 7. This task comes back with it.")
        #expect(!failed.isRetryable)
        let cancelled = TaskFailure.dependency(try Example.task(.cancelled))
        #expect(cancelled.message == "#7 was cancelled, and this comes after it.")
    }

    @Test("a dependency as JSON")
    func json() {
        let dependency = TaskDependency(id: Example.id, number: 7, status: .failed, isSatisfied: false)
        #expect(
            dependency.json.text
                == #"{"id":"0198c0de-7a3b-7cc1-9d2f-0123456789ab","number":7,"status":"failed","satisfied":false}"#
        )
    }
}
