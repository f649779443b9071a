// How wall clocks of a zone go through real time: in stretches with one offset from UTC, with wall times
// that are skipped or repeated between them.

import Foundation

/// A stretch of real time in which wall clocks run evenly. All in seconds.
struct ZoneStretch: Equatable {
    /// When it begins, in seconds since 1970.
    var start: Int64
    /// Wall time minus real time.
    var offset: Int64
    /// What clocks show in it; without what they have shown before, when each time is to count once.
    var walls: Range<Int64>
    /// What clocks jump over when it begins.
    var skipped: Range<Int64>
}

/// The stretches of a zone from some time on.
struct ZoneWalk: Sequence, IteratorProtocol {
    private let zone: TimeZone
    private let countsOnce: Bool
    private var start: Int64
    /// The end of the wall times shown so far; nil before the first stretch.
    private var shown: Int64?

    /// Where time ends: the start of the year 10,000.
    static let end: Int64 = 253_402_300_800
    /// Where it begins: the year 1.
    static let beginning: Int64 = -62_135_596_800
    /// No zone has ever put its clocks back further, not even across the date line.
    private static let longestRepeat: Int64 = 25 * 3600

    /// - Parameter countsOnce: whether wall times that come twice are left out the second time.
    init(from instant: Int64, in zone: TimeZone, countsOnce: Bool) {
        self.zone = zone
        self.countsOnce = countsOnce
        start = countsOnce ? instant - Self.longestRepeat : instant
    }

    mutating func next() -> ZoneStretch? {
        guard start < Self.end else { return nil }
        let date = Date(timeIntervalSince1970: Double(start))
        let offset = Int64(zone.secondsFromGMT(for: date))
        let end = change(after: date) ?? Self.end
        let (first, last) = (start + offset, end + offset)
        let shown = shown ?? first
        let from = countsOnce ? min(max(first, shown), last) : first
        defer {
            start = end
            self.shown = Swift.max(shown, last)
        }
        return ZoneStretch(
            start: start,
            offset: offset,
            walls: from..<last,
            skipped: shown..<Swift.max(shown, first)
        )
    }

    private func change(after date: Date) -> Int64? {
        guard let change = zone.nextDaylightSavingTimeTransition(after: date) else { return nil }
        let seconds = change.timeIntervalSince1970
        return seconds < Double(Self.end) ? Swift.max(Int64(seconds.rounded()), start + 1) : nil
    }

    private func min(_ left: Int64, _ right: Int64) -> Int64 { Swift.min(left, right) }
    private func max(_ left: Int64, _ right: Int64) -> Int64 { Swift.max(left, right) }
}
