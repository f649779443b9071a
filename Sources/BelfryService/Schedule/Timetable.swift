// A spec with what it needs to become points in time.

public import BelfryCore
public import Foundation

/// All ticks of a schedule. A pure value: it reads no clock.
public struct Timetable: Hashable, Sendable {
    public var spec: ScheduleSpec
    /// Whose wall clocks cron means. An interval takes no notice of it.
    public var zone: TimeZone
    /// From where intervals count: when the schedule was made. Cron takes no notice of it.
    public var anchor: Timestamp

    public init(spec: ScheduleSpec, zone: TimeZone, anchor: Timestamp) {
        self.spec = spec
        self.zone = zone
        self.anchor = anchor
    }

    /// The first tick later than `time`; nil when there is none before the year 10,000.
    public func next(after time: Timestamp) -> Timestamp? {
        switch spec {
        case .cron(let expression): expression.next(after: time, in: zone)
        case .every(let interval): interval.next(after: time, anchor: anchor)
        }
    }

    /// The ticks later than `start`, up to `end` and with it, the oldest first, at most `limit`.
    public func ticks(after start: Timestamp, through end: Timestamp, limit: Int) -> [Timestamp] {
        switch spec {
        case .cron(let expression): expression.ticks(after: start, through: end, in: zone, limit: limit)
        case .every(let interval): interval.ticks(after: start, through: end, anchor: anchor, limit: limit)
        }
    }

    /// How many ticks are later than `start` and not later than `end`.
    public func count(after start: Timestamp, through end: Timestamp) -> Int {
        switch spec {
        case .cron(let expression): expression.count(after: start, through: end, in: zone)
        case .every(let interval): interval.count(after: start, through: end, anchor: anchor)
        }
    }

    /// The newest ticks later than `start`, up to `end` and with it, the oldest first, at most `limit`.
    ///
    /// Takes at most some 20 ms for stretches within a century.
    public func newest(_ limit: Int, after start: Timestamp, through end: Timestamp) -> [Timestamp] {
        guard limit > 0, start < end else { return [] }
        // Back in growing leaps until there are enough, then halving to where the wanted ones begin.
        var low = start
        var leap: Int64 = 60_000
        while end.milliseconds - leap > start.milliseconds {
            low = Timestamp(milliseconds: end.milliseconds - leap)
            if count(after: low, through: end) >= limit { break }
            (low, leap) = (start, leap * 2)
        }
        var high = end
        while high.milliseconds - low.milliseconds > 1 {
            let middle = Timestamp(
                milliseconds: low.milliseconds + (high.milliseconds - low.milliseconds) / 2
            )
            if count(after: middle, through: end) >= limit { low = middle } else { high = middle }
        }
        let first = count(after: low, through: end) > limit ? high : low
        return ticks(after: first, through: end, limit: limit)
    }
}

extension Timetable {
    /// The zone with this name of the IANA's database, such as `Europe/Berlin`.
    ///
    /// The rules of zones come with Foundation, not from the system's tzdata.
    ///
    /// - Parameter pointer: where in a request the name stands. Defaults to `/zone`.
    /// - Throws: ``BelfryError`` `invalid_request` when there is no such zone.
    public static func zone(named name: String, pointer: String = "/zone") throws -> TimeZone {
        let known = TimeZone.knownTimeZoneIdentifiers
        if let zone = TimeZone(identifier: name), isName(name) { return zone }
        let cities = known.filter { $0.lowercased().hasSuffix("/" + name.lowercased()) }
        let guess = cities.first ?? NameSuggestion.closest(to: name, among: known)
        throw BelfryError(
            .invalidRequest,
            "There is no time zone '\(name)'.",
            fix: guess.map { "Did you mean \($0)?" } ?? "Write a name such as Europe/Berlin or UTC.",
            pointer: pointer
        )
    }

    /// Abbreviations are left out: `EST` says nothing of summers, and `IST` is three zones.
    private static func isName(_ name: String) -> Bool {
        name.contains("/") || name == "UTC" || name == "GMT"
    }
}
