// What is to be done when a schedule comes up: a pure function, so that a clock that jumps is a test case.

public import BelfryCore

/// Which ticks become tasks now, and when to look again.
public struct CatchUpPlan: Hashable, Sendable {
    /// The ticks that become tasks, the oldest first.
    public var ticks: [Timestamp] = []
    /// How many missed ticks become none because ``CatchUp/skip`` or ``CatchUp/once`` says so.
    public var skipped = 0
    /// How many become none because there are more than the bound. To be reported: nobody asked for it.
    public var dropped = 0
    /// The next tick; nil when there is none before the year 10,000.
    public var next: Timestamp?
    /// How far the last tick that was made lies ahead of the clock: until then nothing is made. Nil when it
    /// does not. Worth a word when it is long: the clock was once wrong.
    public var heldBack: Duration?

    /// A tick found later than this was missed.
    public static let grace = Duration.seconds(60)
    /// The most ticks that become tasks at once.
    public static let bound = 1000

    /// Decides at `now` about the ticks from `due` on.
    ///
    /// No tick is made twice, whatever the clock did: only ticks later than `lastMade` are. A tick not later
    /// than `now` that is not among ``ticks`` was skipped or dropped for good, unless the clock is set back.
    ///
    /// - Parameters:
    ///   - due: the tick that was to come next, as ``next`` said when this was asked last.
    ///   - lastMade: the newest tick that has become a task; nil when none has.
    ///   - grace: a tick found later was missed. Not negative. Defaults to ``grace``.
    ///   - bound: the most ticks that become tasks; of more, the newest do. At least 1. Defaults to ``bound``.
    public init(
        for timetable: Timetable,
        due: Timestamp,
        lastMade: Timestamp?,
        now: Timestamp,
        catchUp: CatchUp,
        grace: Duration = Self.grace,
        bound: Int = Self.bound
    ) {
        let start = max(due.before, lastMade ?? due.before)
        let count = timetable.count(after: start, through: now)
        let onTimeFrom = max(start, now.adding(.zero - grace).before)
        let onTime = timetable.count(after: onTimeFrom, through: now)
        let wanted =
            switch catchUp {
            case .skip: onTime
            case .once: onTime > 0 ? onTime : min(count, 1)
            case .all: count
            }
        ticks = timetable.newest(min(wanted, bound), after: start, through: now)
        skipped = count - wanted
        dropped = wanted - ticks.count
        next = timetable.next(after: max(now, lastMade ?? now))
        heldBack = lastMade.flatMap { $0 > now ? $0.since(now) : nil }
    }
}

extension Timestamp {
    /// A millisecond earlier.
    fileprivate var before: Timestamp { Timestamp(milliseconds: milliseconds - 1) }
}
