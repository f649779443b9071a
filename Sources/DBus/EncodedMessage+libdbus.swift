// From what was encoded to what libdbus sends.

import CDBus

extension EncodedMessage {
    /// A new libdbus message with the number `serial`, which the caller unreferences.
    ///
    /// libdbus checks the bytes like those of a stranger, so that no mistake in them could make it abort.
    /// - Throws: ``DBusError`` `limitsExceeded` when memory or descriptors ran out.
    consuming func makeMessage(serial: UInt32) throws -> OpaquePointer {
        if let original { return try original.makeMessage(serial: serial) }
        var bytes = bytes
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: serial, toByteOffset: 8, as: UInt32.self) }
        var error = CDBus.DBusError()
        dbus_error_init(&error)
        defer { dbus_error_free(&error) }
        let message = bytes.withUnsafeBytes { buffer in
            dbus_message_demarshal(buffer.baseAddress, Int32(buffer.count), &error)
        }
        if let message { return message }
        let reason = error.message.map { String(cString: $0) } ?? "memory ran out"
        throw DBusError.tooLarge("libdbus did not take the message: \(reason).")
    }
}

extension OutgoingMessage {
    /// The same by libdbus's own iterators, which take descriptors along.
    ///
    /// Everything in the message was checked by ``encoded()``.
    func makeMessage(serial: UInt32) throws -> OpaquePointer {
        guard let message = dbus_message_new(Int32(type)) else { throw Self.exhausted }
        dbus_message_set_serial(message, serial)
        dbus_message_set_no_reply(message, dbus_bool_t(flags & 1))
        dbus_message_set_auto_start(message, flags & 2 == 0 ? 1 : 0)
        guard setFields(of: message), MessageWriter.append(arguments, to: message) else {
            dbus_message_unref(message)
            throw Self.exhausted
        }
        return message
    }

    private func setFields(of message: OpaquePointer) -> Bool {
        switch self {
        case .call(let call, _):
            dbus_message_set_path(message, call.path) != 0
                && dbus_message_set_interface(message, call.interface) != 0
                && dbus_message_set_member(message, call.member) != 0
                && dbus_message_set_destination(message, call.destination) != 0
        case .signal(let signal, let destination):
            dbus_message_set_path(message, signal.path) != 0
                && dbus_message_set_interface(message, signal.interface) != 0
                && dbus_message_set_member(message, signal.member) != 0
                && dbus_message_set_destination(message, destination) != 0
        case .answer(let address, _): setAddress(address, of: message)
        case .refusal(let address, let error):
            dbus_message_set_error_name(message, error.name) != 0 && setAddress(address, of: message)
        }
    }

    private func setAddress(_ address: ReplyAddress, of message: OpaquePointer) -> Bool {
        dbus_message_set_reply_serial(message, address.serial) != 0
            && (address.caller.isEmpty || dbus_message_set_destination(message, address.caller) != 0)
    }

    private static let exhausted = DBusError.tooLarge(
        "Memory or file descriptors ran out while a message was made."
    )
}
