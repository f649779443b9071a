// Which wall times a cron expression means, without any zone: in seconds as if wall clocks showed UTC. The
// search goes by months, days and hours, never minute by minute.

extension CronExpression {
    /// The first wall time in `range` that is meant.
    func firstWall(in range: Range<Int64>) -> Int64? {
        let (day, minute) = range.lowerBound.ceiling(by: 60).floored(by: 1440)
        var month = CivilMonth(containing: day)
        var isAfter = (day: day - month.firstDay, minute: minute)
        while month.firstDay * 86_400 < range.upperBound {
            if let wall = firstWall(in: month, from: isAfter) { return wall < range.upperBound ? wall : nil }
            month = month.next
            isAfter = (0, 0)
        }
        return nil
    }

    /// How many wall times in `range` are meant.
    func walls(in range: Range<Int64>) -> Int {
        let lower = range.lowerBound.ceiling(by: 60).floored(by: 1440)
        let upper = range.upperBound.ceiling(by: 60).floored(by: 1440)
        guard lower < upper else { return 0 }
        let whole = days(in: lower.quotient..<upper.quotient) * minutesPerDay
        return whole + minutes(on: upper.quotient, before: upper.remainder)
            - minutes(on: lower.quotient, before: lower.remainder)
    }

    private func firstWall(in month: CivilMonth, from start: (day: Int64, minute: Int64)) -> Int64? {
        var days = days(of: month) & .max << UInt64(start.day + 1)
        while days != 0 {
            let offset = Int64(days.trailingZeroBitCount) - 1
            if let minute = minuteOfDay(from: offset == start.day ? start.minute : 0) {
                return (month.firstDay + offset) * 86_400 + minute * 60
            }
            days &= days - 1
        }
        return nil
    }

    /// The first minute of a day from `start` on.
    private func minuteOfDay(from start: Int64) -> Int64? {
        let (hour, minute) = start.floored(by: 60)
        let rest = minutes & .max << UInt64(minute)
        if hours & 1 << UInt64(hour) != 0, rest != 0 { return hour * 60 + Int64(rest.trailingZeroBitCount) }
        let later = hours & .max << UInt64(hour + 1)
        guard later != 0 else { return nil }
        return Int64(later.trailingZeroBitCount) * 60 + Int64(minutes.trailingZeroBitCount)
    }

    private var minutesPerDay: Int { hours.nonzeroBitCount * minutes.nonzeroBitCount }

    private func minutes(on day: Int64, before end: Int64) -> Int {
        guard days(in: day..<day + 1) == 1 else { return 0 }
        let (hour, minute) = end.floored(by: 60)
        let wholeHours = hours & (1 << UInt64(hour) - 1)
        let isInHour = hours & 1 << UInt64(hour) != 0
        let inHour = isInHour ? (minutes & (1 << UInt64(minute) - 1)).nonzeroBitCount : 0
        return wholeHours.nonzeroBitCount * minutes.nonzeroBitCount + inHour
    }

    /// How many of the days are meant.
    private func days(in range: Range<Int64>) -> Int {
        guard !range.isEmpty else { return 0 }
        var count = 0
        var month = CivilMonth(containing: range.lowerBound)
        while month.firstDay < range.upperBound {
            let from = max(range.lowerBound - month.firstDay, 0)
            let to = min(range.upperBound - month.firstDay, Int64(month.length))
            let wanted: UInt64 = (.max << UInt64(from + 1)) & (1 << UInt64(to + 1) - 1)
            count += (days(of: month) & wanted).nonzeroBitCount
            month = month.next
        }
        return count
    }

    /// The days of a month that are meant, bit 1 for the first.
    private func days(of month: CivilMonth) -> UInt64 {
        guard months & 1 << UInt64(month.month) != 0 else { return 0 }
        let first = UInt64(month.firstWeekday)
        // Seven bits from the first day's weekday on, five times over.
        let week = (weekdays >> first | weekdays << (7 - first)) & 0x7F
        let byWeekday = week * 0x1020_4081 << 1
        let both = restrictsDays && restrictsWeekdays ? days | byWeekday : days & byWeekday
        return both & (1 << UInt64(month.length + 1) - 2)
    }
}
