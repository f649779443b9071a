// Out: calls get a number and a deadline, everything else just goes.

import CDBus

extension Link {
    /// Checks and encodes what a caller wants to send, on the caller's side.
    ///
    /// - Throws: ``DBusError``, also when descriptors should go over a connection that cannot carry them.
    func encoded(_ outgoing: OutgoingMessage) throws -> EncodedMessage {
        let message = try outgoing.encoded()
        guard message.original == nil || carriesDescriptors else {
            throw DBusError(
                name: "org.freedesktop.DBus.Error.NotSupported",
                message: "This connection to the bus does not carry file descriptors."
            )
        }
        return message
    }

    /// Sends a call and keeps it until it is answered.
    func start(_ pending: PendingCall, _ now: UInt64) {
        guard !isLost else { return tell(pending, .failure(DBusError.lost)) }
        do { pending.serial = try transmit(pending.takeMessage()) } catch {
            return tell(pending, .failure(error))
        }
        pending.deadline = DeadlineTimer.deadline(pending.timeout, after: now)
        calls.insert(pending)
        timer?.require(pending.deadline)
    }

    /// Sends without waiting for an answer.
    func send(_ message: EncodedMessage) { _ = try? transmit(message) }

    /// Calls the bus for the connection itself; `receive` runs on the queue, in the order of messages.
    func callBus(
        _ call: DBusMethodCall,
        timeout: Duration = .seconds(25),
        receive: @escaping (Result<[DBusValue], DBusError>) -> Void
    ) {
        do {
            let message = try OutgoingMessage.call(call, wantsAnswer: true).encoded()
            let pending = PendingCall(call, message, timeout: timeout, receiver: .queue(receive))
            start(pending, DeadlineTimer.now)
        } catch {
            receive(.failure(Self.named(error)))
        }
    }

    /// Tells the bus something that it does not answer.
    func tellBus(_ call: DBusMethodCall) {
        if let message = try? OutgoingMessage.call(call, wantsAnswer: false).encoded() { send(message) }
    }

    /// Gives a message to libdbus.
    ///
    /// - Returns: its number. All numbers are made here, libdbus keeps them.
    private func transmit(_ encoded: consuming EncodedMessage) throws -> UInt32 {
        guard let connection, !isLost else { throw DBusError.lost }
        repeat { lastSerial &+= 1 } while lastSerial == 0 || calls.contains(lastSerial)
        let message = try encoded.makeMessage(serial: lastSerial)
        defer { dbus_message_unref(message) }
        guard dbus_connection_send(connection, message, nil) != 0 else {
            throw DBusError.tooLarge("Memory ran out while a message was sent.")
        }
        return lastSerial
    }

    /// Forgets a call whose task was cancelled.
    func abandon(_ pending: PendingCall) {
        guard pending.serial != 0, calls.abandon(pending.serial) != nil else { return }
        tell(pending, .failure(CancellationError()))
    }

    /// The timer has fired: calls whose time is up fail.
    func expire() {
        timer?.didFire()
        let now = DeadlineTimer.now
        let (expired, next) = calls.expire(at: now)
        for call in expired { tell(call, .failure(call.timeoutError)) }
        if let next { timer?.require(next) }
        settle()
    }

    /// Tells the caller, once.
    func tell(_ pending: PendingCall, _ result: Result<[DBusValue], any Error>) {
        guard let receiver = pending.receiver else { return }
        pending.receiver = nil
        switch receiver {
        case .task(let continuation): finished.append((continuation, result))
        case .queue(let receive): receive(result.mapError(Self.named))
        }
    }

    private static func named(_ error: any Error) -> DBusError {
        error as? DBusError ?? DBusError(name: DBusError.failed, message: "\(error)")
    }
}
