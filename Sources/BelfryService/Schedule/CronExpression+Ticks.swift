// When a cron expression fires in a zone.

public import BelfryCore
public import Foundation

extension CronExpression {
    /// The first tick later than `time`.
    ///
    /// - Returns: nil when there is none before the year 10,000.
    public func next(after time: Timestamp, in zone: TimeZone) -> Timestamp? {
        let earliest = time.wholeSeconds + 1
        for stretch in walk(from: earliest, in: zone) {
            if let tick = firstTick(in: stretch, from: earliest) {
                return Timestamp(milliseconds: tick * 1000)
            }
        }
        return nil
    }

    /// The ticks later than `start`, up to `end` and with it, the oldest first, at most `limit`.
    public func ticks(
        after start: Timestamp,
        through end: Timestamp,
        in zone: TimeZone,
        limit: Int
    ) -> [Timestamp] {
        var ticks: [Timestamp] = []
        var last = start
        while ticks.count < limit, let tick = next(after: last, in: zone), tick <= end {
            ticks.append(tick)
            last = tick
        }
        return ticks
    }

    /// How many ticks are later than `start` and not later than `end`. Takes less than a millisecond for a century.
    public func count(after start: Timestamp, through end: Timestamp, in zone: TimeZone) -> Int {
        let range = start.wholeSeconds + 1..<max(start.wholeSeconds, end.wholeSeconds) + 1
        var count = 0
        for stretch in walk(from: range.lowerBound, in: zone) {
            guard stretch.start < range.upperBound else { break }
            count += ticks(in: stretch, within: range)
        }
        return count
    }

    private func walk(from instant: Int64, in zone: TimeZone) -> ZoneWalk {
        ZoneWalk(from: instant, in: zone, countsOnce: !hasEveryHour)
    }

    private func firstTick(in stretch: ZoneStretch, from earliest: Int64) -> Int64? {
        if stretch.start >= earliest, makesUp(stretch) { return stretch.start }
        let walls = stretch.walls.clamped(to: earliest + stretch.offset..<Int64.max)
        return firstWall(in: walls).map { $0 - stretch.offset }
    }

    private func ticks(in stretch: ZoneStretch, within range: Range<Int64>) -> Int {
        let shifted = range.lowerBound + stretch.offset..<range.upperBound + stretch.offset
        let walls = walls(in: stretch.walls.clamped(to: shifted))
        guard range.contains(stretch.start), makesUp(stretch) else { return walls }
        // The time to which the clocks go may be meant as well: it is one tick.
        let first = stretch.start + stretch.offset
        return firstWall(in: first..<first + 1) == nil ? walls + 1 : walls
    }

    /// Whether the moment at which `stretch` begins stands for a wall time that was skipped.
    private func makesUp(_ stretch: ZoneStretch) -> Bool {
        !hasEveryHour && !stretch.skipped.isEmpty && firstWall(in: stretch.skipped) != nil
    }
}

extension Timestamp {
    /// Seconds since 1970, rounded down and kept within the years 1 to 9999.
    var wholeSeconds: Int64 {
        min(max(milliseconds.floored(by: 1000).quotient, ZoneWalk.beginning), ZoneWalk.end)
    }
}
