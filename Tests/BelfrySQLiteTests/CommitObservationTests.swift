// What the store tells of its commits, for whoever measures it.

import BelfryCore
import Synchronization
import Testing

@testable import BelfrySQLite

@Suite("Commits of the SQLite store")
struct CommitObservationTests {
    @Test("each commit tells how many requests it carried; together they are all that were made")
    func requests() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let commits = Mutex<[(requests: Int, duration: Duration)]>([])
        var configuration = SQLiteTaskStore.Configuration(path: directory.path + "/store.sqlite")
        configuration.didCommit = { requests, duration in commits.withLock { $0.append((requests, duration)) }
        }
        let store = try await SQLiteTaskStore.open(configuration)
        let ids = IDGenerator()
        try await withThrowingTaskGroup { group in
            for index in 1...50 {
                let now = Timestamp(milliseconds: Int64(index))
                let task = AcceptedTask(id: ids.taskID(at: now), new: NewTask(featureID: "echo"))
                group.addTask { _ = try await store.add([task], batch: nil, at: now) }
            }
            try await group.waitForAll()
        }
        let seen = commits.withLock { $0 }
        #expect(seen.map(\.requests).reduce(0, +) == 50)
        #expect(seen.allSatisfy { $0.requests >= 1 && $0.duration > .zero })
        try await store.close()
    }
}
