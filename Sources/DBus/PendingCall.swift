// A call that waits for its answer.

/// Who is told of the answer, and until when.
///
/// `@unchecked Sendable`: its maker fills it in before it is submitted; from then on only the
/// connection's queue touches it. The lock of the submissions is between the two.
final class PendingCall: @unchecked Sendable {
    enum Receiver {
        /// A caller in its task.
        case task(CheckedContinuation<[DBusValue], any Error>)
        /// The connection itself, at once and on its queue, so that it learns in the order of messages.
        case queue((Result<[DBusValue], DBusError>) -> Void)
    }

    private let destination: String?
    private let interface: String?
    private let member: String
    let onLateReply: CallTable.LateReply?
    /// nil when it was sent.
    private var message: EncodedMessage?
    let timeout: Duration
    /// nil when it was told.
    var receiver: Receiver?
    /// The number of the message; 0 before it is sent.
    var serial: UInt32 = 0
    /// On the monotonic clock, in nanoseconds.
    var deadline: UInt64 = .max

    init(_ call: DBusMethodCall, _ message: EncodedMessage, timeout: Duration, receiver: Receiver? = nil) {
        destination = call.destination
        interface = call.interface
        member = call.member
        onLateReply = call.onLateReply
        self.message = message
        self.timeout = timeout
        self.receiver = receiver
    }

    /// The message, once.
    func takeMessage() throws -> EncodedMessage {
        guard let message = message.take() else { throw DBusError.closed }
        return message
    }
}

extension PendingCall {
    var timeoutError: DBusError {
        let method = interface.map { "\($0).\(member)" } ?? member
        return DBusError(
            name: DBusError.noReply,
            message: "\(destination ?? "The peer") did not answer \(method) within \(timeout)."
        )
    }
}
