// Messages on their way out: checked on the caller's side, made of libdbus's stuff on the queue.

import CDBus

/// What is sent without an answer being waited for here.
enum OutgoingMessage: Sendable {
    case call(DBusMethodCall)
    case signal(DBusSignal, destination: String?)
    case answer(ReplyAddress, [DBusValue])
    case refusal(ReplyAddress, DBusError)
}

/// Where the answer to a call goes.
struct ReplyAddress: Sendable {
    var caller: String
    var serial: UInt32
    /// False when the caller said that it wants none.
    var isWanted: Bool
}

extension OutgoingMessage {
    /// A new libdbus message that the caller unreferences.
    ///
    /// Everything in it was checked.
    /// - Returns: nil when memory or descriptors ran out.
    func make() -> OpaquePointer? {
        switch self {
        case .call(let call): return Self.make(call, wantsAnswer: false)
        case .signal(let signal, let destination):
            guard let message = dbus_message_new_signal(signal.path, signal.interface, signal.member) else {
                return nil
            }
            if let destination { dbus_message_set_destination(message, destination) }
            return Self.filled(message, signal.arguments)
        case .answer(let address, let values):
            guard let message = Self.reply(DBUS_MESSAGE_TYPE_METHOD_RETURN, to: address) else { return nil }
            return Self.filled(message, values)
        case .refusal(let address, let error):
            guard let message = Self.reply(DBUS_MESSAGE_TYPE_ERROR, to: address) else { return nil }
            dbus_message_set_error_name(message, error.name)
            return Self.filled(message, [.string(error.message)])
        }
    }

    static func make(_ call: DBusMethodCall, wantsAnswer: Bool) -> OpaquePointer? {
        let message = dbus_message_new_method_call(call.destination, call.path, call.interface, call.member)
        guard let message else { return nil }
        if !wantsAnswer { dbus_message_set_no_reply(message, 1) }
        if !call.isAutoStarting { dbus_message_set_auto_start(message, 0) }
        return filled(message, call.arguments)
    }

    private static func reply(_ type: Int32, to address: ReplyAddress) -> OpaquePointer? {
        guard let message = dbus_message_new(type) else { return nil }
        dbus_message_set_no_reply(message, 1)
        dbus_message_set_reply_serial(message, address.serial)
        dbus_message_set_destination(message, address.caller)
        return message
    }

    private static func filled(_ message: OpaquePointer, _ arguments: [DBusValue]) -> OpaquePointer? {
        guard MessageWriter.append(arguments, to: message) else {
            dbus_message_unref(message)
            return nil
        }
        return message
    }
}

extension DBusMethodCall {
    /// - Throws: ``DBusError`` that names what is wrong.
    /// - Returns: whether file descriptors go along.
    func check() throws -> Bool {
        if let destination { try NameRules.checkBusName(destination) }
        try NameRules.checkTarget(path: path, interface: interface)
        try NameRules.checkMember(member)
        return try MessageCheck.check(arguments, header: path.utf8.count)
    }
}

extension DBusSignal {
    /// - Throws: ``DBusError`` that names what is wrong.
    /// - Returns: whether file descriptors go along.
    func check(to destination: String?) throws -> Bool {
        if let destination { try NameRules.checkBusName(destination) }
        try NameRules.checkTarget(path: path, interface: interface)
        try NameRules.checkMember(member)
        return try MessageCheck.check(arguments, header: path.utf8.count)
    }
}
