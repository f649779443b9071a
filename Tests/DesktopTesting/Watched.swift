// Tests wait for what a server was told, never for time to pass. This is the one place where such waiting
// happens: a value, and callers that go on as soon as it is what they want.

import Synchronization

/// A value that is changed by servers and waited for by tests.
///
/// A waiter is looked at under the same lock as each change, so no state in between is missed.
public final class Watched<Value: Sendable>: Sendable {
    private typealias Continuation<Found> = CheckedContinuation<Found, any Error>

    /// Somebody who waits: looks at the value, and answers with what to do once the lock is free.
    private struct Waiter {
        var look: @Sendable (Value) -> (@Sendable () -> Void)?
        var cancel: @Sendable () -> Void
    }

    private struct State {
        var value: Value
        var waiters: [UInt64: Waiter] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let state: Mutex<State>

    public init(_ value: Value) { state = Mutex(State(value: value)) }

    /// What it is now.
    public var value: Value { state.withLock { $0.value } }

    /// Changes the value and lets go on whoever waited for this.
    @discardableResult
    public func update<Result: Sendable>(
        _ change: @Sendable (inout Value) throws -> Result
    ) rethrows -> Result {
        let (result, met) = try state.withLock { state in
            let result = try change(&state.value)
            var met: [@Sendable () -> Void] = []
            for (id, waiter) in state.waiters.sorted(by: { $0.key < $1.key }) {
                guard let goOn = waiter.look(state.value) else { continue }
                state.waiters[id] = nil
                met.append(goOn)
            }
            return (result, met)
        }
        for goOn in met { goOn() }
        return result
    }

    /// The first thing that `choose` finds in the value, now or after a later change.
    ///
    /// - Parameters:
    ///   - what: what is waited for, for the error's text.
    ///   - patience: how long a machine that is slow may take. Defaults to ``patience``.
    /// - Throws: ``WaitedInVain``, `CancellationError`.
    public func first<Found: Sendable>(
        _ what: String,
        within patience: Duration = patience,
        _ choose: @escaping @Sendable (Value) -> Found?
    ) async throws -> Found {
        try await withDeadline(patience, WaitedInVain(what, seen: String(describing: self.value))) {
            try await self.first(choose)
        }
    }

    /// The same without an end: for a server's own calls, which hang as long as a test wants them to.
    func first<Found: Sendable>(_ choose: @escaping @Sendable (Value) -> Found?) async throws -> Found {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Continuation<Found>) in
                let look: @Sendable (Value) -> (@Sendable () -> Void)? = { value in
                    guard let found = choose(value) else { return nil }
                    return { continuation.resume(returning: found) }
                }
                let cancel: @Sendable () -> Void = { continuation.resume(throwing: CancellationError()) }
                let goOn = state.withLock { state -> (@Sendable () -> Void)? in
                    if let goOn = look(state.value) { return goOn }
                    if Task.isCancelled { return cancel }
                    state.waiters[id] = Waiter(look: look, cancel: cancel)
                    return nil
                }
                goOn?()
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.cancel()
        }
    }
}
