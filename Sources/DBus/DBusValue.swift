// The one type that every argument of every message is: what D-Bus can say, as a Swift value.

/// One value of any D-Bus type.
///
/// Containers keep the signature of what they hold, so that an empty array still has a type. Whether
/// the elements agree with it is checked when the value is sent, not when it is made.
public enum DBusValue: Hashable, Sendable {
    /// `y`, 0…255.
    case byte(UInt8)
    /// `b`.
    case boolean(Bool)
    /// `n`.
    case int16(Int16)
    /// `q`.
    case uint16(UInt16)
    /// `i`.
    case int32(Int32)
    /// `u`.
    case uint32(UInt32)
    /// `x`.
    case int64(Int64)
    /// `t`.
    case uint64(UInt64)
    /// `d`.
    case double(Double)
    /// `s`. May not contain U+0000, which D-Bus cannot carry.
    case string(String)
    /// `o`: `/` or `/a/b_1`, letters, digits and underscores between slashes.
    case objectPath(String)
    /// `g`: any number of complete types, at most 255 bytes.
    case signature(String)
    /// `h`: an open file that goes along with the message.
    case unixDescriptor(DBusDescriptor)
    /// `a…`: elements of one type, whose signature comes first. At most 64 MiB.
    indirect case array(of: String, [DBusValue])
    /// `a{…}`: entries in the order they travel. The key is of a basic type.
    indirect case dictionary(key: String, value: String, [DBusEntry])
    /// `(…)`: at least one field.
    case structure([DBusValue])
    /// `v`: a value that carries its type.
    indirect case variant(DBusValue)
}

/// One entry of a dictionary.
public struct DBusEntry: Hashable, Sendable {
    public var key: DBusValue
    public var value: DBusValue

    public init(_ key: DBusValue, _ value: DBusValue) {
        self.key = key
        self.value = value
    }
}

extension DBusValue {
    /// The signature of this value's type, such as `a{sv}`.
    public var signature: String {
        switch self {
        case .byte: "y"
        case .boolean: "b"
        case .int16: "n"
        case .uint16: "q"
        case .int32: "i"
        case .uint32: "u"
        case .int64: "x"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .objectPath: "o"
        case .signature: "g"
        case .unixDescriptor: "h"
        case .array(let element, _): "a" + element
        case .dictionary(let key, let value, _): "a{" + key + value + "}"
        case .structure(let fields): "(" + fields.signature + ")"
        case .variant: "v"
        }
    }
}

extension [DBusValue] {
    /// The signatures of all values, one after the other: that of a message with these arguments.
    public var signature: String {
        var all = ""
        for value in self { all += value.signature }
        return all
    }
}
