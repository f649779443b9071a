// Waiting for what happens once, and for one's turn: what a sink's runner, the set of sinks and who replays
// need of each other.

import DequeModule
import Synchronization

/// Something that happens once; who waits for it after that does not wait.
final class Occurrence: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func happen() { continuation.finish() }

    /// Returns when it has happened, or the task is cancelled.
    func wait() async { for await _ in stream {} }
}

/// One at a time, in the order of asking.
final class Turns: Sendable {
    private struct State {
        var isTaken = false
        var waiting: Deque<CheckedContinuation<Void, Never>> = []
    }

    private let state = Mutex(State())

    func withTurn<Result: Sendable>(_ body: () async throws -> Result) async rethrows -> Result {
        await take()
        defer { pass() }
        return try await body()
    }

    private func take() async {
        await withCheckedContinuation { continuation in
            let isMine = state.withLock { state in
                defer { state.isTaken = true }
                if state.isTaken { state.waiting.append(continuation) }
                return !state.isTaken
            }
            if isMine { continuation.resume() }
        }
    }

    private func pass() {
        let next = state.withLock { state in
            let next = state.waiting.popFirst()
            state.isTaken = next != nil
            return next
        }
        next?.resume()
    }
}
