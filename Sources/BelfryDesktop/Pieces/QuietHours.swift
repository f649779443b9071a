// When popups are held back. A popup at three in the morning is one too many, and a hub that waits for
// seven o'clock should sleep until then rather than look at its watch.

import BelfryCore

/// Times of the week, by the wall clock, in which popups are held.
///
/// A time that the clock skips when summer time begins does not come that day; one that it shows twice when
/// summer time ends comes twice.
public struct QuietHours: Sendable, Hashable {
    static let minutesOfDay = 24 * 60
    static let minutesOfWeek = 7 * minutesOfDay

    /// Minutes of the week from Monday 00:00; in order, apart from each other.
    private let spans: [Range<Int>]

    /// None.
    public init() { spans = [] }

    /// Reads ranges such as `22:00-07:00`, `sat,sun 00:00-24:00` or `mon-fri 09:00-12:30`.
    ///
    /// A range that ends before it begins ends on the next day; `fri 22:00-07:00` begins on Friday.
    ///
    /// - Parameter place: where the texts stand, as an error begins.
    /// - Throws: ``BelfryError`` `invalid_configuration` with the text, what is wrong in it, and how it goes.
    public init(_ ranges: [String], place: String) throws {
        spans = Self.merged(try ranges.flatMap { try Self.spans($0, place: place) })
    }

    /// Whether nothing is ever held.
    public var isEmpty: Bool { spans.isEmpty }

    /// Whether popups are held at this time.
    func contains(_ time: Timestamp, in zone: LocalZone = .machine) -> Bool {
        let minute = Self.minuteOfWeek(zone.wallClock(time))
        return spans.contains { $0.contains(minute) }
    }

    /// When the answer of ``contains(_:in:)`` changes next; nil when it never does.
    func nextChange(after time: Timestamp, in zone: LocalZone = .machine) -> Timestamp? {
        if spans.isEmpty || spans == [0..<Self.minutesOfWeek] { return nil }
        let isHeld = contains(time, in: zone)
        var start = time
        // Each round but the last ends where the clock is put forward or back: years of them.
        for _ in 0..<64 {
            let change = start.adding(timeToChange(at: zone.wallClock(start), from: isHeld))
            guard let shift = zone.shift(after: start, through: change) else { return change }
            if contains(shift, in: zone) != isHeld { return shift }
            start = shift
        }
        return nil
    }

    // MARK: The week

    /// From a time of the wall clock to the next change, were the clock never put forward or back.
    private func timeToChange(at wallClock: Int64, from isHeld: Bool) -> Duration {
        let minute = Self.minuteOfWeek(wallClock)
        let change = isHeld ? end(after: minute) : beginning(after: minute)
        let intoMinute = wallClock.modulo(60_000)
        return .milliseconds(Int64(change - minute) * 60_000 - intoMinute)
    }

    /// The minute in which the next span begins, beyond the week's end if need be.
    private func beginning(after minute: Int) -> Int {
        spans.first { $0.lowerBound > minute }?.lowerBound ?? spans[0].lowerBound + Self.minutesOfWeek
    }

    /// The minute after the span that holds `minute`; one that reaches Sunday's end may go on on Monday.
    private func end(after minute: Int) -> Int {
        let end = spans.first { $0.contains(minute) }?.upperBound ?? minute
        let goesOn = end == Self.minutesOfWeek && spans[0].lowerBound == 0
        return goesOn ? end + spans[0].upperBound : end
    }

    /// 1970 began on a Thursday.
    private static func minuteOfWeek(_ wallClock: Int64) -> Int {
        let minutes = (wallClock - wallClock.modulo(60_000)) / 60_000
        return Int((minutes + Int64(3 * minutesOfDay)).modulo(Int64(minutesOfWeek)))
    }

    private static func merged(_ spans: [Range<Int>]) -> [Range<Int>] {
        var merged: [Range<Int>] = []
        for span in spans.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, span.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, span.upperBound)
            } else {
                merged.append(span)
            }
        }
        return merged
    }
}

extension Int64 {
    /// The remainder that is never negative.
    fileprivate func modulo(_ divisor: Int64) -> Int64 {
        let rest = self % divisor
        return rest < 0 ? rest + divisor : rest
    }
}
