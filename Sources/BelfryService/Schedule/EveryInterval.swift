// A schedule that fires at a steady interval, whatever clocks show.

public import BelfryCore

/// An interval between ticks: at least a second, at most ten years.
///
/// Ticks are at a schedule's anchor (the time at which it was made) plus a whole number of intervals, so that no
/// late tick moves the ones after it. A day is 24 hours: who wants a time of day wants cron.
public struct EveryInterval: Hashable, Sendable {
    public let seconds: Int64

    /// The longest interval, in seconds: ten years.
    public static let longest: Int64 = 10 * 365 * 86_400

    /// - Throws: ``BelfryError`` `invalid_request` outside of 1 second…10 years.
    public init(seconds: Int64, pointer: String = "/cron") throws {
        guard (1...Self.longest).contains(seconds) else { throw Self.outOfBounds(pointer) }
        self.seconds = seconds
    }

    /// Reads `every 15m` or `@every 1h30m`: numbers with the units `s`, `m`, `h`, `d` and `w` or their names,
    /// with or without spaces, each unit once.
    ///
    /// - Parameter pointer: where in a request the text stands. Defaults to `/cron`.
    /// - Throws: ``BelfryError`` `invalid_request` that says what was read and what is allowed.
    public init(parsing source: String, pointer: String = "/cron") throws {
        let text = source.lowercased()
        guard source.utf8.count <= CronExpression.maxLength, let amount = Self.amount(text) else {
            throw Self.unreadable(String(source.prefix(CronExpression.maxLength)), pointer)
        }
        var rest = amount.filter { !$0.isWhitespace }[...]
        var sum: Int64 = 0
        var used: Set<Int64> = []
        repeat {
            guard let (number, unit) = Self.part(&rest), used.insert(unit).inserted else {
                throw Self.unreadable(source, pointer)
            }
            let (seconds, isTooLong) = number.multipliedReportingOverflow(by: unit)
            guard !isTooLong, seconds <= Self.longest else { throw Self.outOfBounds(pointer) }
            sum += seconds
        } while !rest.isEmpty
        try self.init(seconds: sum, pointer: pointer)
    }

    /// Whether `text` is meant as an interval.
    static func isMeant(by text: String) -> Bool { amount(text.lowercased()) != nil }

    private static func amount(_ text: String) -> Substring? {
        let text = text.drop(while: \.isWhitespace)
        for word in ["every", "@every"] where text.hasPrefix(word) {
            let rest = text.dropFirst(word.count)
            if rest.isEmpty || rest.first?.isWhitespace == true { return rest }
        }
        return nil
    }

    static let units: [(names: Set<Substring>, seconds: Int64)] = [
        (["w", "week", "weeks"], 604_800), (["d", "day", "days"], 86_400),
        (["h", "hr", "hrs", "hour", "hours"], 3600), (["m", "min", "mins", "minute", "minutes"], 60),
        (["s", "sec", "secs", "second", "seconds"], 1),
    ]

    /// Takes a number and its unit off the front.
    private static func part(_ rest: inout Substring) -> (number: Int64, unit: Int64)? {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        let letters = rest.dropFirst(digits.count).prefix { !$0.isNumber }
        guard let number = Int64(digits), let unit = units.first(where: { $0.names.contains(letters) }) else {
            return nil
        }
        rest = rest.dropFirst(digits.count + letters.count)
        return (number, unit.seconds)
    }
}

extension EveryInterval: CustomStringConvertible {
    /// The shortest text that reads as this: `every 1h30m`.
    public var description: String {
        var rest = seconds
        var text = "every "
        for unit in Self.units where rest >= unit.seconds {
            text += "\(rest / unit.seconds)\(unit.names.min { $0.count < $1.count } ?? "")"
            rest %= unit.seconds
        }
        return text
    }
}

extension EveryInterval {
    /// The first tick later than `time`; nil when there is none before the year 10,000.
    public func next(after time: Timestamp, anchor: Timestamp) -> Timestamp? {
        let tick = anchor.kept.milliseconds + (steps(to: time, anchor) + 1) * seconds * 1000
        return tick < ZoneWalk.end * 1000 ? Timestamp(milliseconds: tick) : nil
    }

    /// The ticks later than `start`, up to `end` and with it, the oldest first, at most `limit`.
    public func ticks(
        after start: Timestamp,
        through end: Timestamp,
        anchor: Timestamp,
        limit: Int
    ) -> [Timestamp] {
        let count = min(max(limit, 0), count(after: start, through: end, anchor: anchor))
        let first = next(after: start, anchor: anchor)
        return (0..<count).compactMap { index in
            first.map { Timestamp(milliseconds: $0.milliseconds + Int64(index) * seconds * 1000) }
        }
    }

    /// How many ticks are later than `start` and not later than `end`.
    public func count(after start: Timestamp, through end: Timestamp, anchor: Timestamp) -> Int {
        Int(max(0, steps(to: end, anchor) - steps(to: start, anchor)))
    }

    /// How many intervals lie between the anchor and the last tick not later than `time`.
    private func steps(to time: Timestamp, _ anchor: Timestamp) -> Int64 {
        (time.kept.milliseconds - anchor.kept.milliseconds).floored(by: seconds * 1000).quotient
    }
}

extension Timestamp {
    /// Kept within the years 1 to 9999, where no sum overflows.
    fileprivate var kept: Timestamp {
        let bounds = (ZoneWalk.beginning * 1000, ZoneWalk.end * 1000)
        return Timestamp(milliseconds: min(max(milliseconds, bounds.0), bounds.1))
    }
}

// What people read when an interval is wrong.
extension EveryInterval {
    private static func unreadable(_ source: String, _ pointer: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "The interval '\(source)' cannot be read; allowed are whole numbers with the units s, m, h, d and w.",
            fix: "Write 'every 15m', 'every 1h30m' or 'every 2 weeks'.",
            pointer: pointer
        )
    }

    private static func outOfBounds(_ pointer: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "The interval of a schedule is 1 second to 10 years.",
            fix: "Write 'every 15m', 'every 1h30m' or 'every 2 weeks'.",
            pointer: pointer
        )
    }
}
