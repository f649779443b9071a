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

    /// The arguments are dropped when the call is sent.
    var call: DBusMethodCall
    let timeout: Duration
    /// nil when it was told.
    var receiver: Receiver?
    /// The number of the message; 0 before it is sent.
    var serial: UInt32 = 0
    /// On the monotonic clock, in nanoseconds.
    var deadline: UInt64 = .max

    init(_ call: DBusMethodCall, timeout: Duration, receiver: Receiver? = nil) {
        self.call = call
        self.timeout = timeout
        self.receiver = receiver
    }
}

extension PendingCall {
    var timeoutError: DBusError {
        let peer = call.destination ?? "the peer"
        return DBusError(
            name: DBusError.noReply,
            message: "\(peer) did not answer \(call.name) within \(timeout)."
        )
    }
}
