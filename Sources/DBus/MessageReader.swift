// Makes Swift values of a libdbus message that came in. libdbus has checked it, so any valid type comes
// out; what can fail is the duplication of descriptors.

import CDBus

/// Reads messages.
enum MessageReader {
    private typealias Cursor = UnsafeMutablePointer<DBusMessageIter>

    /// All arguments of a message.
    ///
    /// - Throws: ``DBusError`` `limitsExceeded` when a descriptor could not be duplicated.
    static func arguments(of message: OpaquePointer) throws -> [DBusValue] {
        var cursor = DBusMessageIter()
        guard dbus_message_iter_init(message, &cursor) != 0 else { return [] }
        return try values(&cursor)
    }

    /// The values from here to the end of the container.
    private static func values(_ cursor: Cursor) throws -> [DBusValue] {
        var values: [DBusValue] = []
        while case let code = type(cursor), code != CDBUS_INVALID {
            values.append(try value(code, cursor))
            dbus_message_iter_next(cursor)
        }
        return values
    }

    private static func type(_ cursor: Cursor) -> CDBusType {
        CDBusType(UInt32(bitPattern: dbus_message_iter_get_arg_type(cursor)))
    }

    private static func value(_ code: CDBusType, _ cursor: Cursor) throws -> DBusValue {
        switch code {
        case CDBUS_BYTE: return .byte(basic(0, cursor))
        case CDBUS_BOOLEAN: return .boolean(basic(dbus_bool_t(0), cursor) != 0)
        case CDBUS_INT16: return .int16(basic(0, cursor))
        case CDBUS_UINT16: return .uint16(basic(0, cursor))
        case CDBUS_INT32: return .int32(basic(0, cursor))
        case CDBUS_UINT32: return .uint32(basic(0, cursor))
        case CDBUS_INT64: return .int64(basic(0, cursor))
        case CDBUS_UINT64: return .uint64(basic(0, cursor))
        case CDBUS_DOUBLE: return .double(basic(0, cursor))
        case CDBUS_STRING: return .string(text(cursor))
        case CDBUS_OBJECT_PATH: return .objectPath(text(cursor))
        case CDBUS_SIGNATURE: return .signature(text(cursor))
        case CDBUS_UNIX_FD: return .unixDescriptor(try descriptor(cursor))
        case CDBUS_ARRAY: return try array(cursor)
        case CDBUS_STRUCT: return .structure(try inside(cursor, values))
        default: return .variant(try inside(cursor) { try value(type($0), $0) })
        }
    }

    private static func basic<Raw: BitwiseCopyable>(_ empty: Raw, _ cursor: Cursor) -> Raw {
        var raw = empty
        dbus_message_iter_get_basic(cursor, &raw)
        return raw
    }

    private static func text(_ cursor: Cursor) -> String {
        var pointer: UnsafePointer<CChar>?
        dbus_message_iter_get_basic(cursor, &pointer)
        return pointer.map { String(cString: $0) } ?? ""
    }

    private static func descriptor(_ cursor: Cursor) throws -> DBusDescriptor {
        let copy: Int32 = basic(-1, cursor)
        guard copy >= 0 else {
            throw DBusError.tooLarge("A file descriptor came with a message, but no more can be opened.")
        }
        return DBusDescriptor(owning: copy)
    }

    private static func inside<Value>(_ cursor: Cursor, _ read: (Cursor) throws -> Value) rethrows -> Value {
        var inner = DBusMessageIter()
        dbus_message_iter_recurse(cursor, &inner)
        return try read(&inner)
    }

    private static func array(_ cursor: Cursor) throws -> DBusValue {
        let element = CDBusType(UInt32(bitPattern: dbus_message_iter_get_element_type(cursor)))
        switch element {
        case CDBUS_BYTE: return .array(of: "y", inside(cursor, bytes))
        case CDBUS_DICT_ENTRY: return try dictionary(cursor)
        case CDBUS_ARRAY, CDBUS_STRUCT:
            return .array(of: String(signature(cursor).dropFirst()), try inside(cursor, values))
        default:
            let code = String(Unicode.Scalar(UInt8(truncatingIfNeeded: element.rawValue)))
            return .array(of: code, try inside(cursor, values))
        }
    }

    private static func bytes(_ cursor: Cursor) -> [DBusValue] {
        var base: UnsafePointer<UInt8>?
        var count: Int32 = 0
        dbus_message_iter_get_fixed_array(cursor, &base, &count)
        return UnsafeBufferPointer(start: base, count: Int(count)).map { .byte($0) }
    }

    private static func dictionary(_ cursor: Cursor) throws -> DBusValue {
        // "a{" key value "}"
        let types = signature(cursor).dropFirst(2).dropLast()
        let entries = try inside(cursor) { inner in
            var entries: [DBusEntry] = []
            while type(inner) != CDBUS_INVALID {
                let pair = try inside(inner, values)
                entries.append(DBusEntry(pair[0], pair[1]))
                dbus_message_iter_next(inner)
            }
            return entries
        }
        return .dictionary(key: String(types.prefix(1)), value: String(types.dropFirst()), entries)
    }

    private static func signature(_ cursor: Cursor) -> String {
        guard let text = dbus_message_iter_get_signature(cursor) else { return "" }
        defer { dbus_free(text) }
        return String(cString: text)
    }
}
