// One try to connect. The task that asked may leave before libdbus, which blocks, comes back.

import Dispatch
import Synchronization

/// Answers its caller once: with a connection, an error, the timeout or the cancellation.
final class ConnectAttempt: Sendable {
    private struct State {
        var caller: CheckedContinuation<DBusConnection, any Error>?
        var isOver = false
        var timer: (any DispatchSourceTimer)?
    }

    private let state = Mutex(State())
    private let link = Link()
    private let address: String
    private let timeout: Duration

    init(to address: String, timeout: Duration) {
        self.address = address
        self.timeout = timeout
    }

    func run() async throws -> DBusConnection {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { begin($0) }
        } onCancel: {
            abandon(CancellationError())
        }
    }

    /// What came of it, said on the link's queue.
    func end(_ result: Result<String, any Error>) {
        let caller = takeCaller()
        switch (result, caller) {
        case (.success(let name), let caller?):
            caller.resume(returning: DBusConnection(link: link, uniqueName: name))
        case (.failure(let error), let caller?): caller.resume(throwing: error)
        case (.success, nil): link.close()
        case (.failure, nil): break
        }
    }

    static func timeoutError(_ address: String) -> DBusError {
        DBusError(name: DBusError.timedOut, message: "The bus at \(address) did not answer in time.")
    }

    private func begin(_ caller: CheckedContinuation<DBusConnection, any Error>) {
        let isOver = state.withLock { state in
            if state.isOver { return true }
            state.caller = caller
            state.timer = makeTimer()
            return false
        }
        if isOver { return caller.resume(throwing: CancellationError()) }
        link.queue.async {
            // Given up before it was begun: there is nothing to end, and nobody who would end it later.
            guard !self.isOver else { return }
            self.link.connect(to: self.address, timeout: self.timeout, self)
        }
    }

    /// On a queue of its own, since the link's may be blocked in `connect`.
    private func makeTimer() -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: .global())
        let nanoseconds = DeadlineTimer.deadline(timeout, after: 0)
        timer.schedule(deadline: .now() + .nanoseconds(Int(min(nanoseconds, UInt64(Int.max / 2)))))
        timer.setEventHandler { self.abandon(Self.timeoutError(self.address)) }
        timer.activate()
        return timer
    }

    private var isOver: Bool { state.withLock { $0.isOver } }

    /// Nobody waits any more, so the socket is given up at once, or as soon as libdbus comes back with one.
    private func abandon(_ error: any Error) {
        guard let caller = takeCaller() else { return }
        link.queue.async { self.link.finish(.closed) }
        caller.resume(throwing: error)
    }

    private func takeCaller() -> CheckedContinuation<DBusConnection, any Error>? {
        let (caller, timer) = state.withLock { state in
            defer {
                state.isOver = true
                state.caller = nil
                state.timer = nil
            }
            return (state.caller, state.timer)
        }
        timer?.cancel()
        return caller
    }
}
