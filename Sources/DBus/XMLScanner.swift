// The little XML that introspection needs, so that the module links no XML library: tags, attributes,
// entities; comments, declarations and text are skipped.

/// Walks through the tags of a document.
struct XMLScanner {
    enum Tag: Equatable {
        case start(String, [String: String])
        /// Also the second half of an element that is empty, `<arg/>`.
        case end(String)
    }

    private let bytes: [UInt8]
    private var position = 0
    private var emptyElement: String?

    init(_ document: String) { bytes = Array(document.utf8) }

    /// The next tag, or nil at the end.
    ///
    /// - Throws: ``DBusError`` `invalidArgs`.
    mutating func next() throws -> Tag? {
        if let name = emptyElement {
            emptyElement = nil
            return .end(name)
        }
        while let start = find("<", from: position) {
            position = start
            if starts(with: "<!--") {
                try skip(past: "-->")
            } else if starts(with: "<![CDATA[") {
                try skip(past: "]]>")
            } else if starts(with: "<?") {
                try skip(past: "?>")
            } else if starts(with: "<!") {
                try skipDeclaration()
            } else {
                position += 1
                return try tag()
            }
        }
        return nil
    }

    private mutating func tag() throws -> Tag {
        if take("/") {
            let name = try name()
            skipSpace()
            try expect(">")
            return .end(name)
        }
        let name = try name()
        var attributes: [String: String] = [:]
        while true {
            skipSpace()
            if take(">") { return .start(name, attributes) }
            if take("/") {
                try expect(">")
                emptyElement = name
                return .start(name, attributes)
            }
            let key = try self.name()
            attributes[key] = try value()
        }
    }

    private mutating func name() throws -> String {
        let start = position
        while let byte = peek, !Self.endsName(byte) { position += 1 }
        guard position > start else { throw DBusIntrospection.fault("a name is missing") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func value() throws -> String {
        skipSpace()
        try expect("=")
        skipSpace()
        let quote: Unicode.Scalar = peek == UInt8(ascii: "'") ? "'" : "\""
        try expect(quote)
        let start = position
        guard let end = find(quote, from: start) else {
            throw DBusIntrospection.fault("a value does not end")
        }
        position = end + 1
        return try Self.decoded(String(decoding: bytes[start..<end], as: UTF8.self))
    }

    private static func decoded(_ text: String) throws -> String {
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        let parts = text.split(separator: "&", omittingEmptySubsequences: false)
        var decoded = String(parts[0])
        for part in parts.dropFirst() {
            guard let end = part.firstIndex(of: ";"), let scalar = entity(part[..<end]) else {
                throw DBusIntrospection.fault("an entity is unknown")
            }
            decoded.unicodeScalars.append(scalar)
            decoded += part[part.index(after: end)...]
        }
        return decoded
    }

    private static func entity(_ name: Substring) -> Unicode.Scalar? {
        switch name {
        case "amp": "&"
        case "lt": "<"
        case "gt": ">"
        case "quot": "\""
        case "apos": "'"
        default:
            if name.hasPrefix("#x") {
                UInt32(name.dropFirst(2), radix: 16).flatMap { Unicode.Scalar($0) }
            } else if name.hasPrefix("#") {
                UInt32(name.dropFirst()).flatMap { Unicode.Scalar($0) }
            } else {
                nil
            }
        }
    }

    // MARK: - Bytes

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    private static func endsName(_ byte: UInt8) -> Bool {
        isSpace(byte) || "<>/=\"'".utf8.contains(byte)
    }

    private mutating func skipSpace() { while let byte = peek, Self.isSpace(byte) { position += 1 } }

    private func find(_ scalar: Unicode.Scalar, from start: Int) -> Int? {
        bytes[start...].firstIndex(of: UInt8(ascii: scalar))
    }

    private func starts(with text: StaticString) -> Bool {
        text.withUTF8Buffer { bytes[position...].starts(with: $0) }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: scalar) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ scalar: Unicode.Scalar) throws {
        guard take(scalar) else { throw DBusIntrospection.fault("\(scalar) is missing") }
    }

    private mutating func skip(past text: StaticString) throws {
        while position < bytes.count {
            if starts(with: text) {
                position += text.utf8CodeUnitCount
                return
            }
            position += 1
        }
        throw DBusIntrospection.fault("a comment or the like does not end")
    }

    /// A declaration may hold others in brackets, and `>` in quotes.
    private mutating func skipDeclaration() throws {
        var depth = 0
        var quote: UInt8?
        while let byte = peek {
            position += 1
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: "<") {
                depth += 1
            } else if byte == UInt8(ascii: ">") {
                depth -= 1
                if depth == 0 { return }
            }
        }
        throw DBusIntrospection.fault("a declaration does not end")
    }
}
