// Out: calls get a number and a deadline, everything else just goes.

import CDBus

extension Link {
    /// Sends a call and keeps it until it is answered.
    func start(_ pending: PendingCall, _ now: UInt64 = DeadlineTimer.now) {
        guard let connection, !isLost else { return tell(pending, .failure(DBusError.lost)) }
        guard let message = OutgoingMessage.make(pending.call, wantsAnswer: true) else {
            return tell(pending, .failure(Self.exhausted))
        }
        defer { dbus_message_unref(message) }
        guard dbus_connection_send(connection, message, &pending.serial) != 0 else {
            return tell(pending, .failure(Self.exhausted))
        }
        pending.call.arguments = []
        pending.deadline = DeadlineTimer.deadline(pending.timeout, after: now)
        calls.insert(pending)
        timer?.require(pending.deadline)
    }

    /// Sends without waiting for an answer.
    func send(_ outgoing: OutgoingMessage) {
        guard let connection, !isLost, let message = outgoing.make() else { return }
        dbus_connection_send(connection, message, nil)
        dbus_message_unref(message)
    }

    /// Calls the bus for the connection itself; `receive` runs on the queue, in the order of messages.
    func callBus(
        _ call: DBusMethodCall,
        timeout: Duration = .seconds(25),
        receive: @escaping (Result<[DBusValue], DBusError>) -> Void
    ) {
        start(PendingCall(call, timeout: timeout, receiver: .queue(receive)))
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
        case .queue(let receive): receive(result.mapError { $0 as? DBusError ?? DBusError.lost })
        }
    }

    static let exhausted = DBusError.tooLarge("Memory or file descriptors ran out while a message was made.")
}
