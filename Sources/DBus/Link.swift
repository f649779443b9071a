// The connection as its queue sees it. DBus.md tells how the parts work together.

import CDBus
import Dispatch
import Synchronization

/// Owns one libdbus connection, on one serial queue.
///
/// `@unchecked Sendable`: `queue`, `submissions`, `exports` and `closed` are safe by themselves; everything
/// else is touched on `queue` only, where libdbus also calls back, since every libdbus call is made there.
/// A link lives until ``finish(_:)`` has run: until then the sources on its queue hold it.
final class Link: @unchecked Sendable {
    let queue = DispatchQueue(label: "org.freedesktop.DBus.connection")
    let submissions = Submissions()
    let exports = Exports()
    /// Opened when the connection is lost or closed and everybody was told.
    let closed = Latch()
    /// Whether descriptors can go along. Known before the connection is handed out, and never changed after.
    var carriesDescriptors = false

    // Everything from here on belongs to the queue.

    /// nil before connecting, and again after the end.
    var connection: OpaquePointer?
    var calls = CallTable()
    /// The number of the newest message.
    var lastSerial: UInt32 = 0
    var timer: DeadlineTimer?
    var watches: [OpaquePointer: Watch] = [:]
    var timeouts: [OpaquePointer: Timeout] = [:]
    let router = SignalRouter()
    let server = ObjectServer()
    /// Answers taken in during a drain, told together at its end.
    var finished: [(CheckedContinuation<[DBusValue], any Error>, Result<[DBusValue], any Error>)] = []
    /// Waiting for everything that was sent to be written.
    var flushes: [Latch] = []
    /// By when a closing connection gives up writing; nil when it is not closing.
    var closingDeadline: UInt64?
    var isLost = false
    var isFinished = false
    /// libdbus may have messages; looked at when the current piece of work ends.
    var wantsDrain = false
    var isDrainScheduled = false
    var spare: [Submissions.Operation] = []

    deinit { assert(connection == nil, "A link ended without finish().") }

    // MARK: - From any thread

    /// - Throws: ``DBusError`` `disconnected` when the connection is gone.
    func submit(_ operation: Submissions.Operation) throws {
        switch submissions.add(operation) {
        case .acceptedAsFirst: wake()
        case .accepted: break
        case .refused, .cancelled: throw DBusError.closed
        }
    }

    /// Sends a checked call and waits for the answer.
    func perform(_ pending: PendingCall) async throws -> [DBusValue] {
        try await exchange(onCancel: .cancel(pending)) { continuation in
            pending.receiver = .task(continuation)
            return .call(pending)
        }
    }

    /// Listens; returns when the match rule stands at the bus.
    func listen(_ listening: Listening) async throws {
        try await exchange(onCancel: .run { $0.router.cancel(listening, $0) }) { continuation in
            listening.opening = continuation
            return .run { $0.router.add(listening, $0) }
        }
    }

    /// Submits an operation that resumes a continuation, and another when the task is cancelled.
    private func exchange<Value: Sendable>(
        onCancel cancellation: Submissions.Operation,
        _ operation: (CheckedContinuation<Value, any Error>) -> Submissions.Operation
    ) async throws -> Value {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                switch submissions.add(operation(continuation), isCancellable: true) {
                case .acceptedAsFirst: wake()
                case .accepted: break
                case .cancelled: continuation.resume(throwing: CancellationError())
                case .refused: continuation.resume(throwing: DBusError.closed)
                }
            }
        } onCancel: {
            try? submit(cancellation)
        }
    }

    /// Writes what waits, then ends the connection.
    func close() {
        if case .acceptedAsFirst = submissions.close(.run { $0.beginClosing() }) { wake() }
    }

    private func wake() { queue.async { self.work() } }

    // MARK: - On the queue

    /// Does what was submitted.
    private func work() {
        // What comes while this runs is taken along, but what comes in is not kept waiting for ever.
        for _ in 0..<8 {
            guard submissions.take(into: &spare) else { return settle() }
            let now = DeadlineTimer.now
            for operation in spare { perform(operation, now) }
            spare.removeAll(keepingCapacity: spare.capacity <= 1024)
        }
        wake()
        settle()
    }

    private func perform(_ operation: Submissions.Operation, _ now: UInt64) {
        switch operation {
        case .call(let call): start(call, now)
        case .cancel(let call): abandon(call)
        case .send(let message): send(message)
        case .run(let action): action(self)
        }
    }
}
