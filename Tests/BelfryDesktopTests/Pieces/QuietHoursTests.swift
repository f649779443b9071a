// Quiet hours in a zone with summer time: Berlin's, in 2026.

import BelfryCore
import Glibc
import Testing

@testable import BelfryDesktop

@Suite("Quiet hours")
struct QuietHoursTests {
    /// Forward on 29 March, back on 25 October, at 01:00 UTC.
    private static let berlin = LocalZone { seconds in
        let forward = Timestamp("2026-03-29T01:00:00Z")!.milliseconds / 1000
        let back = Timestamp("2026-10-25T01:00:00Z")!.milliseconds / 1000
        return (forward..<back).contains(seconds) ? 7200 : 3600
    }

    private func hours(_ ranges: String...) throws -> QuietHours {
        try QuietHours(ranges, place: "sinks.desktop.quiet_hours")
    }

    private func time(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

    private func isHeld(_ hours: QuietHours, _ text: String) throws -> Bool {
        hours.contains(try time(text), in: Self.berlin)
    }

    private func change(_ hours: QuietHours, after text: String) throws -> String? {
        hours.nextChange(after: try time(text), in: Self.berlin)?.description
    }

    @Test("a night is held from its beginning up to its end")
    func night() throws {
        let hours = try hours("22:00-07:00")
        #expect(try !isHeld(hours, "2026-11-24T21:59:59.999+01:00"))
        #expect(try isHeld(hours, "2026-11-24T22:00:00+01:00"))
        #expect(try isHeld(hours, "2026-11-25T00:00:00+01:00"))
        #expect(try isHeld(hours, "2026-11-25T06:59:59.999+01:00"))
        #expect(try !isHeld(hours, "2026-11-25T07:00:00+01:00"))
    }

    @Test("days are those on which a range begins")
    func days() throws {
        let hours = try hours("fri 22:00-07:00", "sun 23:00-01:00")
        // 27 November 2026 is a Friday.
        #expect(try isHeld(hours, "2026-11-27T23:00:00+01:00"))
        #expect(try isHeld(hours, "2026-11-28T06:00:00+01:00"))
        #expect(try !isHeld(hours, "2026-11-28T23:00:00+01:00"))
        #expect(try !isHeld(hours, "2026-11-27T06:00:00+01:00"))
        // From Sunday into Monday is from the end of the week to its beginning.
        #expect(try isHeld(hours, "2026-11-30T00:30:00+01:00"))
        #expect(try !isHeld(hours, "2026-11-30T01:00:00+01:00"))
    }

    @Test(
        "the same times may be written in several ways",
        arguments: [
            ("mon-fri 09:00-12:30", "Mon, tue,WED,thursday,fri 9:00 - 12:30"),
            ("sat-mon 00:00-24:00", "sat,sun,mon 00:00-24:00"), ("sun 22:00-24:00", "sun 22:00-00:00"),
            ("22:00-07:00", "mon-sun 22:00-07:00"),
        ]
    )
    func writings(_ one: String, _ other: String) throws {
        #expect(try hours(one) == hours(other))
    }

    @Test("ranges that overlap or touch are one")
    func merged() throws {
        #expect(try hours("22:00-02:00", "01:00-07:00") == hours("22:00-07:00"))
        #expect(try hours("08:00-10:00", "10:00-12:00") == hours("08:00-12:00"))
    }

    @Test("no ranges hold nothing, and all of the week never ends")
    func extremes() throws {
        #expect(QuietHours().isEmpty)
        #expect(try hours() == QuietHours())
        #expect(try change(hours(), after: "2026-11-24T12:00:00Z") == nil)
        let always = try hours("00:00-24:00")
        #expect(!always.isEmpty)
        #expect(try isHeld(always, "2026-11-29T23:59:59+01:00"))
        #expect(try change(always, after: "2026-11-24T12:00:00Z") == nil)
    }

    @Test("the next change is the end while held and the beginning while not")
    func changes() throws {
        let night = try hours("22:00-07:00")
        #expect(try change(night, after: "2026-11-24T12:34:56.789+01:00") == "2026-11-24T21:00:00.000Z")
        #expect(try change(night, after: "2026-11-24T22:00:00+01:00") == "2026-11-25T06:00:00.000Z")
        #expect(try change(night, after: "2026-11-25T06:59:59.999+01:00") == "2026-11-25T06:00:00.000Z")
        let weekend = try hours("sat,sun 00:00-24:00", "mon 00:00-08:00")
        #expect(try change(weekend, after: "2026-11-28T10:00:00+01:00") == "2026-11-30T07:00:00.000Z")
        #expect(try change(weekend, after: "2026-11-30T08:00:00+01:00") == "2026-12-04T23:00:00.000Z")
    }

    @Test("a night in which the clock is put forward ends an hour sooner, and one back an hour later")
    func nightsOfChange() throws {
        let night = try hours("22:00-07:00")
        #expect(try change(night, after: "2026-03-28T22:00:00+01:00") == "2026-03-29T05:00:00.000Z")
        #expect(try change(night, after: "2026-10-24T22:00:00+02:00") == "2026-10-25T06:00:00.000Z")
    }

    @Test("a time that the clock skips does not come that day")
    func skipped() throws {
        let hours = try hours("02:15-02:45")
        #expect(try change(hours, after: "2026-03-28T12:00:00Z") == "2026-03-30T00:15:00.000Z")
        // Skipped in part: 02:30 to 03:00 are, so that it begins at 03:00.
        let later = try self.hours("02:30-03:30")
        #expect(try change(later, after: "2026-03-29T00:00:00Z") == "2026-03-29T01:00:00.000Z")
        #expect(try change(later, after: "2026-03-29T01:00:00Z") == "2026-03-29T01:30:00.000Z")
    }

    @Test("a time that the clock shows twice comes twice")
    func twice() throws {
        let hours = try hours("02:15-02:45")
        var now = "2026-10-24T22:00:00Z"
        var changes: [String] = []
        for _ in 0..<5 {
            now = try #require(try change(hours, after: now))
            changes.append(now)
        }
        let expected = [
            "2026-10-25T00:15", "2026-10-25T00:45", "2026-10-25T01:15", "2026-10-25T01:45",
            "2026-10-26T01:15",
        ]
        #expect(changes == expected.map { $0 + ":00.000Z" })
    }

    @Test(
        "the next change is the first minute at which the answer is another, whatever the clock does",
        arguments: [
            ["22:00-07:00"], ["02:00-03:00"], ["sun 02:10-02:20", "sat 23:30-24:00"], ["03:00-02:00"],
            ["mon-fri 09:00-12:30", "12:45-13:00"], ["sat,sun 00:00-24:00"],
        ],
        ["2026-03-26T17:00:00Z", "2026-10-22T17:00:00Z"]
    )
    func againstMinutes(_ ranges: [String], _ start: String) throws {
        let hours = try QuietHours(ranges, place: "key")
        let start = try time(start)
        var (now, changes, found) = (start, [Timestamp](), [Timestamp]())
        for minute in 1...(9 * 1440) {
            let next = start.adding(.seconds(60 * minute))
            let isChange = hours.contains(next, in: Self.berlin) != hours.contains(now, in: Self.berlin)
            if isChange { changes.append(next) }
            now = next
        }
        var place = start
        while let next = hours.nextChange(after: place, in: Self.berlin), next <= now {
            found.append(next)
            place = next
        }
        #expect(found == changes && !found.isEmpty)
    }

    @Test("a night before 1970 is a night")
    func early() throws {
        let night = try hours("22:00-07:00")
        #expect(try isHeld(night, "1969-12-31T23:59:59.500+01:00"))
        #expect(try change(night, after: "1969-12-31T23:59:59.500+01:00") == "1970-01-01T06:00:00.000Z")
    }

    @Test("the machine's zone is that of the C library")
    func machine() throws {
        let now = try time("2026-07-01T12:00:00Z")
        var seconds = time_t(now.milliseconds / 1000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        let minutes = LocalZone.machine.wallClock(now) / 60_000 % 1440
        #expect(minutes == Int64(parts.tm_hour * 60 + parts.tm_min))
    }

    @Test(
        "a mistake is named, with its place and how it goes",
        arguments: [
            ("", "it has no times."), ("mon", "it has no times."),
            ("22:00", "'22:00' is not from one time to another."),
            ("22-7", "'22' is not a time such as 07:30."),
            ("25:00-07:00", "'25:00' is not between 00:00 and 24:00."),
            ("22:60-07:00", "'22:60' is not between 00:00 and 24:00."),
            ("24:00-07:00", "24:00 can only be an end."),
            ("٢٢:00-07:00", "'٢٢:00' is not a time such as 07:30."),
            ("07:00-07:00", "it ends when it begins (00:00-24:00 is the whole day)."),
            ("thr 22:00-07:00", "'thr' is not a day; did you mean 'thu'?"),
            ("montag 22:00-07:00", "'montag' is not a day."), ("mon, 22:00-07:00", "'' is not a day."),
            ("mon-wed-fri 22:00-07:00", "'mon-wed-fri' is not from one day to another."),
        ]
    )
    func mistakes(_ text: String, _ reason: String) {
        let error = #expect(throws: BelfryError.self) { try hours("08:00-09:00", text) }
        #expect(error?.code == .invalidConfiguration)
        #expect(
            error?.description == """
                sinks.desktop.quiet_hours: '\(text)' is no time of the day: \(reason)
                  fix: Write it like "22:00-07:00", "mon-fri 09:00-12:30" or "sat,sun 00:00-24:00".
                """
        )
    }
}
