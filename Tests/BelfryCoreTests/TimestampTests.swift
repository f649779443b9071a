// Dates are written and read by hand for speed; Foundation's calendar is the judge of them.

import BelfryCore
import BelfryTesting
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite("Timestamps")
struct TimestampTests {
    private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    private static let day: Int64 = 86_400_000

    /// Midnights and moments from the year 1 to 9999.
    private static func moments() -> [Timestamp] {
        var random = SeededRandom(seed: 3)
        let (first, last): (Int64, Int64) = (-62_135_596_800_000, 253_402_300_799_999)
        return (0..<4_000).map { index in
            let time = Int64.random(in: first...last, using: &random)
            return Timestamp(milliseconds: index % 4 == 0 ? max(first, time - time % day) : time)
        }
    }

    @Test("text is what Foundation writes, for thousands of moments between the years 1583 and 9999")
    func writing() {
        // Before October 1582 Foundation counts by the Julian calendar; RFC 3339 does not.
        let gregorian = Self.moments().filter { $0.milliseconds > -12_212_553_600_000 }
        #expect(gregorian.count > 3_000)
        for time in gregorian {
            // Foundation's dates are doubles that count from 2001: exact at whole seconds.
            let whole = Timestamp(milliseconds: time.milliseconds - (time.milliseconds % 1000 + 1000) % 1000)
            #expect(whole.description == whole.date.formatted(Self.style))
        }
    }

    @Test("every moment reads back to the millisecond")
    func roundTrip() {
        for time in Self.moments() {
            #expect(Timestamp(time.description) == time)
            #expect(Timestamp(time.date) == time)
        }
    }

    @Test("every day around the turns of centuries is what Foundation says")
    func everyDay() {
        for year in [1600, 1700, 1900, 2000, 2100] {
            guard let start = Timestamp("\(year - 1)-12-15T00:00:00Z") else {
                Issue.record("\(year) is not read")
                continue
            }
            for day in 0..<400 {
                let time = start.adding(.seconds(day * 86_400 + 86_399))
                #expect(time.description == time.date.formatted(Self.style))
            }
        }
    }

    @Test(
        "known moments",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_763_928_166_123, "2025-11-23T20:02:46.123Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        ] as [(Int64, String)]
    )
    func known(_ milliseconds: Int64, _ text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(
        "every spelling of RFC 3339 is read",
        arguments: [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02t03:04:05z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02 03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100Z"),
            ("2026-01-02T03:04:05.12Z", "2026-01-02T03:04:05.120Z"),
            ("2026-01-02T03:04:05.1239999Z", "2026-01-02T03:04:05.123Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"),
            ("2026-01-01T00:30:00+05:45", "2025-12-31T18:45:00.000Z"),
            ("2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00.000Z"),
            ("2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05.000Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ]
    )
    func spellings(_ text: String, _ normal: String) {
        #expect(Timestamp(text)?.description == normal)
    }

    @Test(
        "what is no moment is refused",
        arguments: [
            "", "2026", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0200",
            "2026-01-01T00:00:00+02", "2026-01-01T00:00:00Zx", " 2026-01-01T00:00:00Z", "26-01-01T00:00:00Z",
            "2026-1-1T00:00:00Z", "2026-01-01T00:00:00,5Z", "+2026-01-01T00:00:00Z", "٢٠٢٦-01-01T00:00:00Z",
            "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2100-02-29T00:00:00Z",
            "2026-01-01T00:00:00+99:99",
        ]
    )
    func refused(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("times are compared, moved and subtracted in milliseconds")
    func arithmetic() {
        let start = Timestamp(milliseconds: 1000)
        #expect(start.adding(.milliseconds(1)) > start)
        #expect(start.adding(.seconds(-2)).milliseconds == -1000)
        #expect(start.adding(.seconds(90)).since(start) == .seconds(90))
        #expect(start.since(start.adding(.seconds(90))).seconds == -90)
        #expect(Duration.microseconds(1999).wholeMilliseconds == 1)
        #expect(Duration.microseconds(-1999).wholeMilliseconds == -1)
        #expect(Duration.milliseconds(1500).seconds == 1.5)
    }
}
