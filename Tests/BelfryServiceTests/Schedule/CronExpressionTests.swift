// What cron expressions mean, and what is said of wrong ones.

import BelfryCore
import BelfryService
import Foundation
import Testing

@Suite("Cron expressions")
struct CronExpressionTests {
    @Test(
        "fields take stars, lists, ranges, steps and names",
        arguments: [
            ("*/20 * * * *", ["2026-01-01T00:20Z", "2026-01-01T00:40Z", "2026-01-01T01:00Z"]),
            ("10-50/20 * * * *", ["2026-01-01T00:10Z", "2026-01-01T00:30Z", "2026-01-01T00:50Z"]),
            ("5/15 * * * *", ["2026-01-01T00:05Z", "2026-01-01T00:20Z", "2026-01-01T00:35Z"]),
            ("0 9-10,17 * * *", ["2026-01-01T09:00Z", "2026-01-01T10:00Z", "2026-01-01T17:00Z"]),
            ("0 7 * FEB,nov *", ["2026-02-01T07:00Z", "2026-02-02T07:00Z", "2026-02-03T07:00Z"]),
            ("0 7 * * mon-Fri", ["2026-01-01T07:00Z", "2026-01-02T07:00Z", "2026-01-05T07:00Z"]),
            ("0 7 * * 0", ["2026-01-04T07:00Z", "2026-01-11T07:00Z", "2026-01-18T07:00Z"]),
            ("0 7 * * 7", ["2026-01-04T07:00Z", "2026-01-11T07:00Z", "2026-01-18T07:00Z"]),
            ("0 7 * * sat-sun", ["2026-01-03T07:00Z", "2026-01-04T07:00Z", "2026-01-10T07:00Z"]),
            ("0 7 * * 5/2", ["2026-01-02T07:00Z", "2026-01-04T07:00Z", "2026-01-09T07:00Z"]),
            ("0 0 31 * *", ["2026-01-31T00:00Z", "2026-03-31T00:00Z", "2026-05-31T00:00Z"]),
            ("\t0  0 1,31 * * ", ["2026-01-31T00:00Z", "2026-02-01T00:00Z", "2026-03-01T00:00Z"]),
        ]
    )
    func fields(_ text: String, _ ticks: [String]) throws {
        #expect(try CronExpression(parsing: text).ticks(3, after: "2026-01-01T00:00:00Z") == ticks)
    }

    @Test(
        "names stand for whole expressions",
        arguments: [
            ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@Midnight", "0 0 * * *"),
            ("@weekly", "0 0 * * sun"), ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"),
            ("@annually", "0 0 1 jan *"),
        ]
    )
    func names(_ name: String, _ expression: String) throws {
        let named = try CronExpression(parsing: name).ticks(10, after: "2026-05-05T05:05:00Z")
        #expect(named == (try CronExpression(parsing: expression).ticks(10, after: "2026-05-05T05:05:00Z")))
    }

