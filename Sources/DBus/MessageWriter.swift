// Puts Swift values into a libdbus message. Everything was checked before, so that what can fail here
// is memory and descriptors only.

import CDBus

/// Appends values to messages.
enum MessageWriter {
    typealias Cursor = UnsafeMutablePointer<DBusMessageIter>

    /// Appends all arguments.
    ///
    /// - Returns: false when memory or descriptors ran out; the message is useless then.
    static func append(_ arguments: [DBusValue], to message: OpaquePointer) -> Bool {
        if arguments.isEmpty { return true }
        var cursor = DBusMessageIter()
        dbus_message_iter_init_append(message, &cursor)
        for argument in arguments {
            guard append(argument, &cursor) else { return false }
        }
        return true
    }

    private static func append(_ value: DBusValue, _ cursor: Cursor) -> Bool {
        switch value {
        case .byte(let number): return basic(number, value, cursor)
        case .boolean(let isTrue): return basic(dbus_bool_t(isTrue ? 1 : 0), value, cursor)
        case .int16(let number): return basic(number, value, cursor)
        case .uint16(let number): return basic(number, value, cursor)
        case .int32(let number): return basic(number, value, cursor)
        case .uint32(let number): return basic(number, value, cursor)
        case .int64(let number): return basic(number, value, cursor)
        case .uint64(let number): return basic(number, value, cursor)
        case .double(let number): return basic(number, value, cursor)
        case .string(let text), .objectPath(let text), .signature(let text):
            return text.withCString { basic($0, value, cursor) }
        case .unixDescriptor(let descriptor): return basic(descriptor.fileDescriptor, value, cursor)
        case .array(let element, let elements): return array(element, elements, cursor)
        case .dictionary(let key, let value, let entries):
            return container(CDBUS_ARRAY, "{" + key + value + "}", cursor) { inner in
                entries.allSatisfy { entry($0, inner) }
            }
        case .structure(let fields):
            return container(CDBUS_STRUCT, nil, cursor) { inner in fields.allSatisfy { append($0, inner) } }
        case .variant(let content):
            return container(CDBUS_VARIANT, content.signature, cursor) { append(content, $0) }
        }
    }

    private static func basic<Raw>(_ raw: Raw, _ value: DBusValue, _ cursor: Cursor) -> Bool {
        withUnsafePointer(to: raw) { dbus_message_iter_append_basic(cursor, value.typeCode, $0) != 0 }
    }

    private static func entry(_ entry: DBusEntry, _ cursor: Cursor) -> Bool {
        container(CDBUS_DICT_ENTRY, nil, cursor) { append(entry.key, $0) && append(entry.value, $0) }
    }

    private static func array(_ element: String, _ elements: [DBusValue], _ cursor: Cursor) -> Bool {
        container(CDBUS_ARRAY, element, cursor) { inner in
            element == "y" ? bytes(elements, inner) : elements.allSatisfy { append($0, inner) }
        }
    }

    /// Bytes in one piece, since an array of them may have millions.
    private static func bytes(_ elements: [DBusValue], _ cursor: Cursor) -> Bool {
        let bytes = elements.map { element -> UInt8 in
            guard case .byte(let byte) = element else { return 0 }
            return byte
        }
        return bytes.withUnsafeBufferPointer { buffer in
            guard var base = buffer.baseAddress, !buffer.isEmpty else { return true }
            return dbus_message_iter_append_fixed_array(
                cursor,
                Int32(CDBUS_BYTE.rawValue),
                &base,
                Int32(buffer.count)
            ) != 0
        }
    }

    private static func container(
        _ type: CDBusType,
        _ content: String?,
        _ cursor: Cursor,
        _ fill: (Cursor) -> Bool
    ) -> Bool {
        var inner = DBusMessageIter()
        let code = Int32(type.rawValue)
        let isOpen =
            if let content {
                content.withCString { dbus_message_iter_open_container(cursor, code, $0, &inner) != 0 }
            } else {
                dbus_message_iter_open_container(cursor, code, nil, &inner) != 0
            }
        guard isOpen else { return false }
        guard fill(&inner) else {
            dbus_message_iter_abandon_container(cursor, &inner)
            return false
        }
        return dbus_message_iter_close_container(cursor, &inner) != 0
    }
}

extension DBusValue {
    /// The code by which libdbus knows the value's type.
    var typeCode: Int32 {
        let code =
            switch self {
            case .byte: CDBUS_BYTE
            case .boolean: CDBUS_BOOLEAN
            case .int16: CDBUS_INT16
            case .uint16: CDBUS_UINT16
            case .int32: CDBUS_INT32
            case .uint32: CDBUS_UINT32
            case .int64: CDBUS_INT64
            case .uint64: CDBUS_UINT64
            case .double: CDBUS_DOUBLE
            case .string: CDBUS_STRING
            case .objectPath: CDBUS_OBJECT_PATH
            case .signature: CDBUS_SIGNATURE
            case .unixDescriptor: CDBUS_UNIX_FD
            case .array, .dictionary: CDBUS_ARRAY
            case .structure: CDBUS_STRUCT
            case .variant: CDBUS_VARIANT
            }
        return Int32(code.rawValue)
    }
}
