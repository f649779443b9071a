// What does the work: the protocol that every feature serves, from a plugin or in-process.

/// Code that processes tasks.
///
/// `process` runs once per attempt. A task may be processed more than once (its hub may have
/// died), so a feature whose effects must not happen twice uses `context.taskID` as its
/// idempotency key and `context.fence` as its fencing token.
///
/// Cancellation reaches `process` as Swift's own task cancellation; throw `CancellationError`
/// when stopping because of it. Throw ``TaskFailure`` to say what went wrong and whether another
/// attempt may help, and ``TaskSnooze`` to be tried again later although nothing failed; any other error
/// becomes a failure that is not retried.
public protocol Feature: Sendable {
    var descriptor: FeatureDescriptor { get }

    /// Checks the parameters of a task before it is accepted, and returns them as they are to be
    /// stored: defaults filled in, file paths resolved against the submitter's directory.
    ///
    /// - Throws: ``BelfryError`` with code `invalid_params` and a pointer to the parameter.
    func accept(_ params: JSONValue, from context: SubmissionContext?) throws -> JSONValue

    /// Makes parameters of `key=value` arguments as typed on a command line, by the feature's schema.
    ///
    /// - Throws: ``BelfryError`` with code `invalid_params` and a pointer to the parameter.
    func params(from arguments: [(key: String, value: String)]) throws -> JSONValue

    /// Whether the feature keeps the attempt's timeouts (``FeatureContext/timeouts``) itself, because it can say
    /// more about what it stopped. Defaults to false: the worker keeps them.
    var keepsTimeouts: Bool { get }

    /// Does the work of one attempt.
    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult
}

extension Feature {
    public var keepsTimeouts: Bool { false }

    public func accept(_ params: JSONValue, from context: SubmissionContext?) throws -> JSONValue { params }

    /// Without a schema: a value that is JSON is taken as that, anything else as a string.
    public func params(from arguments: [(key: String, value: String)]) throws -> JSONValue {
        var object = JSONObject()
        for (key, value) in arguments { object[key] = (try? JSONValue(parsing: value)) ?? .string(value) }
        return .object(object)
    }
}

/// What a feature is called, what it takes, and how its attempts are to be treated.
public struct FeatureDescriptor: Hashable, Sendable {
    /// Such as `text-to-image`: lower-case letters, digits, `-`, `_`, `.`, and `/` after a plugin's id.
    public var id: String
    /// For people.
    public var title: String
    public var summary: String
    /// A JSON Schema for the parameters. Defaults to any object.
    public var paramsSchema: JSONValue = ["type": "object"]
    /// The plugin that serves it; nil for a built-in or in-process feature.
    public var pluginID: String?
    /// Defaults to no retries: a feature that can fail for a passing reason says so.
    public var retry = RetryPolicy.never
    /// Defaults to rerun.
    public var onInterrupt = InterruptPolicy.rerun
    /// Attempts at once, or nil for as many as the worker has slots. Defaults to nil.
    public var concurrency: Int?
    /// What each attempt occupies, unless a task says otherwise. Defaults to one slot.
    public var needs = TaskNeeds()
    /// Bounds on each attempt, unless a task says otherwise. Defaults to none.
    public var timeouts = TaskTimeouts()
    /// Whether attempts get an output directory. Defaults to true; false saves a feature that
    /// makes no files the cost of it.
    public var makesFiles = true

    public init(id: String, title: String, summary: String = "") {
        self.id = id
        self.title = title
        self.summary = summary
    }
}

/// What an attempt is given beside its parameters.
public struct FeatureContext: Sendable {
    public let taskID: TaskID
    public let number: Int64
    public let featureID: String
    /// Counted from 1.
    public let attempt: Int
    /// Grows with every claim of the task: a fencing token for the outside world.
    public let fence: Int64
    /// An existing, empty directory of this attempt's own; artifacts must lie inside.
    public let outputDirectory: String
    /// Where the submitter stood, if the client told.
    public let submission: SubmissionContext?
    /// What an earlier attempt saved with ``saveCheckpoint(_:)``; nil when none did.
    public var checkpoint: JSONValue?
    /// Variables that say which devices are the attempt's, such as `CUDA_VISIBLE_DEVICES`.
    public var deviceEnvironment: [String: String] = [:]
    /// The bounds on this attempt, for features that keep them themselves.
    public var timeouts = TaskTimeouts()
    private let onProgress: @Sendable (Double?, String?) -> Void
    private let onLog: @Sendable ([UInt8]) -> Void
    private let onCheckpoint: @Sendable (JSONValue?) -> Void

    public init(
        taskID: TaskID,
        number: Int64 = 0,
        featureID: String,
        attempt: Int,
        fence: Int64,
        outputDirectory: String,
        submission: SubmissionContext? = nil,
        onProgress: @escaping @Sendable (Double?, String?) -> Void = { _, _ in },
        onLog: @escaping @Sendable ([UInt8]) -> Void = { _ in },
        onCheckpoint: @escaping @Sendable (JSONValue?) -> Void = { _ in }
    ) {
        self.taskID = taskID
        self.number = number
        self.featureID = featureID
        self.attempt = attempt
        self.fence = fence
        self.outputDirectory = outputDirectory
        self.submission = submission
        self.onProgress = onProgress
        self.onLog = onLog
        self.onCheckpoint = onCheckpoint
    }

    /// Says how far the work is. Cheap, and may be called as often as you like: only the newest
    /// value counts.
    ///
    /// - Parameters:
    ///   - percent: 0…100, or nil when unknown. Values outside are clamped.
    ///   - message: a few words for people.
    public func progress(_ percent: Double?, _ message: String? = nil) { onProgress(percent, message) }

    /// Appends to the attempt's log, which `belfry log` shows.
    public func log(_ bytes: [UInt8]) { onLog(bytes) }

    /// Keeps what the next attempt of this task is to know, in place of what was kept before; nil forgets it.
    ///
    /// Cheap, and may be called often: the newest is written soon, and in any case before the attempt's
    /// outcome. A hub that is killed loses at most the last moments' worth. At most 1 MiB as JSON.
    public func saveCheckpoint(_ checkpoint: JSONValue?) { onCheckpoint(checkpoint) }
}

/// Thrown by a feature that cannot go on now, for a reason that is no failure: a server is busy, a file is not
/// there yet. The attempt does not count.
public struct TaskSnooze: Error, Hashable, Sendable {
    /// When another attempt may start, from now on.
    public var delay: Duration
    /// Why, for people.
    public var message: String?

    public init(for delay: Duration, _ message: String? = nil) {
        self.delay = delay
        self.message = message
    }
}
