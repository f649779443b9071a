// Times as people write them, in the tests of schedules.

import BelfryCore
import BelfryService
import Foundation
import Testing

/// The time that `text` (RFC 3339) names.
func time(_ text: String) throws -> Timestamp { try #require(Timestamp(text), "no time: \(text)") }

extension CronExpression {
    /// The first ticks later than `start`, in UTC, without seconds: `2026-03-29T01:00Z`.
    func ticks(_ limit: Int, after start: String, in zone: String = "UTC") throws -> [String] {
        let end = Timestamp(milliseconds: .max)
        return ticks(
            after: try time(start),
            through: end,
            in: try Timetable.zone(named: zone),
            limit: limit
        ).map(\.withoutSeconds)
    }
}

extension Timestamp {
    var withoutSeconds: String { description.replacingOccurrences(of: ":00.000Z", with: "Z") }
}

/// Collects the errors that `body` throws for each of `texts`.
func failures(_ texts: [String], _ body: (String) throws -> Void) -> [BelfryError] {
    texts.compactMap { text in
        do {
            try body(text)
            return nil
        } catch {
            return error as? BelfryError
        }
    }
}
