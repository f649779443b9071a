// Looks at a message before libdbus does. What libdbus would abort on, or the bus would answer by
// cutting the connection, is refused here with an error that names the fault.

import Glibc

/// Checks values and adds up what they take on the wire.
struct MessageCheck {
    /// Bytes of a whole message, by the specification.
    static let largestMessage = 128 << 20
    /// Bytes of an array's elements, by the specification.
    static let largestArray = 64 << 20
    /// Containers within each other, variants too, by the specification.
    static let deepest = 64
    /// What Linux carries with one message.
    static let mostDescriptors = 253

    /// How far inside of containers a value is.
    struct Depth {
        var arrays = 0
        var structures = 0
        var total = 0

        func inArray() throws -> Depth {
            guard arrays < SignatureRules.deepest else { throw Self.fault("arrays") }
            return try Depth(arrays: arrays + 1, structures: structures, total: total).within()
        }

        func inStructure() throws -> Depth {
            guard structures < SignatureRules.deepest else { throw Self.fault("structures") }
            return try Depth(arrays: arrays, structures: structures + 1, total: total).within()
        }

        func inEntry() throws -> Depth { try within() }

        /// A variant brings a signature of its own, so that only the sum goes on.
        func inVariant() throws -> Depth { try Depth(total: total).within() }

        private func within() throws -> Depth {
            guard total < MessageCheck.deepest else {
                throw DBusError.tooLarge("The value has more than \(MessageCheck.deepest) levels.")
            }
            return Depth(arrays: arrays, structures: structures, total: total + 1)
        }

        private static func fault(_ what: String) -> DBusError {
            .tooLarge("The value has more than \(SignatureRules.deepest) \(what) within each other.")
        }
    }

    /// Bytes of the body so far.
    private(set) var size = 0
    private(set) var descriptors = 0

    /// Checks all arguments of a message.
    ///
    /// - Parameter header: bytes of the path, the one part of a header without a limit of its own.
    /// - Throws: ``DBusError`` `invalidArgs` or `limitsExceeded`.
    /// - Returns: whether file descriptors go along.
    @discardableResult
    static func check(_ arguments: [DBusValue], header: Int) throws -> Bool {
        var check = MessageCheck()
        var signature = 0
        for argument in arguments {
            try check.add(argument, Depth())
            signature += check.signatureLength(argument)
        }
        guard signature <= 255 else {
            throw DBusError.tooLarge("The arguments' signature has \(signature) bytes; 255 are allowed.")
        }
        // Fixed part, five names of at most 255 bytes (the bus adds the sender's), padding.
        guard check.size + header + signature + 2048 <= largestMessage else {
            throw DBusError.tooLarge("The message is larger than 128 MiB.")
        }
        guard check.descriptors <= mostDescriptors else {
            throw DBusError.tooLarge("The message has more than \(mostDescriptors) file descriptors.")
        }
        return check.descriptors > 0
    }

    private func signatureLength(_ value: DBusValue) -> Int {
        switch value {
        case .array(let element, _): 1 + element.utf8.count
        case .dictionary(let key, let value, _): 3 + key.utf8.count + value.utf8.count
        case .structure(let fields): fields.reduce(2) { $0 + signatureLength($1) }
        default: 1
        }
    }

    private mutating func add(_ value: DBusValue, _ depth: Depth) throws {
        switch value {
        case .byte: size += 1
        case .int16, .uint16: fixed(2)
        case .boolean, .int32, .uint32: fixed(4)
        case .int64, .uint64, .double: fixed(8)
        case .string(let text): try addText(text)
        case .objectPath(let path):
            try NameRules.checkPath(path)
            try addText(path)
        case .signature(let signature):
            try SignatureRules.check(signature)
            size += 2 + signature.utf8.count
        case .unixDescriptor(let descriptor):
            guard descriptor.fileDescriptor >= 0 else {
                throw DBusError.invalid("The descriptor is not open.")
            }
            descriptors += 1
            fixed(4)
        case .array(let element, let elements): try addArray(of: element, elements, depth.inArray())
        case .dictionary(let key, let value, let entries):
            try addDictionary(key, value, entries, depth.inArray())
        case .structure(let fields): try addStructure(fields, depth.inStructure())
        case .variant(let inner): try addVariant(inner, depth.inVariant())
        }
    }

    private mutating func align(_ boundary: Int) { size = (size + boundary - 1) & ~(boundary - 1) }

    private mutating func fixed(_ bytes: Int) {
        align(bytes)
        size += bytes
    }

    private mutating func addText(_ text: String) throws {
        align(4)
        let length = text.utf8.count
        guard length <= Self.largestMessage else {
            throw DBusError.tooLarge("A string is larger than 128 MiB.")
        }
        guard !Self.hasNUL(text) else {
            throw DBusError.invalid("The text \(NameRules.quoted(text)) contains U+0000.")
        }
        size += 5 + length
    }

    private static func hasNUL(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        }
    }

    private mutating func addArray(of element: String, _ elements: [DBusValue], _ depth: Depth) throws {
        try SignatureRules.checkOne(element, arrays: depth.arrays, structures: depth.structures)
        let start = beginArray(element.utf8.first)
        for value in elements {
            guard value.hasSignature(element) else { throw Self.mismatch(value, in: "a" + element) }
            try add(value, depth)
        }
        try endArray(from: start)
    }

    private mutating func addDictionary(
        _ key: String,
        _ value: String,
        _ entries: [DBusEntry],
        _ depth: Depth
    ) throws {
        try SignatureRules.checkBasic(key)
        try SignatureRules.checkOne(value, arrays: depth.arrays, structures: depth.structures)
        let inner = try depth.inEntry()
        let start = beginArray(UInt8(ascii: "{"))
        for entry in entries {
            guard entry.key.hasSignature(key) else { throw Self.mismatch(entry.key, in: "a{\(key)\(value)}") }
            guard entry.value.hasSignature(value) else {
                throw Self.mismatch(entry.value, in: "a{\(key)\(value)}")
            }
            align(8)
            try add(entry.key, inner)
            try add(entry.value, inner)
        }
        try endArray(from: start)
    }

    private mutating func beginArray(_ element: UInt8?) -> Int {
        fixed(4)
        align(SignatureRules.alignment(element))
        return size
    }

    private func endArray(from start: Int) throws {
        guard size - start <= Self.largestArray else {
            throw DBusError.tooLarge("An array is larger than 64 MiB.")
        }
    }

    private mutating func addStructure(_ fields: [DBusValue], _ depth: Depth) throws {
        guard !fields.isEmpty else { throw DBusError.invalid("A structure needs at least one field.") }
        align(8)
        for field in fields { try add(field, depth) }
    }

    private mutating func addVariant(_ inner: DBusValue, _ depth: Depth) throws {
        let length = signatureLength(inner)
        guard length <= 255 else {
            throw DBusError.tooLarge("The signature of a variant has \(length) bytes; 255 are allowed.")
        }
        size += 2 + length
        try add(inner, depth)
    }

    private static func mismatch(_ value: DBusValue, in container: String) -> DBusError {
        .invalid("A value of type \(value.signature) is not an element of \(container).")
    }
}

extension DBusValue {
    /// Whether `signature` is this value's; faster than making its signature to compare.
    func hasSignature(_ signature: String) -> Bool {
        switch self {
        case .array, .dictionary, .structure: self.signature == signature
        default: signature.utf8.count == 1 && signature.utf8.first == UInt8(truncatingIfNeeded: typeCode)
        }
    }
}
