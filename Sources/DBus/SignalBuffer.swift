// Signals between the connection's queue and whoever iterates: bounded, the newest kept.

import Synchronization

/// Holds signals until they are taken.
final class SignalBuffer: Sendable {
    private struct State {
        var signals: [DBusSignal] = []
        /// The oldest signal's place; what is before it was taken.
        var first = 0
        var dropped = 0
        var isFinished = false
        var last: UInt64 = 0
        var waiters: [(id: UInt64, continuation: CheckedContinuation<DBusSignal?, Never>)] = []

        var count: Int { signals.count - first }

        mutating func take() -> DBusSignal? {
            guard first < signals.count else { return nil }
            defer {
                first += 1
                if first == signals.count {
                    signals.removeAll(keepingCapacity: true)
                    first = 0
                }
            }
            return signals[first]
        }

        mutating func append(_ signal: DBusSignal) {
            // Taken ones are cleared away when they are the larger part.
            if first > 64, first > count {
                signals.removeFirst(first)
                first = 0
            }
            signals.append(signal)
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = max(limit, 1) }

    var dropped: Int { state.withLock { $0.dropped } }

    func add(_ signal: DBusSignal) {
        let waiter = state.withLock { state -> CheckedContinuation<DBusSignal?, Never>? in
            if state.isFinished { return nil }
            if !state.waiters.isEmpty { return state.waiters.removeFirst().continuation }
            if state.count == limit {
                _ = state.take()
                state.dropped += 1
            }
            state.append(signal)
            return nil
        }
        waiter?.resume(returning: signal)
    }

    /// Counts a signal that could not be read.
    func drop() { state.withLock { $0.dropped += 1 } }

    /// No more come; what is there can still be taken.
    func finish() {
        let waiters = state.withLock { state in
            state.isFinished = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: nil) }
    }

    /// The oldest signal; waits for one. nil at the end, or when the task is cancelled.
    func next() async -> DBusSignal? {
        let id = state.withLock { state in
            state.last += 1
            return state.last
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> DBusSignal?? in
                    if Task.isCancelled { return .some(nil) }
                    if let signal = state.take() { return signal }
                    if state.isFinished { return .some(nil) }
                    state.waiters.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0).continuation }
            }
            waiter?.resume(returning: nil)
        }
    }
}
