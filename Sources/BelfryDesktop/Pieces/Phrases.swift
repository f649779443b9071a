// How long something took and how long it may take, in the words of a popup.

/// Durations for people.
enum Phrases {
    /// How long something took: `under a second`, `12 s`, `3 min 12 s`, `1 h 4 min`, `2 d 3 h`.
    ///
    /// Rounded to the smaller unit, which is left out when there is none of it.
    static func duration(_ duration: Duration) -> String {
        if duration < .seconds(1) { return "under a second" }
        let seconds = wholeSeconds(duration)
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return pair(seconds, "min", 60, "s") }
        let minutes = rounded(seconds, to: 60)
        if minutes < 24 * 60 { return pair(minutes, "h", 60, "min") }
        return pair(rounded(seconds, to: 3600), "d", 24, "h")
    }

    /// How long something will take: `about 2 min left`.
    ///
    /// Coarse, as an estimate is, and so that a popup's text does not change with every event: in steps of
    /// 5 s under a minute, 1 min under an hour, 5 min under 10 hours, 1 h under two days, then days.
    static func left(_ duration: Duration) -> String { "about \(coarse(wholeSeconds(duration))) left" }

    private static func coarse(_ seconds: Int64) -> String {
        let fives = rounded(seconds, to: 5) * 5
        if fives < 60 { return "\(max(5, fives)) s" }
        let minutes = rounded(seconds, to: 60)
        if minutes < 60 { return "\(minutes) min" }
        let fiveMinutes = rounded(seconds, to: 300) * 5
        if fiveMinutes < 600 { return pair(fiveMinutes, "h", 60, "min") }
        let hours = rounded(seconds, to: 3600)
        return hours < 48 ? "\(hours) h" : "\(rounded(seconds, to: 86_400)) d"
    }

    /// `90, "min", 60, "s"` is `1 min 30 s`.
    private static func pair(_ count: Int64, _ large: String, _ ratio: Int64, _ small: String) -> String {
        let (quotient, rest) = count.quotientAndRemainder(dividingBy: ratio)
        return rest == 0 ? "\(quotient) \(large)" : "\(quotient) \(large) \(rest) \(small)"
    }

    private static func rounded(_ seconds: Int64, to unit: Int64) -> Int64 { (seconds + unit / 2) / unit }

    /// To the nearest second; between nothing and some ten thousand years, so that no sum overflows.
    private static func wholeSeconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        let most: Int64 = 300_000_000_000
        return min(max(seconds, 0), most) + (seconds >= 0 && attoseconds >= 500_000_000_000_000_000 ? 1 : 0)
    }
}
