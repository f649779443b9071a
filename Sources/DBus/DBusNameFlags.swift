// How hard a name is wanted, and held.

/// How to ask for a well-known name.
public struct DBusNameFlags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Others that ask with ``replaceExisting`` may take it over.
    public static let allowReplacement = DBusNameFlags(rawValue: 1)
    /// Takes it over from an owner that allows that.
    public static let replaceExisting = DBusNameFlags(rawValue: 2)
    /// Without the name at once, does not wait for it in the bus's queue.
    public static let doNotQueue = DBusNameFlags(rawValue: 4)
}
