// One field of a cron expression: what may stand in it, and its text as a set of numbers. A set is a word of
// 64 bits, so that the next value is one machine instruction away.

import BelfryCore

/// A field's name, its numbers and their names.
struct CronField {
    let name: String
    let lowest: Int
    /// The highest number that may be written; 7 for the day of the week, where it is Sunday again.
    let highest: Int
    /// Names in the order of the numbers from `lowest`.
    var names: [String] = []

    static let minute = CronField(name: "minute", lowest: 0, highest: 59)
    static let hour = CronField(name: "hour", lowest: 0, highest: 23)
    static let day = CronField(name: "day-of-month", lowest: 1, highest: 31)
    static let month = CronField(
        name: "month",
        lowest: 1,
        highest: 12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    )
    static let weekday = CronField(
        name: "day-of-week",
        lowest: 0,
        highest: 7,
        names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    )
    static let all = [minute, hour, day, month, weekday]

    private var isMinute: Bool { highest == 59 }
    private var isWeekday: Bool { highest == 7 }
    /// How many different values it has; no step is longer.
    private var count: Int { isWeekday ? 7 : highest - lowest + 1 }
    /// The set of all values.
    var full: UInt64 { ((1 << UInt64(count)) - 1) << UInt64(lowest) }
}

extension CronField {
    /// The values that `text` allows, in lower case.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` that names the field, what was read and what is allowed.
    func values(of text: Substring, pointer: String) throws -> UInt64 {
        var values: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            values |= try self.values(ofItem: item, pointer)
        }
        guard isWeekday, values & 1 << 7 != 0 else { return values }
        return values & full | 1
    }

    private func values(ofItem item: Substring, _ pointer: String) throws -> UInt64 {
        let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let range = try range(parts[0], isOpen: parts.count == 2, in: item, pointer)
        let step = parts.count == 2 ? try step(parts[1], in: item, pointer) : 1
        return stride(from: range.lowerBound, through: range.upperBound, by: step)
            .reduce(0) { $0 | 1 << UInt64($1) }
    }

    /// - Parameter isOpen: a single number is a start, as in `5/15`: 5, 20, 35, 50.
    private func range(
        _ text: Substring,
        isOpen: Bool,
        in item: Substring,
        _ pointer: String
    ) throws -> ClosedRange<Int> {
        if text == "*" { return lowest...highest }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let start = try number(ends[0], in: item, pointer)
        guard ends.count == 2 else { return isOpen ? start...highest : start...start }
        var end = try number(ends[1], in: item, pointer)
        // Friday to Sunday.
        if isWeekday, end == 0, start > 0 { end = 7 }
        guard start <= end else { throw backwards(ends, item, pointer) }
        return start...end
    }

    private func number(_ text: Substring, in item: Substring, _ pointer: String) throws -> Int {
        if let index = names.firstIndex(of: String(text)) { return lowest + index }
        guard let number = Self.digits(text) else {
            throw Self.isExtension(text) ? unsupported(item, pointer) : notAllowed(item, pointer)
        }
        guard (lowest...highest).contains(number) else { throw notAllowed(item, pointer) }
        return number
    }

    private func step(_ text: Substring, in item: Substring, _ pointer: String) throws -> Int {
        guard let step = Self.digits(text), step > 0 else { throw notAllowed(item, pointer) }
        guard step <= count else { throw longStep(step, item, pointer) }
        return step
    }

    /// Up to nine digits, so that no number overflows.
    private static func digits(_ text: Substring) -> Int? {
        let isNumber =
            (1...9).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        return isNumber ? Int(text) : nil
    }

    /// Whether other programs' additions are meant: `L`, `15W`, `mon#2`, `?`, `H`, `R`.
    private static func isExtension(_ text: Substring) -> Bool {
        if text.contains(where: { "#?".contains($0) }) { return true }
        let letters = text.filter { !$0.isNumber && $0 != "(" && $0 != ")" }
        return ["l", "w", "lw", "wl", "h", "r"].contains(letters)
    }
}

// What people read when a field is wrong.
extension CronField {
    private var allowed: String {
        let named = names.isEmpty ? "" : " or \(names[0])…\(names[names.count - 1])"
        return "\(lowest)…\(highest)\(named)"
    }

    private var example: String {
        "Write '*', numbers (\(allowed)), a list such as '1,3', a range such as '1-5', or a step such as '*/2'."
    }

    private func notAllowed(_ item: Substring, _ pointer: String) -> BelfryError {
        let what = item.isEmpty ? "has an empty place" : "has '\(item)'"
        return BelfryError(
            .invalidRequest,
            "The field \(name) of the schedule \(what); allowed are \(allowed).",
            fix: example,
            pointer: pointer
        )
    }

    private func unsupported(_ item: Substring, _ pointer: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "The field \(name) of the schedule has '\(item)'; 'L', 'W', '#', '?', 'H' and 'R' are not supported.",
            fix: example,
            pointer: pointer
        )
    }

    private func backwards(_ ends: [Substring], _ item: Substring, _ pointer: String) -> BelfryError {
        let top = isWeekday ? 6 : highest
        return BelfryError(
            .invalidRequest,
            "The field \(name) of the schedule has the range '\(item)', which ends before it begins.",
            fix: "Write it as two: '\(ends[0])-\(top),\(lowest)-\(ends[1])'.",
            pointer: pointer
        )
    }

    private func longStep(_ step: Int, _ item: Substring, _ pointer: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "The field \(name) of the schedule has '\(item)', a step longer than its \(count) values.",
            fix: isMinute
                ? "A step is 1…60 and begins anew with each hour. For a steady interval write 'every \(step)m'."
                : "A step is 1…\(count) and begins anew with each round of the field.",
            pointer: pointer
        )
    }
}