    @Test(
        "a day in either field fires when both are restricted; only '*' and '*/1' restrict nothing",
        arguments: [
            ("0 0 13 * fri", ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]),
            ("0 0 13 * *", ["2026-01-13", "2026-02-13", "2026-03-13", "2026-04-13"]),
            ("0 0 13 * */1", ["2026-01-13", "2026-02-13", "2026-03-13", "2026-04-13"]),
            ("0 0 * * fri", ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23"]),
            ("0 0 */10 * fri", ["2026-01-02", "2026-01-09", "2026-01-11", "2026-01-16"]),
            ("0 0 1-31 * fri", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]),
            ("0 0 31 2 fri", ["2026-02-06", "2026-02-13", "2026-02-20", "2026-02-27"]),
        ]
    )
    func days(_ text: String, _ days: [String]) throws {
        let ticks = try CronExpression(parsing: text).ticks(4, after: "2026-01-01T00:00:00Z")
        #expect(ticks == days.map { $0 + "T00:00Z" })
    }

    @Test("a tick is later than the time it is asked for, by as little as a millisecond")
    func later() throws {
        let cron = try CronExpression(parsing: "0 12 * * *")
        #expect(try cron.ticks(1, after: "2026-01-01T11:59:59.999Z") == ["2026-01-01T12:00Z"])
        #expect(try cron.ticks(1, after: "2026-01-01T12:00:00.000Z") == ["2026-01-02T12:00Z"])
        #expect(try cron.ticks(1, after: "1969-12-31T11:59:59.500Z") == ["1969-12-31T12:00Z"])
    }

    @Test("29 February comes every fourth year, but not in 2100")
    func leapYears() throws {
        let cron = try CronExpression(parsing: "0 0 29 2 *")
        let ticks = ["2092-02-29T00:00Z", "2096-02-29T00:00Z", "2104-02-29T00:00Z"]
        #expect(try cron.ticks(3, after: "2090-01-01T00:00:00Z") == ticks)
    }

    @Test("time ends with the year 9999, and no time is too far away to be asked for")
    func ends() throws {
        let cron = try CronExpression(parsing: "0 0 1 1 *")
        #expect(try cron.ticks(9, after: "9998-06-01T00:00:00Z") == ["9999-01-01T00:00Z"])
        #expect(cron.next(after: Timestamp(milliseconds: .max), in: .gmt) == nil)
        #expect(
            cron.next(after: Timestamp(milliseconds: .min), in: .gmt)?.description
                == "0002-01-01T00:00:00.000Z"
        )
    }

    @Test(
        "a wrong field is named, with what was read and what is allowed",
        arguments: [
            ("60 * * * *", "minute", "'60'", "0…59"), ("* 24 * * *", "hour", "'24'", "0…23"),
            ("* * 0 * *", "day-of-month", "'0'", "1…31"), ("* * * 13 *", "month", "'13'", "1…12 or jan…dec"),
            ("* * * * 8", "day-of-week", "'8'", "0…7 or sun…sat"),
            ("* * * mon *", "month", "'mon'", "jan…dec"),
            ("1, * * * *", "minute", "an empty place", "0…59"), ("a * * * *", "minute", "'a'", "0…59"),
            ("-5 * * * *", "minute", "'-5'", "0…59"), ("1-2-3 * * * *", "minute", "'1-2-3'", "0…59"),
            ("*/0 * * * *", "minute", "'*/0'", "0…59"), ("1/2/3 * * * *", "minute", "'1/2/3'", "0…59"),
            ("99999999999999999999 * * * *", "minute", "'99999999999999999999'", "0…59"),
            ("+5 * * * *", "minute", "'+5'", "0…59"), ("٣ * * * *", "minute", "'٣'", "0…59"),
        ]
    )
    func wrongFields(_ text: String, _ field: String, _ read: String, _ allowed: String) throws {
        let error = try #require(
            failures([text]) { _ = try CronExpression(parsing: $0, pointer: "/when") }.first
        )
        #expect(error.code == .invalidRequest)
        #expect(error.message.contains("The field \(field) of the schedule"))
        #expect(error.message.contains(read))
        #expect(error.message.contains(allowed))
        #expect(error.fix?.contains("Write '*'") == true)
        #expect(error.pointer == "/when")
    }

    @Test(
        "additions of other programs are named as not supported",
        arguments: [
            "0 0 L * *", "0 0 15W * *", "0 0 LW * *", "0 0 * * mon#2", "0 0 ? * *", "H 0 * * *", "0 0 * * 5L",
        ]
    )
    func unsupported(_ text: String) throws {
        let error = try #require(failures([text]) { _ = try CronExpression(parsing: $0) }.first)
        #expect(error.message.contains("are not supported"))
    }

    @Test("errors of the whole say what to write")
    func wrongWholes() {
        let texts = [
            "", "0 7 * *", "0 0 7 * * *", "@reboot", "@dayly", "50-10 * * * *", "0 22-2 * * *",
            "0 0 * * fri-mon",
            "*/90 * * * *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", String(repeating: "1,", count: 200),
        ]
        let errors = failures(texts) { _ = try CronExpression(parsing: $0) }
        #expect(
            errors.map { "\($0.message) | \($0.fix ?? "")" } == [
                "The schedule '' has 0 fields; a cron expression has 5. | \(shape)",
                "The schedule '0 7 * *' has 4 fields; a cron expression has 5. | \(shape)",
                "The schedule '0 0 7 * * *' has 6 fields; a cron expression has 5. "
                    + "Seconds and years are not supported. | \(shape)",
                "The schedule '@reboot' is not known; allowed are \(names). | \(shape)",
                "The schedule '@dayly' is not known; allowed are \(names). | Did you mean @daily? \(shape)",
                "The field minute of the schedule has the range '50-10', which ends before it begins. "
                    + "| Write it as two: '50-59,0-10'.",
                "The field hour of the schedule has the range '22-2', which ends before it begins. "
                    + "| Write it as two: '22-23,0-2'.",
                "The field day-of-week of the schedule has the range 'fri-mon', which ends before it begins. "
                    + "| Write it as two: 'fri-6,0-mon'.",
                "The field minute of the schedule has '*/90', a step longer than its 60 values. "
                    + "| A step is 1…60 and begins anew with each hour. For a steady interval write 'every 90m'.",
                "The schedule '0 0 30 2 *' can never fire: none of its months has one of its days. "
                    + "| Choose a day that one of the months has.",
                "The schedule '0 0 31 4,6,9,11 *' can never fire: none of its months has one of its days. "
                    + "| Choose a day that one of the months has.",
                "The schedule is 400 bytes long; at most 256 are accepted. | \(shape)",
            ]
        )
    }

    private let shape = "Write minute, hour, day-of-month, month and day-of-week, such as '0 7 * * mon-fri'."
    private let names = "@annually, @daily, @hourly, @midnight, @monthly, @weekly, @yearly"
}
