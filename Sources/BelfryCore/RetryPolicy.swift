// How often a failed task is tried again, and how long to wait before.

/// Retries with exponential backoff and jitter.
public struct RetryPolicy: Hashable, Sendable {
    /// Attempts in all, the first included. At least 1. Defaults to 3.
    public var maxAttempts = 3
    /// The wait before the second attempt. Defaults to 5 seconds.
    public var initialDelay = Duration.seconds(5)
    /// Each wait is this many times the one before. Defaults to 2.
    public var multiplier = 2.0
    /// No wait is longer. Defaults to 10 minutes.
    public var maxDelay = Duration.seconds(600)
    /// The share of each wait, 0…1, that is drawn at random, so that tasks that failed together
    /// do not come back together. Defaults to 0.2.
    public var jitter = 0.2
    /// Error codes that are tried again although the feature did not say so; `*` stands for all.
    /// Defaults to none.
    public var retryOn: [String] = []
    /// Error codes that are final whatever the feature says; stronger than ``retryOn``. Defaults to none.
    public var giveUpOn: [String] = []

    public init() {}

    /// One attempt, no retries.
    public static var never: RetryPolicy {
        var policy = RetryPolicy()
        policy.maxAttempts = 1
        return policy
    }

    /// The wait after attempt number `attempt` (from 1) failed.
    ///
    /// - Parameter random: a number in 0..<1 that decides the jitter: 0 gives the shortest wait.
    public func delay(after attempt: Int, random: Double) -> Duration {
        var seconds = initialDelay.seconds
        let limit = maxDelay.seconds
        for _ in 1..<max(1, attempt) where seconds < limit { seconds *= multiplier }
        let full = min(seconds, limit)
        return .milliseconds(Int64((full * (1 - jitter + jitter * random) * 1000).rounded()))
    }

    /// Whether another attempt may help after `failure`.
    public func isRetryable(_ failure: TaskFailure) -> Bool {
        if giveUpOn.contains(failure.code) { return false }
        return failure.isRetryable || retryOn.contains(failure.code) || retryOn.contains("*")
    }
}
