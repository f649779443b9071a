// What a notification server was told, with nothing lost: the types of the hints are what strict servers
// look at, so they are kept.

public import DBus

/// One `Notify` call as it came in.
public struct ReceivedNotification: Sendable, Hashable {
    /// A button: the key that its signal has, and the text on it.
    public struct Action: Sendable, Hashable {
        public var key, label: String

        public init(key: String, label: String) {
            self.key = key
            self.label = label
        }
    }

    /// What the server made of the call.
    public enum Answer: Sendable, Hashable {
        case id(UInt32)
        case error(DBusError)
    }

    /// The unique name of the caller.
    public var sender: String
    public var appName: String
    public var replacesID: UInt32
    public var icon: String
    public var summary: String
    public var body: String
    public var actions: [Action]
    public var hints: ReceivedHints
    /// Milliseconds; -1 leaves it to the server, 0 is never.
    public var timeout: Int32
    /// The types of all arguments as one string.
    public var signature: String
    /// The id or the error that the caller gets. Decided when the call arrives, also when it is held.
    public var answer: Answer

    /// The id that the caller gets; nil when it gets an error.
    public var id: UInt32? { if case .id(let id) = answer { id } else { nil } }

    /// The label of the button with this key.
    public func label(of key: String) -> String? { actions.first { $0.key == key }?.label }

    /// What a wrong call is answered with.
    static func invalid(_ message: String) -> DBusError {
        DBusError(name: DBusError.invalidArgs, message: message)
    }

    /// Reads the arguments of a call.
    ///
    /// - Throws: `InvalidArgs` when they are not those of `Notify` or the list of actions is odd.
    init(sender: String, arguments: [DBusValue]) throws(DBusError) {
        self.sender = sender
        signature = arguments.map(\.signature).joined()
        guard signature == Self.signature else {
            throw Self.invalid("Notify takes \(Self.signature), not \(signature)")
        }
        guard case .string(let appName) = arguments[0], case .uint32(let replacesID) = arguments[1],
            case .string(let icon) = arguments[2], case .string(let summary) = arguments[3],
            case .string(let body) = arguments[4], let actions = arguments[5].stringsValue,
            case .dictionary(_, _, let hints) = arguments[6], case .int32(let timeout) = arguments[7]
        else { throw Self.invalid("Notify has arguments that are not what their signature says") }
        guard actions.count.isMultiple(of: 2) else {
            throw Self.invalid("the list of actions is odd: \(actions)")
        }
        (self.appName, self.replacesID, self.icon) = (appName, replacesID, icon)
        (self.summary, self.body, self.timeout) = (summary, body, timeout)
        self.actions = stride(from: 0, to: actions.count, by: 2).map {
            Action(key: actions[$0], label: actions[$0 + 1])
        }
        self.hints = ReceivedHints(hints)
        answer = .id(0)
    }

    /// What `Notify` takes.
    static let signature = "susssasa{sv}i"
}

/// The hints of a notification in the order in which they were sent, each with its exact type.
public struct ReceivedHints: Sendable, Hashable, CustomStringConvertible {
    /// A hint, its variant taken off once.
    public struct Hint: Sendable, Hashable {
        public var name: String
        public var value: DBusValue
    }

    public var all: [Hint]

    init(_ entries: [DBusEntry]) {
        all = entries.map { entry in
            let value = if case .variant(let inner) = entry.value { inner } else { entry.value }
            return Hint(name: entry.key.stringValue ?? "", value: value)
        }
    }

    public var names: [String] { all.map(\.name) }

    /// The value with this name; nil when it was not sent.
    public subscript(name: String) -> DBusValue? { all.first { $0.name == name }?.value }

    public var description: String {
        "[" + all.map { "\($0.name): \($0.value.signature) \($0.value)" }.joined(separator: ", ") + "]"
    }
}
