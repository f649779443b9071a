// The two forms in which somebody says when a schedule fires, as one text.

import BelfryCore

/// When a schedule fires: by wall clocks (cron) or at a steady interval.
public enum ScheduleSpec: Hashable, Sendable {
    case cron(CronExpression)
    case every(EveryInterval)

    /// Reads either form: `0 7 * * mon-fri`, `@daily`, `every 15m`, `@every 1h30m`.
    ///
    /// - Parameter pointer: where in a request the text stands. Defaults to `/cron`.
    /// - Throws: ``BelfryError`` `invalid_request` that says what was read and what is allowed.
    public init(parsing text: String, pointer: String = "/cron") throws {
        self =
            EveryInterval.isMeant(by: text)
            ? .every(try EveryInterval(parsing: text, pointer: pointer))
            : .cron(try CronExpression(parsing: text, pointer: pointer))
    }
}

extension ScheduleSpec: CustomStringConvertible {
    /// The text to store: it reads as an equal spec, now and in later versions.
    public var description: String {
        switch self {
        case .cron(let expression): expression.text
        case .every(let interval): interval.description
        }
    }
}
