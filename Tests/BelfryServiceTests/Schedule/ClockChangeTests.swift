// What happens when clocks go forward or back, case by case and beside a walk through every minute.

import BelfryCore
import BelfryTesting
import Foundation
import Testing

@testable import BelfryService

@Suite("Changes of the clock")
struct ClockChangeTests {
    @Test(
        "a wall time that is skipped fires once, when the clocks go forward",
        arguments: [
            // 02:00 becomes 03:00 at 01:00Z.
            (
                "30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z",
                ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]
            ),
            (
                "0,20,40 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]
            ),
            (
                "30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                ["2026-03-29T01:00Z", "2026-03-29T01:30Z"]
            ),
            // 03:00 is meant as well and is the same moment.
            (
                "0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
                ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]
            ),
            (
                "30 2 29 3 *", "Europe/Berlin", "2026-01-01T00:00:00Z",
                ["2026-03-29T01:00Z", "2027-03-29T00:30Z"]
            ),
            (
                "30 2 * * sat", "Europe/Berlin", "2026-03-28T12:00:00Z",
                ["2026-04-04T00:30Z", "2026-04-11T00:30Z"]
            ),
            // 02:00 becomes 03:00 at 07:00Z.
            (
                "15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
                ["2026-03-08T07:00Z", "2026-03-09T06:15Z"]
            ),
            // 02:00 becomes 02:30 at 15:30Z.
            (
                "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
                ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]
            ),
            (
                "45 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
                ["2026-10-03T15:45Z", "2026-10-04T15:45Z"]
            ),
            // A whole day, 30 December, was skipped when the island changed sides of the date line.
            (
                "0 12 * * *", "Pacific/Apia", "2011-12-29T22:00:00Z",
                ["2011-12-30T10:00Z", "2011-12-30T22:00Z"]
            ),
        ]
    )
    func skipped(_ text: String, _ zone: String, _ start: String, _ ticks: [String]) throws {
        #expect(try CronExpression(parsing: text).ticks(2, after: start, in: zone) == ticks)
    }

    @Test(
        "a wall time that comes twice fires the first time only when hours are fixed",
        arguments: [
            // 03:00 becomes 02:00 at 01:00Z.
            (
                "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
                ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]
            ),
            (
                "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
                ["2026-10-26T01:30Z", "2026-10-27T01:30Z"]
            ),
            (
                "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z",
                ["2026-10-26T01:30Z", "2026-10-27T01:30Z"]
            ),
            (
                "0 */2 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z",
                ["2026-10-25T00:00Z", "2026-10-25T03:00Z"]
            ),
            (
                "0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
                ["2026-10-25T02:00Z", "2026-10-26T02:00Z"]
            ),
            // 02:00 becomes 01:00 at 06:00Z.
            (
                "59 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
                ["2026-11-01T05:59Z", "2026-11-02T06:59Z"]
            ),
            // 02:00 becomes 01:30 at 15:00Z.
            (
                "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z",
                ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]
            ),
            (
                "15 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z",
                ["2026-04-04T14:15Z", "2026-04-05T14:45Z"]
            ),
            // Midnight comes twice: 01:00 becomes 00:00 at 05:00Z.
            (
                "0 0 * * *", "America/Havana", "2026-10-31T12:00:00Z",
                ["2026-11-01T04:00Z", "2026-11-02T05:00Z"]
            ),
        ]
    )
    func repeated(_ text: String, _ zone: String, _ start: String, _ ticks: [String]) throws {
        #expect(try CronExpression(parsing: text).ticks(2, after: start, in: zone) == ticks)
    }

    @Test(
        "with every hour it goes on by real time",
        arguments: [
            ("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", ["00:30", "01:00", "01:30", "02:00"]),
            ("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", ["00:30", "01:00", "01:30", "02:00"]),
            ("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", ["00:30", "01:30", "02:30", "03:30"]),
            ("30 0-23 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", ["00:30", "01:30", "02:30", "03:30"]),
            (
                "0 */1 * * *", "America/New_York", "2026-11-01T04:00:00Z",
                ["05:00", "06:00", "07:00", "08:00"]
            ),
            // Clocks go from 02:00 to 02:30 at 15:30Z: there is no 02:00 to fire at.
            (
                "0 * * * *", "Australia/Lord_Howe", "2026-10-03T13:40:00Z",
                ["14:30", "16:00", "17:00", "18:00"]
            ),
            // From 02:00 to 01:30 at 15:00Z: 01:45 comes twice.
            (
                "45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z",
                ["14:45", "15:15", "16:15", "17:15"]
            ),
        ]
    )
    func byRealTime(_ text: String, _ zone: String, _ start: String, _ ticks: [String]) throws {
        let found = try CronExpression(parsing: text).ticks(4, after: start, in: zone)
        #expect(found.map { $0.suffix(6).prefix(5) } == ticks.map { $0[...] })
    }

    @Test("a zone may be at a quarter of an hour")
    func quarters() throws {
        let cron = try CronExpression(parsing: "0 7 * * *")
        #expect(
            try cron.ticks(1, after: "2026-01-01T00:00:00Z", in: "Asia/Kathmandu") == ["2026-01-01T01:15Z"]
        )
    }

    @Test(
        "every tick is the one that a walk through all minutes finds, and counts agree",
        arguments: [
            "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "America/Havana",
        ]
    )
    func walk(_ name: String) throws {
        let zone = try Timetable.zone(named: name)
        var random = SeededRandom(seed: 7)
        var count = 0
        for _ in 0..<60 {
            let cron = try CronExpression(parsing: random.cronOfNights())
            let day = Date(timeIntervalSince1970: Double.random(in: 1.6e9..<4e9, using: &random).rounded())
            let change = try #require(zone.nextDaylightSavingTimeTransition(after: day))
            let hours = Int64.random(in: 1..<40, using: &random)
            let start = Timestamp(change).adding(.seconds(hours * -3600))
            let end = start.adding(.seconds(72 * 3600))
            let expected = Minutes(cron, zone).ticks(after: start, through: end)
            let label: Comment = "\(cron) in \(name) after \(start)"
            #expect(cron.ticks(after: start, through: end, in: zone, limit: .max) == expected, label)
            #expect(cron.count(after: start, through: end, in: zone) == expected.count, label)
            count += expected.count
        }
        #expect(count > 300)
    }

    @Test("what is counted over decades is what is found one by one")
    func counts() throws {
        var random = SeededRandom(seed: 8)
        let zone = try Timetable.zone(named: "Europe/Berlin")
        for _ in 0..<50 {
            let cron = try CronExpression(parsing: random.cronOfNights())
            let start = Timestamp(
                milliseconds: Int64.random(in: 1_500_000_000_000..<4_000_000_000_000, using: &random)
            )
            let ticks = cron.ticks(
                after: start,
                through: Timestamp(milliseconds: .max),
                in: zone,
                limit: 3000
            )
            let last = try #require(ticks.last)
            #expect(
                cron.count(after: start, through: last, in: zone) == ticks.count,
                "\(cron) after \(start)"
            )
        }
    }
}

