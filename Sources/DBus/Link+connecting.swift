// Connecting: libdbus's blocking part on the link's own queue, then Hello like any other call.

import CDBus
import Dispatch

extension Link {
    /// Done once a process: without it libdbus's global tables are not safe on several queues.
    private static let preparation: Void = {
        dbus_threads_init_default()
        // libdbus sends without SIGPIPE by itself; it would set the whole process to ignore it.
        dbus_connection_set_change_sigpipe(0)
    }()

    /// Connects, says Hello and tells `attempt`.
    func connect(to address: String, timeout: Duration, _ attempt: ConnectAttempt) {
        do {
            _ = Self.preparation
            timer = try DeadlineTimer(queue: queue) { self.expire() }
            let connection = try Self.connection(to: address)
            self.connection = connection
            try install(on: connection)
        } catch {
            finish(.lost)
            return attempt.end(.failure(error))
        }
        callBus(.bus("Hello"), timeout: timeout) { self.welcome($0, address, attempt) }
        wantsDrain = true
        settle()
    }

    private func welcome(
        _ answer: Result<[DBusValue], DBusError>,
        _ address: String,
        _ attempt: ConnectAttempt
    ) {
        switch answer {
        case .success(let values):
            guard let name = values.first?.stringValue, let connection else { break }
            carriesDescriptors = dbus_connection_can_send_type(connection, Int32(CDBUS_UNIX_FD.rawValue)) != 0
            attempt.end(.success(name))
            return
        case .failure(let error):
            var error = error
            if error.isDisconnect {
                error.message = "The bus at \(address) closed the connection before it had answered Hello."
            } else if error.name == DBusError.noReply {
                error = ConnectAttempt.timeoutError(address)
            }
            isLost = true
            attempt.end(.failure(error))
            return
        }
        isLost = true
        attempt.end(.failure(DBusError(name: DBusError.failed, message: "\(address) is not a message bus.")))
    }

    private static func connection(to address: String) throws -> OpaquePointer {
        guard !address.utf8.contains(0) else { throw DBusError.invalid("The address contains U+0000.") }
        var error = CDBus.DBusError()
        dbus_error_init(&error)
        defer { dbus_error_free(&error) }
        guard let connection = dbus_connection_open_private(address, &error) else {
            let name = error.name.map { String(cString: $0) } ?? DBusError.noServer
            let message = error.message.map { String(cString: $0) } ?? "Cannot connect to \(address)."
            let isAbsent = name == "org.freedesktop.DBus.Error.FileNotFound"
            throw DBusError(name: isAbsent ? DBusError.noServer : name, message: message)
        }
        // Else a dead bus would end the process.
        dbus_connection_set_exit_on_disconnect(connection, 0)
        return connection
    }

    /// Gives libdbus its functions. All run on the queue; what they get as data is this link, which lives
    /// until they are taken back in ``finish(_:)``.
    private func install(on connection: OpaquePointer) throws {
        let data = Unmanaged.passUnretained(self).toOpaque()
        let isInstalled =
            dbus_connection_add_filter(connection, linkFilter, data, nil) != 0
            && dbus_connection_set_watch_functions(
                connection,
                { Link.at($1).add(watch: $0!) },
                { Link.at($1).watches.removeValue(forKey: $0!)?.cancel() },
                { watch, data in Link.at(data).watches[watch!]?.update() },
                data,
                nil
            ) != 0
            && dbus_connection_set_timeout_functions(
                connection,
                { Link.at($1).add(timeout: $0!) },
                { Link.at($1).timeouts.removeValue(forKey: $0!)?.cancel() },
                { timeout, data in Link.at(data).timeouts[timeout!]?.update() },
                data,
                nil
            ) != 0
        guard isInstalled else {
            throw DBusError.tooLarge("Memory or file descriptors ran out while connecting.")
        }
        // Every call into libdbus is made within a piece of work on the queue, which ends in settle().
        dbus_connection_set_wakeup_main_function(connection, { Link.at($0).wantsDrain = true }, data, nil)
        dbus_connection_set_dispatch_status_function(
            connection,
            { _, status, data in
                if status == DBUS_DISPATCH_DATA_REMAINS { Link.at(data).wantsDrain = true }
            },
            data,
            nil
        )
    }

    fileprivate static func at(_ data: UnsafeMutableRawPointer?) -> Link {
        Unmanaged<Link>.fromOpaque(data!).takeUnretainedValue()
    }

    private func add(watch: OpaquePointer) -> dbus_bool_t {
        guard let new = Watch(watch, link: self) else { return 0 }
        watches[watch] = new
        return 1
    }

    private func add(timeout: OpaquePointer) -> dbus_bool_t {
        let new = Timeout(timeout, link: self)
        new.update()
        timeouts[timeout] = new
        return 1
    }
}

let linkFilter: DBusHandleMessageFunction = { _, message, data in
    Link.at(data).receive(message!)
    return DBUS_HANDLER_RESULT_HANDLED
}
