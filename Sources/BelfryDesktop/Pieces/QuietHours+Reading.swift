// Quiet hours as people write them.

import BelfryCore

extension QuietHours {
    private static let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

    /// What is wrong in a text, up to the end of the sentence.
    private struct Mistake: Error { let text: String }

    /// The minutes of the week of one text.
    static func spans(_ text: String, place: String) throws(BelfryError) -> [Range<Int>] {
        do { return try spans(text) } catch {
            throw BelfryError(
                .invalidConfiguration,
                "\(place): '\(text)' is no time of the day: \(error.text)",
                fix: "Write it like \"22:00-07:00\", \"mon-fri 09:00-12:30\" or \"sat,sun 00:00-24:00\"."
            )
        }
    }

    private static func spans(_ text: String) throws(Mistake) -> [Range<Int>] {
        let words = text.lowercased().split(whereSeparator: \.isWhitespace)
        let first = words.firstIndex { $0.first?.isNumber == true } ?? words.endIndex
        let (start, end) = try times(words[first...].joined())
        var spans: [Range<Int>] = []
        for day in try daysOfWeek(words[..<first].joined()) {
            let length = end > start ? end - start : end + minutesOfDay - start
            let span = day * minutesOfDay + start..<day * minutesOfDay + start + length
            spans.append(span.clamped(to: 0..<minutesOfWeek))
            if span.upperBound > minutesOfWeek { spans.append(0..<span.upperBound - minutesOfWeek) }
        }
        return spans
    }

    /// Days counted from Monday as 0; all of them where none is named.
    private static func daysOfWeek(_ text: String) throws(Mistake) -> Set<Int> {
        if text.isEmpty { return Set(days.indices) }
        var found: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count <= 2 else { throw Mistake(text: "'\(part)' is not from one day to another.") }
            let first = try day(ends[0])
            let last = try day(ends[ends.count - 1])
            for step in 0...((last - first + 7) % 7) { found.insert((first + step) % 7) }
        }
        return found
    }

    private static func day(_ name: Substring) throws(Mistake) -> Int {
        let short = days.map { $0.prefix(3) }
        if let day = short.firstIndex(of: name) ?? days.firstIndex(of: String(name)) { return day }
        let meant = NameSuggestion.closest(to: String(name), among: short.map(String.init))
        throw Mistake(text: "'\(name)' is not a day" + (meant.map { "; did you mean '\($0)'?" } ?? "."))
    }

    private static func times(_ text: String) throws(Mistake) -> (start: Int, end: Int) {
        if text.isEmpty { throw Mistake(text: "it has no times.") }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2 else { throw Mistake(text: "'\(text)' is not from one time to another.") }
        let (start, end) = (try minuteOfDay(ends[0]), try minuteOfDay(ends[1]))
        if start == minutesOfDay { throw Mistake(text: "24:00 can only be an end.") }
        if start == end { throw Mistake(text: "it ends when it begins (00:00-24:00 is the whole day).") }
        return (start, end)
    }

    private static func minuteOfDay(_ text: Substring) throws(Mistake) -> Int {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let areDigits = parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        guard parts.count == 2, areDigits, (1...2).contains(parts[0].count), parts[1].count == 2,
            let hour = Int(parts[0]), let minute = Int(parts[1])
        else { throw Mistake(text: "'\(text)' is not a time such as 07:30.") }
        guard minute < 60, hour * 60 + minute <= minutesOfDay else {
            throw Mistake(text: "'\(text)' is not between 00:00 and 24:00.")
        }
        return hour * 60 + minute
    }
}
