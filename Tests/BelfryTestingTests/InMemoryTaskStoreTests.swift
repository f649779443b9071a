// The in-memory store against the suite that every engine must pass.

import BelfryCore
import BelfryTesting
import Testing

@Suite("The in-memory store")
struct InMemoryTaskStoreTests {
    @Test("keeps the promises of TaskStore", arguments: StoreConformance.allChecks)
    func conformance(_ check: StoreCheck) async throws {
        try await check.run { options in
            let store = InMemoryTaskStore(ids: options.ids, didCommitEvents: options.didCommitEvents)
            return StoreFixture(store: store) { InMemoryTaskStore(contentsOf: store) }
        }
    }
}
