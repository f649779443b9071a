// What people see of a sink: in lists, on the metrics page, and where something is wrong.

public import BelfryCore

/// How a sink is doing.
public struct SinkStatus: Sendable, Hashable {
    public enum Condition: String, Sendable, CaseIterable {
        case starting, running
        /// Deliveries fail; the runner tries again.
        case failing
        case stopped
    }

    public var name: String
    public var condition: Condition
    /// The last event delivered.
    public var cursor: EventCursor?
    /// Events that wait for this sink; nil as long as it has no place in the log.
    public var lag: Int64?
    public var lastError: String?
    /// Events put aside because they could not be delivered.
    public var parked: Int
    /// What the sink itself says of its way out.
    public var remark: String?

    public init(
        name: String,
        condition: Condition,
        cursor: EventCursor?,
        lag: Int64?,
        lastError: String?,
        parked: Int,
        remark: String? = nil
    ) {
        self.name = name
        self.condition = condition
        self.cursor = cursor
        self.lag = lag
        self.lastError = lastError
        self.parked = parked
        self.remark = remark
    }
}