extension SeededRandom {
    /// Expressions that fire at night, when clocks change.
    fileprivate mutating func cronOfNights() -> String {
        let minutes = ["0", "*/15", "30", "5,45", "*", "59", "1-10/3"].randomElement(using: &self) ?? "0"
        let hours = ["*", "0", "1", "2", "3", "1-3", "*/2", "1/2", "0,2", "23", "0-23"].randomElement(
            using: &self
        )
        let days = ["* * *", "* * *", "* * sun", "* * sat,sun", "1-31/2 * *", "25-31 * *", "* 3,4,10,11 *"]
        return "\(minutes) \(hours ?? "2") \(days.randomElement(using: &self) ?? "* * *")"
    }
}

/// The rule in its plainest form: what a clock on the wall shows, minute after minute.
private struct Minutes {
    let cron: CronExpression
    let zone: TimeZone

    init(_ cron: CronExpression, _ zone: TimeZone) { (self.cron, self.zone) = (cron, zone) }

    func ticks(after start: Timestamp, through end: Timestamp) -> [Timestamp] {
        var ticks: [Timestamp] = []
        // Begins earlier, to have seen what may come a second time.
        var minute = start.milliseconds / 60_000 - 1440
        var highest = wall(minute - 1)
        while minute * 60_000 <= end.milliseconds {
            let shown = wall(minute)
            if fires(shown, highest) { ticks.append(Timestamp(milliseconds: minute * 60_000)) }
            highest = max(highest, shown)
            minute += 1
        }
        return ticks.filter { $0 > start }
    }

    private func fires(_ shown: Int64, _ highest: Int64) -> Bool {
        if cron.hasEveryHour { return isMeant(shown) }
        if shown <= highest { return false }
        return (highest + 1...shown).contains { isMeant($0) }
    }

    private func wall(_ minute: Int64) -> Int64 {
        minute + Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(minute * 60)))) / 60
    }

    private func isMeant(_ wall: Int64) -> Bool {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let date = Date(timeIntervalSince1970: Double(wall * 60))
        let parts = calendar.dateComponents([.minute, .hour, .day, .month, .weekday], from: date)
        guard has(cron.minutes, parts.minute), has(cron.hours, parts.hour), has(cron.months, parts.month)
        else {
            return false
        }
        let isDay = has(cron.days, parts.day)
        let isWeekday = has(cron.weekdays, parts.weekday.map { $0 - 1 })
        return cron.restrictsDays && cron.restrictsWeekdays ? isDay || isWeekday : isDay && isWeekday
    }

    private func has(_ set: UInt64, _ value: Int?) -> Bool {
        value.map { set >> UInt64($0) & 1 == 1 } ?? false
    }
}
