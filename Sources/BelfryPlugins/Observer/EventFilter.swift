// Which events an observer hears: said in its manifest, or by the user in the configuration, and applied by
// the hub, so that a plugin is not woken for what it would throw away.

public import BelfryCore

/// A choice of events by their types and by the features of their tasks.
public struct EventFilter: Sendable, Hashable {
    /// Defaults to all.
    public var kinds = Set(TaskEvent.Kind.allCases)
    /// Events of tasks of these features only; those of batches are of none. Defaults to nil: all events.
    public var features: [Glob]?

    public init() {}

    public func matches(_ record: EventRecord) -> Bool {
        guard kinds.contains(record.kind) else { return false }
        guard let features else { return true }
        guard let json = try? JSONValue(parsing: record.json), let id = json["task"]?["featureId"]?.string
        else {
            return false
        }
        return features.contains { $0.matches(id) }
    }

    /// The types that patterns name: `task.failed`, `failed` for short, or `batch.*`.
    ///
    /// - Throws: ``Unknown`` for a pattern that fits none.
    static func kinds(_ patterns: [String]) throws(Unknown) -> Set<TaskEvent.Kind> {
        var kinds: Set<TaskEvent.Kind> = []
        for pattern in patterns {
            let glob = Glob(pattern)
            let fitting = TaskEvent.Kind.allCases.filter { kind in
                glob.matches(kind.rawValue) || "task.\(pattern)" == kind.rawValue
            }
            if fitting.isEmpty { throw Unknown(pattern: pattern) }
            kinds.formUnion(fitting)
        }
        return kinds
    }

    /// A pattern that no type of event fits.
    struct Unknown: Error {
        let pattern: String

        var reason: String {
            let names = TaskEvent.Kind.allCases.map(\.rawValue)
            let short = names.compactMap { $0.hasPrefix("task.") ? String($0.dropFirst(5)) : nil }
            let hint = NameSuggestion.closest(to: pattern, among: Set(names + short))
            return "names no event: '\(pattern)'" + (hint.map { "; did you mean '\($0)'?" } ?? "")
        }

        static let fix = "Write types of Docs/Events.md, such as [\"completed\", \"failed\", \"batch.*\"]."
    }
}
