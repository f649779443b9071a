// How the processes of a plugin that stays are, as it is shown to people.

public import BelfryCore

/// The state of a plugin's processes.
public struct PluginProcessStatus: Sendable, Hashable {
    public enum Condition: String, Sendable {
        /// None runs; the next task starts one.
        case stopped
        /// It was started and has not answered yet.
        case starting
        /// It waits for tasks.
        case ready
        /// It works on tasks.
        case busy
        /// It takes no more tasks and ends when it has done those that it has.
        case draining
        /// It crashed and is not started again before a while.
        case backoff
        /// It crashed too often and is not started again before it is enabled.
        case quarantined
    }

    public var condition: Condition
    /// Why, when something is wrong: a sentence for people.
    public var reason: String?
    public var fix: String?
    /// Tasks that it works on.
    public var running = 0
    /// Crashes that still count.
    public var crashes = 0
    /// Lines that it printed and nobody understood.
    public var garbage = 0

    public init(condition: Condition) { self.condition = condition }

    /// For the API.
    public var json: JSONValue {
        [
            "state": .string(condition.rawValue), "running": .int(Int64(running)),
            "crashes": .int(Int64(crashes)), "garbageLines": .int(Int64(garbage)),
        ]
    }
}
