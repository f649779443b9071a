// When a schedule fires, in the words of cron.

import BelfryCore

/// Five fields that say at which minutes a schedule fires: minute, hour, day of month, month, day of week.
///
/// A field is `*`, a number, a list (`1,15`), a range (`9-17`), or one of those with a step: `*/5`,
/// `10-50/10`, and `5/15`, which begins at 5. Months and days of the week have names (`jan`…`dec`,
/// `sun`…`sat`, in any case); Sunday is 0 and 7, and a range may end with it (`fri-sun`). `@hourly`,
/// `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually` stand for whole expressions.
///
/// **Days.** Where day of month and day of week are both restricted, a day that is in either fires; otherwise
/// both must allow it. A field is restricted unless it allows every value, however that is written: `*`,
/// `*/1` and `1-31` are not, `*/2` is. (In cron itself a field that begins with `*` is never restricted, so
/// that `0 0 */2 * mon` means the Mondays among the odd days; here, as in croniter, it means all of both.)
///
/// **Clock changes.** What happens depends on whether the hours are fixed, that is, whether some hour is left
/// out:
/// - With fixed hours each wall time that was asked for fires once. One that is skipped in spring fires at
///   the moment the clocks go forward: 02:30 fires at 03:00. Several skipped ones fire once together. One
///   that comes twice in autumn fires the first time.
/// - With every hour (`*`, also `*/1` or `0-23`) it goes by what clocks show: nothing fires for a time that is
///   skipped, and one that comes twice fires twice. `*/15 * * * *` so fires every fifteen minutes of real time.
///
/// Vixie's cron and cronie do the same, with two differences: they take any change of up to three hours for one
/// of this kind, and they let an expression go by the clock whose minutes *or* hours begin with `*`, so that for
/// them `*/10 2 * * *` does not fire in spring and `0 */2 * * *` fires twice at 02:00 in autumn. systemd passes
/// over a wall time that is skipped; croniter 7 fires it as here, but fires twice whatever comes twice. A
/// night's job that does not run once a year, or runs twice, is the worse surprise.
public struct CronExpression: Hashable, Sendable {
    /// As it was written, in lower case and with single spaces.
    public let text: String
    let minutes: UInt64
    let hours: UInt64
    let days: UInt64
    let months: UInt64
    let weekdays: UInt64
    let restrictsDays: Bool
    let restrictsWeekdays: Bool

    /// The longest text that is accepted, in bytes.
    public static let maxLength = 256

    /// Reads five fields or one of the names that begin with `@`.
    ///
    /// - Parameter pointer: where in a request the text stands. Defaults to `/cron`.
    /// - Throws: ``BelfryError`` `invalid_request` that names the field, what was read and what is allowed; also
    ///   when the schedule could never fire, as on 30 February.
    public init(parsing source: String, pointer: String = "/cron") throws {
        guard source.utf8.count <= Self.maxLength else { throw Self.tooLong(source, pointer) }
        let words = source.lowercased().split(whereSeparator: \.isWhitespace)
        text = words.joined(separator: " ")
        let fields = try Self.fields(words, pointer)
        let values = try zip(CronField.all, fields).map { try $0.values(of: $1, pointer: pointer) }
        (minutes, hours, days, months, weekdays) = (values[0], values[1], values[2], values[3], values[4])
        (restrictsDays, restrictsWeekdays) = (Self.restricts(fields[2]), Self.restricts(fields[4]))
        guard canFire else { throw Self.neverFires(text, pointer) }
    }

    static let names = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]

    private static func fields(_ words: [Substring], _ pointer: String) throws -> [Substring] {
        if words.count == 1, let name = words.first, name.hasPrefix("@") {
            guard let meaning = names[String(name)] else { throw unknownName(String(name), pointer) }
            return meaning.split(separator: " ")
        }
        guard words.count == CronField.all.count else { throw wrongCount(words, pointer) }
        return words
    }
}

extension CronExpression: CustomStringConvertible {
    public var description: String { text }
}

extension CronExpression {
    /// Whether every hour of a day fires, so that a change of the clocks changes nothing but their hands.
    var hasEveryHour: Bool { hours == CronField.hour.full }

    private static func restricts(_ field: Substring) -> Bool {
        !field.split(separator: ",").contains { $0 == "*" || $0 == "*/1" }
    }

    private var canFire: Bool {
        if !restrictsDays || restrictsWeekdays { return true }
        return (1...12).contains { month in
            let isAllowed = months & 1 << UInt64(month) != 0
            return isAllowed && days.trailingZeroBitCount <= CivilMonth.length(of: month, isLeap: true)
        }
    }
}

// What people read when the whole is wrong.
extension CronExpression {
    private static let shape =
        "Write minute, hour, day-of-month, month and day-of-week, such as '0 7 * * mon-fri'."

    private static func wrongCount(_ words: [Substring], _ pointer: String) -> BelfryError {
        let isSix = words.count == 6 ? " Seconds and years are not supported." : ""
        return BelfryError(
            .invalidRequest,
            "The schedule '\(words.joined(separator: " "))' has \(words.count) fields; a cron expression has 5.\(isSix)",
            fix: shape,
            pointer: pointer
        )
    }

    private static func unknownName(_ name: String, _ pointer: String) -> BelfryError {
        let closest = NameSuggestion.closest(to: name, among: names.keys)
        let guess = closest.map { "Did you mean \($0)? " } ?? ""
        return BelfryError(
            .invalidRequest,
            "The schedule '\(name)' is not known; allowed are \(names.keys.sorted().joined(separator: ", ")).",
            fix: guess + shape,
            pointer: pointer
        )
    }

    private static func tooLong(_ source: String, _ pointer: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "The schedule is \(source.utf8.count) bytes long; at most \(maxLength) are accepted.",
            fix: shape,
            pointer: pointer
        )
    }

    private static func neverFires(_ text: String, _ pointer: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "The schedule '\(text)' can never fire: none of its months has one of its days.",
            fix: "Choose a day that one of the months has.",
            pointer: pointer
        )
    }
}
