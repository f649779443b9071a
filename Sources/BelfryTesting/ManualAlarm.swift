// An alarm on a clock whose hands a test turns: a night passes in no time, and a clock is set without one.

public import BelfryCore
public import BelfryService
import Synchronization

/// Wakes whoever waits when ``advance(by:)`` or ``setClock(to:)`` moves its clock.
public final class ManualAlarm: Alarm {
    /// The clock that it goes by. Move it through the alarm, or nobody is woken.
    public let clock: ManualWallClock
    private let state = Mutex(State())

    private struct State {
        var nextID = 0
        var sleepers: [Int: (time: Timestamp, continuation: CheckedContinuation<AlarmReason, any Error>)] =
            [:]
        var cancelled: Set<Int> = []
        var watchers: [CheckedContinuation<Void, Never>] = []
    }

    public init(clock: ManualWallClock = ManualWallClock()) { self.clock = clock }

    /// The times that are waited for, the earliest first.
    public var waiting: [Timestamp] { state.withLock { $0.sleepers.values.map(\.time).sorted() } }

    /// Returns when somebody waits, at once when somebody does already.
    public func hasSleeper() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.sleepers.isEmpty { state.watchers.append(continuation) }
                return !state.sleepers.isEmpty
            }
            if isThere { continuation.resume() }
        }
    }

    /// Time passes: those wake whose time is reached.
    public func advance(by duration: Duration) {
        clock.advance(by: duration)
        let now = clock.now
        wake(.reached) { $0 <= now }
    }

    /// Somebody sets the clock: all wake.
    public func setClock(to time: Timestamp) {
        clock.advance(by: time.since(clock.now))
        wake(.clockWasSet) { _ in true }
    }

    public func wait(until time: Timestamp) async throws -> AlarmReason {
        try Task.checkCancellation()
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { sleep(id, until: time, $0) }
        } onCancel: {
            cancel(id)
        }
    }

    private func sleep(
        _ id: Int,
        until time: Timestamp,
        _ continuation: CheckedContinuation<AlarmReason, any Error>
    ) {
        let (ending, watchers): (Result<AlarmReason, any Error>?, [CheckedContinuation<Void, Never>]) =
            state.withLock { state in
                if state.cancelled.remove(id) != nil { return (.failure(CancellationError()), []) }
                if time <= clock.now { return (.success(.reached), []) }
                state.sleepers[id] = (time, continuation)
                defer { state.watchers = [] }
                return (nil, state.watchers)
            }
        if let ending { continuation.resume(with: ending) }
        for watcher in watchers { watcher.resume() }
    }

    private func cancel(_ id: Int) {
        let sleeper = state.withLock { state in
            if state.sleepers[id] == nil { state.cancelled.insert(id) }
            return state.sleepers.removeValue(forKey: id)
        }
        sleeper?.continuation.resume(throwing: CancellationError())
    }

    private func wake(_ reason: AlarmReason, where isWoken: (Timestamp) -> Bool) {
        let woken = state.withLock { state in
            let woken = state.sleepers.filter { isWoken($0.value.time) }
            for id in woken.keys { state.sleepers[id] = nil }
            return woken
        }
        for sleeper in woken.values.sorted(by: { $0.time < $1.time }) {
            sleeper.continuation.resume(returning: reason)
        }
    }
}
