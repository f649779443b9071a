// What is known of groups while the hub runs: the worker asks at every claim, so it is kept in memory,
// and written to the store before it holds.

public import BelfryCore
import Synchronization

/// The groups that were set: their limits, and whether they are open.
public final class GroupBook: Sendable {
    private let store: any TaskStore
    private let groups = Mutex<[String: TaskGroup]>([:])

    public init(store: any TaskStore) { self.store = store }

    /// Reads what the store has. Before the worker starts.
    public func load() async throws {
        let stored = try await store.groups()
        groups.withLock { $0 = Dictionary(uniqueKeysWithValues: stored.map { ($0.name, $0) }) }
    }

    /// A group as it was set, or as it is by default.
    public subscript(name: String) -> TaskGroup {
        groups.withLock { $0[name] } ?? TaskGroup(name: name)
    }

    /// Those that were set, by name.
    public var all: [TaskGroup] { groups.withLock { $0.values.sorted { $0.name < $1.name } } }

    /// Whether tasks of a group may start: neither it nor all are paused.
    public func starts(_ name: String) -> Bool {
        groups.withLock { $0[TaskGroup.all]?.state != .paused && $0[name]?.state != .paused }
    }

    /// Whether submissions to a group are accepted.
    public func accepts(_ name: String) -> Bool {
        groups.withLock { $0[TaskGroup.all]?.state != .draining && $0[name]?.state != .draining }
    }

    /// Keeps a group as it is now.
    func set(_ group: TaskGroup) async throws {
        try await store.saveGroup(group)
        groups.withLock { $0[group.name] = group.isDefault ? nil : group }
    }
}
