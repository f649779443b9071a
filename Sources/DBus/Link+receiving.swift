// In: what libdbus has read is taken from it in portions, and told when a portion is done.

import CDBus
import Dispatch

extension Link {
    /// Messages taken in before others get their turn on the queue.
    private static let budget = 64

    /// A descriptor is ready.
    func ready(_ watch: OpaquePointer, _ flag: UInt32, available: Int) {
        // libdbus reads 2 KiB at a time; another turn through Dispatch would cost more than reading on.
        var rounds = min(max(available / 2048, 0), 15) + 1
        while rounds > 0, watches[watch] != nil, dbus_watch_get_enabled(watch) != 0 {
            dbus_watch_handle(watch, flag)
            rounds -= 1
        }
        wantsDrain = true
        settle()
    }

    /// A libdbus timeout has elapsed.
    func elapsed(_ timeout: OpaquePointer) {
        guard timeouts[timeout] != nil else { return }
        dbus_timeout_handle(timeout)
        settle()
    }

    /// Ends each piece of work on the queue: takes in what is there, tells callers, looks whether all is
    /// written or over.
    func settle() {
        guard !isFinished else { return }
        if wantsDrain { drain() }
        tellFinished()
        if isLost { return finish(.lost) }
        if calls.isEmpty, closingDeadline == nil { timer?.set(nil) }
        if !flushes.isEmpty || closingDeadline != nil { checkWritten() }
    }

    private func drain() {
        guard let connection else { return }
        dbus_connection_ref(connection)
        defer {
            dbus_connection_unref(connection)
            wantsDrain = false
        }
        for _ in 0..<Self.budget {
            guard dbus_connection_dispatch(connection) == DBUS_DISPATCH_DATA_REMAINS else { return }
        }
        scheduleDrain()
    }

    /// Asks for one more drain, after what the queue has to do already.
    private func scheduleDrain() {
        guard !isDrainScheduled else { return }
        isDrainScheduled = true
        queue.async {
            self.isDrainScheduled = false
            self.wantsDrain = true
            self.settle()
        }
    }

    private func tellFinished() {
        guard !finished.isEmpty else { return }
        for (continuation, result) in finished { continuation.resume(with: result) }
        finished.removeAll(keepingCapacity: finished.capacity <= 1024)
    }

    // MARK: - One message

    /// libdbus hands over a message. No other handler gets it.
    func receive(_ message: OpaquePointer) {
        switch dbus_message_get_type(message) {
        case DBUS_MESSAGE_TYPE_METHOD_RETURN, DBUS_MESSAGE_TYPE_ERROR: receiveAnswer(message)
        case DBUS_MESSAGE_TYPE_SIGNAL: receiveSignal(message)
        case DBUS_MESSAGE_TYPE_METHOD_CALL: server.receive(message, self)
        default: break
        }
    }

    private func receiveAnswer(_ message: OpaquePointer) {
        let serial = dbus_message_get_reply_serial(message)
        if let pending = calls.remove(serial) {
            tell(pending, Result { try Self.answer(message) })
        } else if let onLateReply = calls.removeLate(serial), let values = try? Self.answer(message) {
            onLateReply(values)
        }
    }

    private static func answer(_ message: OpaquePointer) throws -> [DBusValue] {
        let values = try MessageReader.arguments(of: message)
        guard dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_ERROR else { return values }
        let name = dbus_message_get_error_name(message).map { String(cString: $0) } ?? DBusError.failed
        throw DBusError(name: name, message: values.first?.stringValue ?? "")
    }

    private func receiveSignal(_ message: OpaquePointer) {
        // libdbus's own word that the socket is gone; nobody else can send it.
        if dbus_message_is_signal(message, "org.freedesktop.DBus.Local", "Disconnected") != 0 {
            isLost = true
            return
        }
        router.receive(message)
    }
}
