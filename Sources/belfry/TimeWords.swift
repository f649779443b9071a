// Durations and times as people type them.

import ArgumentParser
import BelfryCore
import Glibc

enum Durations {
    private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]

    /// The longest that is accepted: ten years, as the hub has it.
    private static let longest = 315_360_000.0

    /// `90`, `90s`, `10m`, `1h30m`, `2d`, `1.5h`: in seconds, 0…315,360,000.
    ///
    /// - Throws: ``ValidationError`` that names the option.
    static func seconds(_ text: String, _ option: String) throws -> Double {
        let total = try read(text, option)
        guard total <= longest else {
            throw ValidationError("\(option) takes at most ten years, 3650d, not '\(text)'.")
        }
        return total
    }

    private static func read(_ text: String, _ option: String) throws -> Double {
        var total = 0.0
        var number = ""
        var isEmpty = true
        for character in text {
            if character.isNumber || character == "." {
                number.append(character)
            } else if let unit = units[character], let value = Double(number) {
                total += value * unit
                number = ""
                isEmpty = false
            } else {
                throw error(text, option)
            }
        }
        if !number.isEmpty {
            // A bare number is seconds; after a unit it would be a slip.
            guard isEmpty, let value = Double(number) else { throw error(text, option) }
            return value
        }
        guard !isEmpty else { throw error(text, option) }
        return total
    }

    private static func error(_ text: String, _ option: String) -> ValidationError {
        ValidationError("\(option) takes a duration such as 90s, 10m, 1h30m or 2d, not '\(text)'.")
    }
}

enum Times {
    /// A time in RFC 3339, `2026-12-01`, `2026-12-01T08:00` or `22:30`, without a zone in the local one.
    /// A time of day is the next one to come.
    ///
    /// - Throws: ``ValidationError``.
    static func next(_ text: String, now: Timestamp = SystemWallClock().now) throws -> Timestamp {
        if let time = Timestamp(text) { return time }
        let parts = text.split(omittingEmptySubsequences: false) { $0 == "T" || $0 == " " }
        let isClock = parts.count == 1 && parts[0].contains(":")
        var fields = tm()
        var seconds = time_t(now.milliseconds / 1000)
        localtime_r(&seconds, &fields)
        (fields.tm_hour, fields.tm_min, fields.tm_sec, fields.tm_isdst) = (0, 0, 0, -1)
        if !isClock {
            guard let first = parts.first, read(first, into: &fields) else { throw error(text) }
        }
        if isClock || parts.count == 2 {
            guard parts.count <= 2, let last = parts.last, readClock(last, into: &fields) else {
                throw error(text)
            }
        }
        guard parts.count <= 2 else { throw error(text) }
        let (month, day) = (fields.tm_mon, fields.tm_mday)
        var time = Timestamp(milliseconds: Int64(mktime(&fields)) * 1000)
        // mktime takes 30 February for 2 March.
        guard isClock || (fields.tm_mon, fields.tm_mday) == (month, day) else { throw error(text) }
        if isClock, time <= now {
            fields.tm_mday += 1
            fields.tm_isdst = -1
            time = Timestamp(milliseconds: Int64(mktime(&fields)) * 1000)
        }
        return time
    }

    private static func read(_ date: Substring, into fields: inout tm) -> Bool {
        let numbers = date.split(separator: "-").compactMap { Int32($0) }
        guard numbers.count == 3, date.split(separator: "-").count == 3, (1970...9999).contains(numbers[0]),
            (1...12).contains(numbers[1]), (1...31).contains(numbers[2])
        else { return false }
        (fields.tm_year, fields.tm_mon, fields.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
        return true
    }

    private static func readClock(_ clock: Substring, into fields: inout tm) -> Bool {
        let numbers = clock.split(separator: ":").compactMap { Int32($0) }
        guard (2...3).contains(numbers.count), clock.split(separator: ":").count == numbers.count,
            (0...23).contains(numbers[0]), (0...59).contains(numbers[1])
        else { return false }
        let second = numbers.count > 2 ? numbers[2] : 0
        guard (0...59).contains(second) else { return false }
        (fields.tm_hour, fields.tm_min, fields.tm_sec) = (numbers[0], numbers[1], second)
        return true
    }

    private static func error(_ text: String) -> ValidationError {
        ValidationError("'\(text)' is no time; write it like 22:30, 2026-12-01 or 2026-12-01T08:00.")
    }
}
