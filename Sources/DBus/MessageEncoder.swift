// Values on their way to the wire, checked and written in one pass on the caller's side. What libdbus would
// abort on, or the bus would answer by cutting the connection, is refused here with an error that names
// the fault. libdbus's own iterators set the signature in the header anew with each argument, which took
// more than half of a client's time; it gets whole messages instead, and checks them once more.

/// Writes values as the D-Bus specification has them ("Marshaling"), in the machine's byte order.
struct MessageEncoder {
    /// Bytes of a whole message, by the specification.
    static let largestMessage = 128 << 20
    /// Bytes of an array's elements, by the specification.
    static let largestArray = 64 << 20
    /// What Linux carries with one message.
    static let mostDescriptors = 253

    /// What was written. Values are aligned from its beginning.
    private(set) var bytes: [UInt8] = []
    /// How many descriptors go along.
    private(set) var descriptors = 0

    init(capacity: Int = 512) { bytes.reserveCapacity(capacity) }

    // MARK: - Pieces

    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    mutating func align(_ boundary: Int) {
        var padding = -bytes.count & (boundary - 1)
        while padding > 0 {
            bytes.append(0)
            padding -= 1
        }
    }

    mutating func number<Number: FixedWidthInteger>(_ number: Number) {
        align(MemoryLayout<Number>.size)
        withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }

    /// Text with its length before it, in the caller's hands as to its content.
    mutating func text(_ text: String) {
        number(UInt32(truncatingIfNeeded: text.utf8.count))
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
    }

    /// A signature; at most 255 bytes.
    mutating func signature(_ signature: String) {
        bytes.append(UInt8(truncatingIfNeeded: signature.utf8.count))
        bytes.append(contentsOf: signature.utf8)
        bytes.append(0)
    }

    /// Puts a number in the place of one that was written.
    mutating func replace(at position: Int, with number: UInt32) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: number, toByteOffset: position, as: UInt32.self) }
    }

    // MARK: - Values

    /// - Throws: ``DBusError`` `invalidArgs` or `limitsExceeded`.
    mutating func value(_ value: DBusValue, _ depth: NestingDepth = NestingDepth()) throws {
        switch value {
        case .byte(let number): byte(number)
        case .boolean(let isTrue): number(UInt32(isTrue ? 1 : 0))
        case .int16(let number): self.number(number)
        case .uint16(let number): self.number(number)
        case .int32(let number): self.number(number)
        case .uint32(let number): self.number(number)
        case .int64(let number): self.number(number)
        case .uint64(let number): self.number(number)
        case .double(let number): self.number(number.bitPattern)
        case .string(let text):
            try Self.check(text)
            try room(for: text)
            self.text(text)
        case .objectPath(let path):
            try NameRules.checkPath(path)
            try room(for: path)
            text(path)
        case .signature(let signature):
            try SignatureRules.check(signature)
            self.signature(signature)
        case .unixDescriptor(let descriptor): try self.descriptor(descriptor)
        case .array(let element, let elements): try array(of: element, elements, depth.inArray())
        case .dictionary(let key, let value, let entries):
            try dictionary(key, value, entries, depth.inArray())
        case .structure(let fields): try structure(fields, depth.inStructure())
        case .variant(let inner): try variant(inner, depth.inVariant())
        }
    }

    /// - Throws: ``DBusError`` `invalidArgs` when D-Bus cannot carry the text.
    static func check(_ text: String) throws {
        guard !NameRules.hasNUL(text) else {
            throw DBusError.invalid("The text \(NameRules.quoted(text)) contains U+0000.")
        }
    }

    /// Refuses what is too large before it is copied.
    private func room(for text: String) throws {
        guard bytes.count + text.utf8.count <= Self.largestMessage else {
            throw DBusError.tooLarge("The message is larger than 128 MiB.")
        }
    }

    /// The place of a descriptor among those that go along.
    private mutating func descriptor(_ descriptor: DBusDescriptor) throws {
        guard descriptor.fileDescriptor >= 0 else { throw DBusError.invalid("The descriptor is not open.") }
        number(UInt32(descriptors))
        descriptors += 1
        guard descriptors <= Self.mostDescriptors else {
            throw DBusError.tooLarge("The message has more than \(Self.mostDescriptors) file descriptors.")
        }
    }

    private mutating func array(of element: String, _ elements: [DBusValue], _ depth: NestingDepth) throws {
        try SignatureRules.checkOne(element, arrays: depth.arrays, structures: depth.structures)
        let open = beginArray(element.utf8.first)
        for value in elements {
            guard value.hasSignature(element) else { throw Self.mismatch(value, in: "a" + element) }
            try self.value(value, depth)
        }
        try endArray(open)
    }

    private mutating func dictionary(
        _ key: String,
        _ value: String,
        _ entries: [DBusEntry],
        _ depth: NestingDepth
    ) throws {
        try SignatureRules.checkBasic(key)
        try SignatureRules.checkOne(value, arrays: depth.arrays, structures: depth.structures)
        let inner = try depth.inEntry()
        let open = beginArray(UInt8(ascii: "{"))
        for entry in entries {
            guard entry.key.hasSignature(key) else { throw Self.mismatch(entry.key, in: "a{\(key)\(value)}") }
            guard entry.value.hasSignature(value) else {
                throw Self.mismatch(entry.value, in: "a{\(key)\(value)}")
            }
            align(8)
            try self.value(entry.key, inner)
            try self.value(entry.value, inner)
        }
        try endArray(open)
    }

    /// An array that is being written.
    private struct OpenArray {
        /// Where its length stands.
        var length: Int
        /// Where its elements begin: the padding before them is not counted.
        var start: Int
    }

    private mutating func beginArray(_ element: UInt8?) -> OpenArray {
        number(UInt32(0))
        let length = bytes.count - 4
        align(SignatureRules.alignment(element))
        return OpenArray(length: length, start: bytes.count)
    }

    private mutating func endArray(_ array: OpenArray) throws {
        let size = bytes.count - array.start
        guard size <= Self.largestArray else { throw DBusError.tooLarge("An array is larger than 64 MiB.") }
        replace(at: array.length, with: UInt32(size))
    }

    private mutating func structure(_ fields: [DBusValue], _ depth: NestingDepth) throws {
        guard !fields.isEmpty else { throw DBusError.invalid("A structure needs at least one field.") }
        align(8)
        for field in fields { try value(field, depth) }
    }

    private mutating func variant(_ inner: DBusValue, _ depth: NestingDepth) throws {
        let length = inner.signatureLength
        guard length <= 255 else {
            throw DBusError.tooLarge("The signature of a variant has \(length) bytes; 255 are allowed.")
        }
        signature(inner.signature)
        try value(inner, depth)
    }

    private static func mismatch(_ value: DBusValue, in container: String) -> DBusError {
        .invalid("A value of type \(value.signature) is not an element of \(container).")
    }
}
