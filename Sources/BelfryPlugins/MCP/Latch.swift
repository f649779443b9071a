// A value that many wait for and one gives.

import Synchronization

/// Settled once; whoever waits, before or after, gets the same.
final class Latch<Value: Sendable>: Sendable {
    private struct State {
        var outcome: Result<Value, any Error>?
        var nextID = 0
        var waiting: [Int: CheckedContinuation<Value, any Error>] = [:]
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    var outcome: Result<Value, any Error>? { state.withLock { $0.outcome } }

    /// Only the first outcome counts.
    func settle(_ outcome: Result<Value, any Error>) {
        let waiting = state.withLock { state in
            guard state.outcome == nil else { return [Int: CheckedContinuation<Value, any Error>]() }
            state.outcome = outcome
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume(with: outcome) }
    }

    /// - Throws: what it was settled with; `CancellationError` when cancelled.
    func value() async throws -> Value {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { wait(id, $0) }
        } onCancel: {
            let continuation = state.withLock { state in
                state.cancelled.insert(id)
                return state.waiting.removeValue(forKey: id)
            }
            continuation?.resume(throwing: CancellationError())
        }
    }

    private func wait(_ id: Int, _ continuation: CheckedContinuation<Value, any Error>) {
        let outcome: Result<Value, any Error>? = state.withLock { state in
            if let outcome = state.outcome { return outcome }
            if state.cancelled.contains(id) { return .failure(CancellationError()) }
            state.waiting[id] = continuation
            return nil
        }
        if let outcome { continuation.resume(with: outcome) }
    }
}
