// Intervals, the two forms of a spec, and zones.

import BelfryCore
import BelfryService
import BelfryTesting
import Foundation
import Testing

@Suite("Schedule specs")
struct ScheduleSpecTests {
    @Test(
        "an interval is read in many ways and written in one",
        arguments: [
            ("every 15m", 900, "every 15m"), ("@every 1h30m", 5400, "every 1h30m"),
            ("EVERY 1 Hour", 3600, "every 1h"),
            ("every 90 minutes", 5400, "every 1h30m"), ("every 30s", 30, "every 30s"),
            (" every  2 weeks", 1_209_600, "every 2w"),
            ("every 1w 1d 1h 1m 1s", 694_861, "every 1w1d1h1m1s"), ("every 30m 1h", 5400, "every 1h30m"),
            ("every 3650d", 315_360_000, "every 521w3d"),
        ]
    )
    func reads(_ text: String, _ seconds: Int64, _ written: String) throws {
        let interval = try EveryInterval(parsing: text)
        #expect(interval.seconds == seconds)
        #expect(interval.description == written)
        #expect(try EveryInterval(parsing: written) == interval)
    }

    @Test(
        "an interval that cannot be read says what is allowed",
        arguments: [
            "every", "every 15", "every m", "every 1.5h", "every -5m", "every 1h1h", "every 3 months",
            "every 5m!",
            "@every", "every 99999999999999999999s", "every +5m",
        ]
    )
    func unreadable(_ text: String) throws {
        let error = try #require(
            failures([text]) { _ = try ScheduleSpec(parsing: $0, pointer: "/when") }.first
        )
        #expect(error.code == .invalidRequest)
        #expect(error.message.contains("'\(text)' cannot be read"))
        #expect(error.fix == "Write 'every 15m', 'every 1h30m' or 'every 2 weeks'.")
        #expect(error.pointer == "/when")
    }

    @Test(
        "an interval is a second to ten years",
        arguments: ["every 0s", "every 0m", "every 3650d 1s", "every 9999999999w", "every 521w 521w1s"]
    )
    func bounds(_ text: String) throws {
        let errors = failures([text]) { _ = try EveryInterval(parsing: $0) }
        let expected = text.contains("521w 521w") ? "cannot be read" : "1 second to 10 years"
        #expect(errors.count == 1 && errors[0].message.contains(expected))
    }

    @Test("intervals count from the anchor, however late one asks, and before it as well")
    func anchored() throws {
        let interval = try EveryInterval(parsing: "every 90s")
        let anchor = try time("2026-01-01T00:00:00.250Z")
        let next = { (text: String) in interval.next(after: try time(text), anchor: anchor)?.description }
        #expect(try next("2026-01-01T00:00:00.250Z") == "2026-01-01T00:01:30.250Z")
        #expect(try next("2026-01-01T00:01:30.249Z") == "2026-01-01T00:01:30.250Z")
        #expect(try next("2026-01-01T00:01:30.250Z") == "2026-01-01T00:03:00.250Z")
        #expect(try next("2099-12-31T23:59:59.000Z") == "2100-01-01T00:00:00.250Z")
        #expect(try next("2025-12-31T23:59:00.000Z") == "2026-01-01T00:00:00.250Z")
        #expect(interval.next(after: Timestamp(milliseconds: .max), anchor: anchor) == nil)
        #expect(interval.next(after: Timestamp(milliseconds: .min), anchor: anchor) != nil)
    }

    @Test("ticks of an interval are found, limited and counted alike")
    func counted() throws {
        let interval = try EveryInterval(seconds: 7)
        let (start, end) = (try time("2026-01-01T00:00:00Z"), try time("2026-01-01T00:01:00Z"))
        let ticks = interval.ticks(after: start, through: end, anchor: start, limit: 100)
        #expect(ticks.map { $0.since(start) } == (1...8).map { .seconds($0 * 7) })
        #expect(interval.count(after: start, through: end, anchor: start) == 8)
        #expect(interval.ticks(after: start, through: end, anchor: start, limit: 3) == Array(ticks.prefix(3)))
        #expect(interval.ticks(after: end, through: start, anchor: start, limit: 3) == [])
        #expect(interval.count(after: end, through: start, anchor: start) == 0)
    }

    @Test(
        "a spec is either form, and its text reads as the same spec",
        arguments: [
            ("0 7 * * MON-fri", "0 7 * * mon-fri"), ("  @Daily ", "@daily"), ("*/5  * * *\t*", "*/5 * * * *"),
            ("@every 60m", "every 1h"), ("Every 1 day", "every 1d"),
        ]
    )
    func specs(_ text: String, _ written: String) throws {
        let spec = try ScheduleSpec(parsing: text)
        #expect(spec.description == written)
        #expect(try ScheduleSpec(parsing: written) == spec)
    }

    @Test("what is neither form is read as cron")
    func neither() throws {
        let error = try #require(failures(["everyday"]) { _ = try ScheduleSpec(parsing: $0) }.first)
        #expect(error.message == "The schedule 'everyday' has 1 fields; a cron expression has 5.")
    }

    @Test("random expressions keep their ticks when they are written and read again")
    func stable() throws {
        var random = SeededRandom(seed: 5)
        for _ in 0..<300 {
            guard let spec = try? ScheduleSpec(parsing: random.cron()) else { continue }
            #expect(try ScheduleSpec(parsing: spec.description) == spec)
        }
    }

    @Test("the newest ticks are the last of all ticks, for either form and any stretch")
    func newest() throws {
        var random = SeededRandom(seed: 6)
        let zone = try Timetable.zone(named: "Europe/Berlin")
        let start = try time("2026-03-01T00:00:00Z")
        for text in ["*/20 * * * *", "30 2 * * *", "0 0 29 2 *", "every 50m", "every 1d"] {
            let timetable = Timetable(spec: try ScheduleSpec(parsing: text), zone: zone, anchor: start)
            for _ in 0..<10 {
                let end = start.adding(.seconds(Int64.random(in: -10...4_000_000, using: &random)))
                let all = timetable.ticks(after: start, through: end, limit: .max)
                let limit = Int.random(in: 0...20, using: &random)
                let newest = timetable.newest(limit, after: start, through: end)
                #expect(newest == Array(all.suffix(limit)), "\(limit) of \(text) to \(end)")
            }
        }
    }
}

@Suite("Zones of schedules")
struct ScheduleZoneTests {
    @Test(
        "zones are known by their names",
        arguments: ["Europe/Berlin", "UTC", "GMT", "America/Argentina/Salta"]
    )
    func known(_ name: String) throws {
        #expect(try Timetable.zone(named: name).identifier == (name == "UTC" ? "GMT" : name))
    }

    @Test(
        "a zone that is none is refused, with a guess",
        arguments: [
            ("Europe/Berlim", "Did you mean Europe/Berlin?"), ("berlin", "Did you mean Europe/Berlin?"),
            ("EST", "Write a name such as Europe/Berlin or UTC."),
            ("", "Write a name such as Europe/Berlin or UTC."),
            ("../etc/passwd", "Write a name such as Europe/Berlin or UTC."),
            ("GMT+5", "Write a name such as Europe/Berlin or UTC."),
        ]
    )
    func unknown(_ name: String, _ fix: String) throws {
        let error = try #require(failures([name]) { _ = try Timetable.zone(named: $0) }.first)
        #expect(error.message == "There is no time zone '\(name)'.")
        #expect(error.fix == fix)
        #expect(error.pointer == "/zone")
    }
}
