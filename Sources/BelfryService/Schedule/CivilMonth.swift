// Months of the Gregorian calendar as runs of day numbers. A general calendar costs a hundred times more
// per date, and cron needs no more than this.

/// A month: which days since 1970-01-01 are its own.
struct CivilMonth: Equatable {
    let year: Int64
    /// 1…12.
    let month: Int
    /// The day number of its first day.
    let firstDay: Int64

    var length: Int { Self.length(of: month, isLeap: Self.isLeap(year)) }

    var next: CivilMonth {
        CivilMonth(
            year: month == 12 ? year + 1 : year,
            month: month == 12 ? 1 : month + 1,
            firstDay: firstDay + Int64(length)
        )
    }

    private init(year: Int64, month: Int, firstDay: Int64) {
        self.year = year
        self.month = month
        self.firstDay = firstDay
    }

    init(containing day: Int64) {
        // 146,097 days are 400 years; the mean year may miss by one.
        var year = 1970 + (day * 400).floored(by: 146_097).quotient
        if Self.firstDay(of: year) > day { year -= 1 }
        if Self.firstDay(of: year + 1) <= day { year += 1 }
        var found = CivilMonth(year: year, month: 1, firstDay: Self.firstDay(of: year))
        while day >= found.firstDay + Int64(found.length) { found = found.next }
        self = found
    }

    /// The weekday of its first day, 0 for Sunday: 1970 began on a Thursday.
    var firstWeekday: Int { Int((firstDay + 4).floored(by: 7).remainder) }

    /// - Parameter month: 1…12.
    static func length(of month: Int, isLeap: Bool) -> Int {
        switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func firstDay(of year: Int64) -> Int64 {
        365 * (year - 1970) + leapYears(through: year - 1) - leapYears(through: 1969)
    }

    private static func leapYears(through year: Int64) -> Int64 {
        year.floored(by: 4).quotient - year.floored(by: 100).quotient + year.floored(by: 400).quotient
    }
}

extension Int64 {
    /// Quotient and remainder with the quotient rounded down, so that the remainder is never negative.
    func floored(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// The quotient rounded up.
    func ceiling(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = floored(by: divisor)
        return remainder == 0 ? quotient : quotient + 1
    }
}
