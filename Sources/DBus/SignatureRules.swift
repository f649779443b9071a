// Signatures: the small language of types. Checked here because libdbus ends the process on a bad one.

/// The rules of the D-Bus specification, "Valid Signatures".
enum SignatureRules {
    /// Containers of one kind within each other, at most.
    static let deepest = 32

    /// Any number of complete types, at most 255 bytes.
    static func check(_ signature: String) throws {
        var parser = Parser(signature)
        guard parser.bytes.count <= 255, parser.takeAll() else { throw fault(signature, "a signature") }
    }

    /// Exactly one complete type, within `arrays` arrays and `structures` structures.
    static func checkOne(_ signature: String, arrays: Int = 0, structures: Int = 0) throws {
        var parser = Parser(signature)
        let isOne = parser.takeOne(arrays: arrays, structures: structures) && parser.isAtEnd
        guard parser.bytes.count <= 255, isOne else { throw fault(signature, "the signature of one type") }
    }

    /// One type that can be a key.
    static func checkBasic(_ signature: String) throws {
        guard signature.utf8.count == 1, let code = signature.utf8.first, isBasic(code) else {
            throw fault(signature, "the signature of a basic type")
        }
    }

    static func isBasic(_ code: UInt8) -> Bool {
        switch code {
        case UInt8(ascii: "y"), UInt8(ascii: "b"), UInt8(ascii: "n"), UInt8(ascii: "q"), UInt8(ascii: "i"),
            UInt8(ascii: "u"), UInt8(ascii: "x"), UInt8(ascii: "t"), UInt8(ascii: "d"), UInt8(ascii: "s"),
            UInt8(ascii: "o"), UInt8(ascii: "g"), UInt8(ascii: "h"):
            true
        default: false
        }
    }

    /// Where a value of a type that begins with `code` may begin in a message.
    static func alignment(_ code: UInt8?) -> Int {
        switch code {
        case UInt8(ascii: "y"), UInt8(ascii: "g"), UInt8(ascii: "v"): 1
        case UInt8(ascii: "n"), UInt8(ascii: "q"): 2
        case UInt8(ascii: "x"), UInt8(ascii: "t"), UInt8(ascii: "d"), UInt8(ascii: "("), UInt8(ascii: "{"): 8
        default: 4
        }
    }

    private static func fault(_ signature: String, _ what: String) -> DBusError {
        .invalid("\(NameRules.quoted(signature)) is not \(what).")
    }

    private struct Parser {
        let bytes: [UInt8]
        var position = 0

        init(_ signature: String) { bytes = Array(signature.utf8.prefix(256)) }

        var isAtEnd: Bool { position == bytes.count }

        mutating func takeAll() -> Bool {
            while !isAtEnd { guard takeOne(arrays: 0, structures: 0) else { return false } }
            return true
        }

        mutating func takeOne(arrays: Int, structures: Int) -> Bool {
            guard let code = next() else { return false }
            switch code {
            case UInt8(ascii: "v"): return true
            case UInt8(ascii: "a"):
                guard arrays < deepest else { return false }
                if peek == UInt8(ascii: "{") { return takeEntry(arrays: arrays + 1, structures: structures) }
                return takeOne(arrays: arrays + 1, structures: structures)
            case UInt8(ascii: "("):
                guard structures < deepest else { return false }
                return takeFields(arrays: arrays, structures: structures + 1)
            default: return isBasic(code)
            }
        }

        private var peek: UInt8? { isAtEnd ? nil : bytes[position] }

        private mutating func next() -> UInt8? {
            guard let byte = peek else { return nil }
            position += 1
            return byte
        }

        private mutating func takeFields(arrays: Int, structures: Int) -> Bool {
            guard peek != UInt8(ascii: ")") else { return false }
            while let byte = peek {
                if byte == UInt8(ascii: ")") {
                    position += 1
                    return true
                }
                guard takeOne(arrays: arrays, structures: structures) else { return false }
            }
            return false
        }

        private mutating func takeEntry(arrays: Int, structures: Int) -> Bool {
            position += 1
            guard let key = next(), isBasic(key), takeOne(arrays: arrays, structures: structures) else {
                return false
            }
            return next() == UInt8(ascii: "}")
        }
    }
}
