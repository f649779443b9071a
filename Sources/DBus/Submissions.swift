// The way from any task to the connection's queue. Calls made at the same time cross together: the
// queue is woken for the first, and takes the others along.

import Synchronization

/// What waits to be done on the queue, in order.
final class Submissions: Sendable {
    enum Operation: Sendable {
        case call(PendingCall)
        case cancel(PendingCall)
        case send(EncodedMessage)
        /// Something rare.
        case run(@Sendable (Link) -> Void)
    }

    enum Outcome { case refused, cancelled, accepted, acceptedAsFirst }

    private struct State {
        var waiting: [Operation] = []
        var isWoken = false
        var isOpen = true
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Adds one operation; whoever gets `acceptedAsFirst` wakes the queue.
    ///
    /// - Parameter isCancellable: refuses when the current task is cancelled. Asked under the lock, so that
    ///   a cancellation is either seen here or comes after the operation.
    func add(_ operation: Operation, isCancellable: Bool = false) -> Outcome {
        state.withLock { state in
            if !state.isOpen { return .refused }
            if isCancellable, Task.isCancelled { return .cancelled }
            return Self.append(operation, to: &state)
        }
    }

    /// Adds the last operation. Everything after it is refused.
    func close(_ last: Operation) -> Outcome {
        state.withLock { state in
            if !state.isOpen { return .refused }
            state.isOpen = false
            return Self.append(last, to: &state)
        }
    }

    /// Refuses everything from now on, and gives what had been accepted.
    func end() -> [Operation] {
        state.withLock { state in
            state.isOpen = false
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    /// Exchanges what waits for the empty `spare`, whose memory is used again.
    ///
    /// - Returns: false when nothing waits: then the next operation wakes the queue anew.
    func take(into spare: inout [Operation]) -> Bool {
        state.withLock { state in
            swap(&state.waiting, &spare)
            state.isWoken = !spare.isEmpty
            return state.isWoken
        }
    }

    private static func append(_ operation: Operation, to state: inout State) -> Outcome {
        state.waiting.append(operation)
        if state.isWoken { return .accepted }
        state.isWoken = true
        return .acceptedAsFirst
    }
}
