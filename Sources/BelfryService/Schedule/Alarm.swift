// Sleeping until a time of day. It is not the sleep of `Clocks`, which counts a span: a schedule for 07:00 has
// to fire at 07:00 also when the machine slept or the clock was set.

public import BelfryCore

/// Wakes at a time of day.
public protocol Alarm: Sendable {
    /// Returns when the wall clock reaches `time`, at once when it has passed, or when the clock was set.
    ///
    /// Whoever waits looks at the clock afterwards, in both cases: a clock that is set may have passed `time`.
    ///
    /// - Throws: `CancellationError` when the task is cancelled; ``BelfryError`` when no timer can be had.
    func wait(until time: Timestamp) async throws -> AlarmReason
}

/// Why an alarm woke.
public enum AlarmReason: Hashable, Sendable {
    case reached
    /// The clock was set, forwards or back, or the machine woke from suspend.
    case clockWasSet
}

/// An alarm that counts the span by ``Clocks/sleep``: right where nobody sets the clock, as in tests.
public struct SleepingAlarm: Alarm {
    private let clocks: Clocks

    public init(_ clocks: Clocks) { self.clocks = clocks }

    public func wait(until time: Timestamp) async throws -> AlarmReason {
        // A millisecond more: a timer that fires early would find nothing due.
        try await clocks.sleep(max(.zero, time.since(clocks.wall.now)) + .milliseconds(1))
        return .reached
    }
}
