// What the simulated disk holds: the in-memory store that was opened last.

import Synchronization

/// The store that is open, handed on at each restart.
final class LastOpened: Sendable {
    private let current: Mutex<InMemoryTaskStore>

    init(_ store: InMemoryTaskStore) { current = Mutex(store) }

    var store: InMemoryTaskStore { current.withLock { $0 } }

    func reopen() -> InMemoryTaskStore {
        current.withLock { store in
            store = InMemoryTaskStore(contentsOf: store)
            return store
        }
    }
}
