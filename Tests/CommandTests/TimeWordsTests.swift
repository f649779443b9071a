// Durations, times and zones as people type them.

import ArgumentParser
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@testable import belfry

@Suite("Durations")
struct DurationTests {
    @Test(
        "are numbers with units, bare seconds among them",
        arguments: [
            ("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1.5h", 5400),
            ("1w", 604_800), ("0", 0), ("0.25", 0.25), ("3650d", 315_360_000),
        ]
    )
    func read(_ text: String, _ seconds: Double) throws {
        #expect(try Durations.seconds(text, "--delay") == seconds)
    }

    @Test(
        "are refused with the option's name when they are none",
        arguments: ["", "m", "5x", "5 m", "-5m", "1h30", "100ms", "1.2.3s", "½h", "٣m", "1e3", "inf", "nan"]
    )
    func nonsense(_ text: String) {
        let error = #expect(throws: ValidationError.self) { try Durations.seconds(text, "--delay") }
        #expect(error?.message.contains("--delay takes a duration such as 90s") == true)
        #expect(error?.message.contains("'\(text)'") == true)
    }

    @Test(
        "are at most ten years, however many digits they have",
        arguments: ["3651d", "99999999999999999999999999d"]
    )
    func tooLong(_ text: String) {
        let error = #expect(throws: ValidationError.self) { try Durations.seconds(text, "--delay") }
        #expect(error?.message.contains("at most ten years") == true)
    }
}

/// The C library has one zone for the whole process.
@Suite("Times", .serialized)
struct TimeTests {
    private func read(_ text: String, in zone: String, at now: String) throws -> String {
        setenv("TZ", zone, 1)
        tzset()
        defer {
            unsetenv("TZ")
            tzset()
        }
        return try Times.next(text, now: try #require(Timestamp(now))).description
    }

    @Test(
        "are of the local zone, unless they name one",
        arguments: [
            ("22:30", "2026-06-01T21:30:00.000Z"), ("22:30:15", "2026-06-01T21:30:15.000Z"),
            ("2026-12-01", "2026-12-01T00:00:00.000Z"), ("2026-12-01T08:00", "2026-12-01T08:00:00.000Z"),
            ("2026-07-01 08:00", "2026-07-01T07:00:00.000Z"),
            ("2026-12-01T08:00:00Z", "2026-12-01T08:00:00.000Z"),
            ("2026-12-01T08:00:00+02:00", "2026-12-01T06:00:00.000Z"),
            ("2028-02-29", "2028-02-29T00:00:00.000Z"),
        ]
    )
    func local(_ text: String, _ expected: String) throws {
        #expect(try read(text, in: "Europe/London", at: "2026-06-01T12:00:00Z") == expected)
    }

    @Test(
        "a time of day is the next to come, tomorrow when it has passed or is now",
        arguments: [
            ("12:01", "2026-06-01T12:01:00.000Z"), ("12:00", "2026-06-02T12:00:00.000Z"),
            ("00:00", "2026-06-02T00:00:00.000Z"),
        ]
    )
    func timeOfDay(_ text: String, _ expected: String) throws {
        #expect(try read(text, in: "UTC", at: "2026-06-01T12:00:00Z") == expected)
    }

    @Test(
        "a time of day stays what clocks show across a change of the clocks",
        arguments: [
            // Berlin, the evenings before the changes of 2026: 29 March and 25 October.
            ("2026-03-28T20:00:00Z", "07:00", "2026-03-29T05:00:00.000Z"),
            ("2026-03-28T20:00:00Z", "20:30", "2026-03-29T18:30:00.000Z"),
            ("2026-10-24T20:00:00Z", "07:00", "2026-10-25T06:00:00.000Z"),
        ]
    )
    func clockChange(_ now: String, _ text: String, _ expected: String) throws {
        #expect(try read(text, in: "Europe/Berlin", at: now) == expected)
    }

    @Test(
        "what is no time is refused with how to write one",
        arguments: [
            "", "soon", "tomorrow", "24:00", "22:60", "22:30:60", "22", "2026-02-30", "2026-13-01",
            "2026-04-31",
            "2026-00-10", "2026-12-01T", "2026-12-01T8", "2026-12-01T08:00 UTC", "1-2-3-4", "::",
        ]
    )
    func nonsense(_ text: String) {
        let error = #expect(throws: ValidationError.self) {
            try read(text, in: "Europe/Berlin", at: "2026-06-01T12:00:00Z")
        }
        #expect(
            error?.message == "'\(text)' is no time; write it like 22:30, 2026-12-01 or 2026-12-01T08:00."
        )
    }
}

@Suite("This machine's zone")
struct ZoneTests {
    private func own(_ tz: String?, link: String? = nil, timezone: String? = nil) throws -> String {
        let directory = "/tmp/belfry-zone-\(UUID().uuidString)"
        let files = FileManager.default
        try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? files.removeItem(atPath: directory) }
        if let link { symlink(link, directory + "/localtime") }
        try timezone?.write(toFile: directory + "/timezone", atomically: true, encoding: .utf8)
        return Zone.own(
            tz.map { ["TZ": $0] } ?? [:],
            localtime: directory + "/localtime",
            timezone: directory + "/timezone"
        )
    }

    @Test(
        "is that of TZ when it names one",
        arguments: [
            ("Europe/Berlin", "Europe/Berlin"), (":Europe/Berlin", "Europe/Berlin"), ("UTC", "UTC"),
            ("/usr/share/zoneinfo/America/New_York", "America/New_York"), ("right/Asia/Tokyo", "Asia/Tokyo"),
        ]
    )
    func fromEnvironment(_ tz: String, _ zone: String) throws {
        #expect(try own(tz, link: "/usr/share/zoneinfo/Asia/Kathmandu") == zone)
    }

    @Test(
        "is that of /etc/localtime when TZ is not there, empty or a rule",
        arguments: [nil, "", "CET-1CEST", "/home/me/zone"]
    )
    func fromLink(_ tz: String?) throws {
        #expect(try own(tz, link: "/usr/share/zoneinfo/Asia/Kathmandu") == "Asia/Kathmandu")
        #expect(try own(tz, link: "../usr/share/zoneinfo/posix/Europe/Paris") == "Europe/Paris")
    }

    @Test("is that of /etc/timezone where /etc/localtime is no link, and else UTC")
    func fromFile() throws {
        #expect(try own(nil, timezone: "Europe/Rome\n") == "Europe/Rome")
        #expect(try own(nil) == "UTC")
    }
}
