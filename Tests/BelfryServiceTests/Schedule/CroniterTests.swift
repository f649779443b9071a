// Belfry's ticks beside those of croniter, which many schedulers use: whoever brings an expression along gets
// the ticks that they had.
//
// Known differences; ClockChangeTests and CronExpressionTests show what Belfry does:
// - A wall time that is skipped: here and in croniter 7 it fires when the clocks go forward; croniter 1.3 fires
//   up to an hour off, depending on where it started.
// - A wall time that comes twice: here it fires twice with every hour and once with fixed hours; croniter 7 fires
//   twice and croniter 1.3 once with either.
// - croniter 1.3's first ticks after a change are often an hour off, even days later, when the search for them
//   crossed it. So with a zone it is believed only where no change lies between start and tick; across changes it
//   is asked for wall times, which Python's zoneinfo places, except those within three hours of a change.
// - croniter 1.3 passes over 1 March when it looks for `1,31` in February (7.0 does not).
// - Days and weekdays that are all written out (`1-31`, `0-6`) are restricted here, in cron and in croniter 7,
//   not in croniter 1.3; `*/1` is not restricted here, in cron and in croniter 1.3.
// - An open step among weekdays goes on to 7 here, in cronie and in croniter 1.3, to 6 in croniter 7.
// - croniter 7 takes ranges that end before they begin (`22-2`), and `5-5` for the whole field.
// - croniter takes six fields, `L`, `mon#2`, steps longer than their field, and 30 February; Belfry refuses them.

import BelfryCore
import BelfryTesting
import Foundation
import Testing

@testable import BelfryService

@Suite("Beside croniter", .enabled(if: Croniter.isThere, "needs python3-croniter"))
struct CroniterTests {
    /// 2020 to 2100.
    private static let starts: Range<Int64> = 1_577_836_800..<4_102_444_800

    @Test(
        "next ticks are croniter's in UTC and in zones without changes of the clock",
        arguments: ["UTC", "Asia/Kathmandu", "Asia/Tokyo", "America/Phoenix"]
    )
    func withoutChanges(_ zone: String) throws {
        let cases = cases(300, in: zone, seed: 41)
        var compared = 0
        for (question, theirs) in zip(cases, try Croniter.ticks(of: cases)) {
            let ours = try ticks(question)
            guard let theirs else {
                #expect(ours == nil, "croniter refuses \(question)")
                continue
            }
            #expect(ours == theirs, "\(question)")
            compared += theirs.count
        }
        #expect(compared > 2000)
    }

    @Test(
        "where clocks change, next ticks are croniter's until a change",
        arguments: ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
    )
    func untilChange(_ zone: String) throws {
        let zone = try Timetable.zone(named: zone)
        let cases = cases(300, in: zone.identifier, seed: 42)
        var compared = 0
        for (question, theirs) in zip(cases, try Croniter.ticks(of: cases)) {
            guard let theirs, let ours = try ticks(question) else { continue }
            let change = zone.nextDaylightSavingTimeTransition(after: date(question.start - 86_400))
            let end = change.map { Int64($0.timeIntervalSince1970) } ?? .max
            #expect(ours.filter { $0 < end } == theirs.filter { $0 < end }, "\(question)")
            compared += ours.count { $0 < end }
        }
        #expect(compared > 1000)
    }

    @Test(
        "across changes of the clock, wall times are croniter's",
        arguments: ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll"]
    )
    func acrossChanges(_ zone: String) throws {
        let zone = try Timetable.zone(named: zone)
        let cases = try casesBeforeChanges(300, in: zone, seed: 43)
        var compared = 0
        for (question, theirs) in zip(cases, try Croniter.ticks(of: cases)) {
            guard let theirs, let last = theirs.max(), var ours = try ticks(question) else { continue }
            // A second pass gives ours more ticks to the hour.
            ours.removeAll { $0 > last }
            let common = ours.count == question.count ? min(last, ours.last ?? last) : last
            let left = ours.filter { $0 <= common && !isNearChange($0, zone) }
            let right = theirs.filter { $0 <= common && !isNearChange($0, zone) }
            #expect(left == right, "\(question)")
            compared += left.count { $0 > question.start + 4 * 86_400 }
        }
        #expect(compared > 1000)
    }

    private func cases(_ count: Int, in zone: String, seed: UInt64) -> [CroniterCase] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in
            let start = Int64.random(in: Self.starts, using: &random)
            return CroniterCase(expression: random.cron(), zone: zone, start: start, count: 10)
        }.filter { !hasAllDaysWrittenOut($0.expression) }
    }

    /// Starts within four days before a change.
    private func casesBeforeChanges(_ count: Int, in zone: TimeZone, seed: UInt64) throws -> [CroniterCase] {
        var random = SeededRandom(seed: seed)
        return try cases(count, in: zone.identifier, seed: seed).map { question in
            let change = try #require(zone.nextDaylightSavingTimeTransition(after: date(question.start)))
            var question = question
            let distance = Int64.random(in: 5 * 3600..<4 * 86_400, using: &random)
            question.start = Int64(change.timeIntervalSince1970) - distance
            (question.isByWall, question.count) = (true, 40)
            return question
        }
    }

    /// Nil when the expression is refused.
    private func ticks(_ question: CroniterCase) throws -> [Int64]? {
        guard let cron = try? CronExpression(parsing: question.expression) else { return nil }
        return cron.ticks(
            after: Timestamp(milliseconds: question.start * 1000),
            through: Timestamp(milliseconds: .max),
            in: try Timetable.zone(named: question.zone),
            limit: question.count
        ).map { $0.milliseconds / 1000 }
    }

    /// Whether croniter's versions differ on it.
    private func hasAllDaysWrittenOut(_ expression: String) -> Bool {
        guard let cron = try? CronExpression(parsing: expression) else { return false }
        let words = expression.split(separator: " ")
        return cron.days == CronField.day.full && words[2] != "*"
            || cron.weekdays == CronField.weekday.full && words[4] != "*"
    }

    private func isNearChange(_ seconds: Int64, _ zone: TimeZone) -> Bool {
        let offsets = [-3, 0, 3].map { zone.secondsFromGMT(for: date(seconds + $0 * 3600)) }
        return Set(offsets).count > 1
    }

    private func date(_ seconds: Int64) -> Date { Date(timeIntervalSince1970: Double(seconds)) }
}
