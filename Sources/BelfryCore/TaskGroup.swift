// Groups of tasks that share a limit, and can be held and let go together.

/// A named group of tasks: how many slots it has, and whether its tasks start.
///
/// A group exists as soon as a task names it; one that was never set has no limit and is open.
public struct TaskGroup: Hashable, Sendable {
    public enum State: String, Sendable, CaseIterable {
        /// Tasks start as slots come free.
        case open
        /// What runs goes on; nothing new starts.
        case paused
        /// What is there runs to its end; nothing new is accepted.
        case draining
    }

    /// The group that stands for all: pausing it pauses every group.
    public static let all = "*"
    /// The group of tasks that name none.
    public static let standard = "default"

    public var name: String
    /// Slots for its tasks at once; nil for as many as the worker has. Defaults to nil.
    public var slots: Int?
    /// Defaults to open.
    public var state = State.open

    public init(name: String) { self.name = name }

    /// Nothing was set that stores must remember.
    public var isDefault: Bool { slots == nil && state == .open }

    /// - Throws: ``BelfryError`` `invalid_request`.
    public static func check(name: String) throws {
        let isBounded = (1...64).contains(name.utf8.count)
        guard isBounded, !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x2F }), name != all
        else {
            throw BelfryError(
                .invalidRequest,
                "'\(name.truncated(toUTF8: 80))' is not a group's name.",
                fix: "Use 1 to 64 bytes without '/' and control characters; '*' stands for all groups.",
                pointer: "/group"
            )
        }
    }

    /// `{"name":"gpu","slots":2,"state":"open"}`
    public var json: JSONValue {
        var object: JSONObject = ["name": .string(name)]
        object.set("slots", slots.map { .int(Int64($0)) })
        object["state"] = .string(state.rawValue)
        return .object(object)
    }
}
