// What D-Bus lets stand as a path or a name. libdbus ends the process on a bad one, so nothing gets
// there unchecked.

import Glibc

/// The rules of the D-Bus specification, "Valid Names" and "Valid Object Paths".
enum NameRules {
    private static let longest = 255

    static func checkPath(_ path: String) throws {
        guard matches(path, isPath) else {
            throw DBusError.invalid("\(quoted(path)) is not an object path, such as /org/example/Thing_1.")
        }
    }

    /// The path and the interface of a message. `org.freedesktop.DBus.Local` is libdbus's own: the bus cuts
    /// the connection of who sends it.
    static func checkTarget(path: String, interface: String?) throws {
        try checkPath(path)
        if let interface { try checkInterface(interface) }
        guard path != "/org/freedesktop/DBus/Local", interface != "org.freedesktop.DBus.Local" else {
            throw DBusError.invalid("org.freedesktop.DBus.Local cannot be sent.")
        }
    }

    /// An interface, or the name of an error.
    static func checkInterface(_ name: String, as what: String = "an interface") throws {
        guard matches(name, isInterface) else {
            throw DBusError.invalid("\(quoted(name)) is not the name of \(what), such as org.example.Thing.")
        }
    }

    static func checkMember(_ name: String) throws {
        guard matches(name, isMember) else {
            throw DBusError.invalid("\(quoted(name)) is not the name of a method, signal or property.")
        }
    }

    static func checkBusName(_ name: String) throws {
        guard matches(name, isBusName) else {
            throw DBusError.invalid("\(quoted(name)) is not a bus name, such as org.example.Thing or :1.42.")
        }
    }

    static func checkWellKnownName(_ name: String) throws {
        try checkBusName(name)
        guard !isUnique(name) else { throw DBusError.invalid("\(quoted(name)) is not a well-known name.") }
    }

    static func isUnique(_ name: String) -> Bool { name.utf8.first == UInt8(ascii: ":") }

    /// Text for a message: short, and without control characters.
    static func quoted(_ text: String) -> String {
        text.count > 80 ? "\(text.prefix(80).debugDescription)…" : text.debugDescription
    }

    static func hasNUL(_ text: String) -> Bool {
        matches(text) { bytes in bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false }
    }

    // MARK: - Bytes

    private typealias Bytes = UnsafeBufferPointer<UInt8>

    private static func matches(_ text: String, _ rule: (Bytes) -> Bool) -> Bool {
        var text = text
        return text.withUTF8(rule)
    }

    private static func isPath(_ bytes: Bytes) -> Bool {
        guard bytes.first == UInt8(ascii: "/") else { return false }
        if bytes.count == 1 { return true }
        var previous = UInt8(ascii: "a")
        for byte in bytes {
            if byte == UInt8(ascii: "/") {
                if previous == byte { return false }
            } else if !isWord(byte) {
                return false
            }
            previous = byte
        }
        return previous != UInt8(ascii: "/")
    }

    private static func isInterface(_ bytes: Bytes) -> Bool {
        bytes.count <= longest && isDotted(bytes, allowsHyphen: false, allowsLeadingDigit: false)
    }

    private static func isBusName(_ bytes: Bytes) -> Bool {
        guard bytes.count <= longest else { return false }
        guard bytes.first == UInt8(ascii: ":") else {
            return isDotted(bytes, allowsHyphen: true, allowsLeadingDigit: false)
        }
        return isDotted(Bytes(rebasing: bytes[1...]), allowsHyphen: true, allowsLeadingDigit: true)
    }

    private static func isMember(_ bytes: Bytes) -> Bool {
        guard let first = bytes.first, bytes.count <= longest, !isDigit(first) else { return false }
        return bytes.allSatisfy(isWord)
    }

    /// At least two elements with dots between them, none empty.
    private static func isDotted(_ bytes: Bytes, allowsHyphen: Bool, allowsLeadingDigit: Bool) -> Bool {
        var isAtStart = true
        var dots = 0
        for byte in bytes {
            if byte == UInt8(ascii: ".") {
                if isAtStart { return false }
                dots += 1
                isAtStart = true
                continue
            }
            guard isWord(byte) || allowsHyphen && byte == UInt8(ascii: "-") else { return false }
            if isAtStart, !allowsLeadingDigit, isDigit(byte) { return false }
            isAtStart = false
        }
        return dots > 0 && !isAtStart
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private static func isWord(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || isDigit(byte) || byte == UInt8(ascii: "_")
    }
}
