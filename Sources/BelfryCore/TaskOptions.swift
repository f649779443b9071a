// What a submitter may say about how a task is run, beside what it is. Most say nothing: stores keep
// all of it in one column that is empty then.

/// How a task is to be tried, timed and held.
public struct TaskOptions: Hashable, Sendable {
    /// Bounds on each attempt. Defaults to the feature's.
    public var timeouts = TaskTimeouts()
    /// When and whether failed attempts are tried again. Defaults to the feature's.
    public var retry: RetryPolicy?
    /// What becomes of the task when one that it comes after does not complete. Defaults to fail.
    public var onDependencyFailure = DependencyPolicy.fail
    /// The schedule that made the task. Defaults to none.
    public var schedule: String?
    /// What must not be there twice. It holds for retries and edits too, so it stays with the task.
    /// Defaults to nothing.
    public var unique: UniqueRule?

    public init() {}

}

/// How long attempts may take.
public struct TaskTimeouts: Hashable, Sendable {
    /// From an attempt's start to its end. Defaults to what the feature says: none unless declared.
    public var attempt: Duration?
    /// Without a sign of life: no progress and no line of output. Defaults to what the feature says.
    public var idle: Duration?

    public init(attempt: Duration? = nil, idle: Duration? = nil) {
        self.attempt = attempt
        self.idle = idle
    }
}

/// What becomes of a task when one that it comes after failed or was cancelled.
public enum DependencyPolicy: String, Sendable, CaseIterable {
    /// It fails with the code `dependency_failed`, and so do those that come after it. Retrying what
    /// failed brings them back.
    case fail
    /// It runs all the same: to clean up, or to report.
    case run
}

extension TaskOptions {
    /// Only what is set.
    public var json: JSONValue {
        var object = JSONObject()
        object.set("attemptTimeoutSeconds", timeouts.attempt.map { .double($0.seconds) })
        object.set("idleTimeoutSeconds", timeouts.idle.map { .double($0.seconds) })
        object.set("retry", retry?.json)
        if onDependencyFailure != .fail {
            object["onDependencyFailure"] = .string(onDependencyFailure.rawValue)
        }
        object.set("schedule", schedule.map { .string($0) })
        object.set("unique", unique?.json)
        return .object(object)
    }

    /// Reads the members of ``json`` from an object that may have others.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` naming the field.
    public init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "submission")
        timeouts.attempt = try reader.duration("attemptTimeoutSeconds", upTo: 31_536_000)
        timeouts.idle = try reader.duration("idleTimeoutSeconds", upTo: 31_536_000)
        for (key, value) in [
            ("attemptTimeoutSeconds", timeouts.attempt), ("idleTimeoutSeconds", timeouts.idle),
        ]
        where value == .zero {
            throw reader.error(key, "above 0")
        }
        retry = try reader.part("retry", RetryPolicy.init(json:))
        onDependencyFailure =
            try reader.optional("onDependencyFailure", "fail or run") {
                $0.string.flatMap(DependencyPolicy.init(rawValue:))
            } ?? .fail
        schedule = json["schedule"]?.string
        unique = try reader.part("unique", UniqueRule.init(json:))
    }
}

extension RetryPolicy {
    private static let keys = [
        "maxAttempts", "initialDelaySeconds", "multiplier", "maxDelaySeconds", "jitter", "retryOn",
        "giveUpOn",
    ]

    public var json: JSONValue {
        var object: JSONObject = [
            "maxAttempts": .int(Int64(maxAttempts)), "initialDelaySeconds": .double(initialDelay.seconds),
            "multiplier": .double(multiplier), "maxDelaySeconds": .double(maxDelay.seconds),
            "jitter": .double(jitter),
        ]
        if !retryOn.isEmpty { object["retryOn"] = .array(retryOn.map { .string($0) }) }
        if !giveUpOn.isEmpty { object["giveUpOn"] = .array(giveUpOn.map { .string($0) }) }
        return .object(object)
    }

    /// Reads ``json``; what is missing is the default.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` naming the field.
    public init(json: JSONValue) throws {
        self.init()
        let reader = JSONReader(json, what: "retry policy")
        _ = try reader.members(among: Self.keys)
        maxAttempts =
            try reader.optional("maxAttempts", "a whole number from 1 to 1000") { value in
                value.int.flatMap { (1...1000).contains($0) ? Int($0) : nil }
            } ?? maxAttempts
        initialDelay = try reader.duration("initialDelaySeconds", upTo: 604_800) ?? initialDelay
        // A first wait that was asked for is not cut down by a bound that nobody set.
        maxDelay = try reader.duration("maxDelaySeconds", upTo: 2_592_000) ?? max(maxDelay, initialDelay)
        multiplier = try reader.number("multiplier", in: 1...100) ?? multiplier
        jitter = try reader.number("jitter", in: 0...1) ?? jitter
        retryOn = try reader.codes("retryOn")
        giveUpOn = try reader.codes("giveUpOn")
    }
}

extension JSONReader {
    /// A member; nil also where it is null.
    func value(_ key: String) -> JSONValue? {
        guard let value = self[key], !value.isNull else { return nil }
        return value
    }

    /// A duration in seconds; nil when there is none.
    func duration(_ key: String, upTo limit: Double) throws -> Duration? {
        try number(key, in: 0...limit).map { .milliseconds(Int64(($0 * 1000).rounded())) }
    }

    func number(_ key: String, in range: ClosedRange<Double>) throws -> Double? {
        try optional(key, "a number from \(range.lowerBound) to \(range.upperBound)") { value in
            value.double.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// At most 32 error codes.
    fileprivate func codes(_ key: String) throws -> [String] {
        try optional(key, "a list of at most 32 error codes") { value in
            value.strings.flatMap { codes in
                codes.count <= 32 && codes.allSatisfy { $0.utf8.count <= 64 } ? codes : nil
            }
        } ?? []
    }
}
