// Waits that have an end: a test that would hang fails with a sentence that says what it waited for.

/// How long a wait lasts before it counts as failed: far more than a busy machine takes, far less than a
/// test's time limit.
public let patience: Duration = .seconds(20)

/// What was waited for has not come.
public struct WaitedInVain: Error, CustomStringConvertible {
    /// What was waited for.
    public var what: String
    /// What was there instead.
    public var seen: String

    public init(_ what: String, seen: String) {
        self.what = what
        self.seen = seen
    }

    public var description: String { "waited in vain for \(what); seen: \(seen.prefix(4000))" }
}

/// Runs `body`, and ends it with the error of `failure` when it takes longer than `patience`.
public func withDeadline<Result: Sendable>(
    _ patience: Duration,
    _ failure: @autoclosure @escaping @Sendable () -> any Error,
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask(operation: body)
        group.addTask {
            try await Task.sleep(for: patience)
            throw failure()
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw CancellationError() }
        return result
    }
}

/// Tries again and again until `attempt` finds something: for the screen's pixels, of which X tells nobody.
/// Whatever gives a signal is waited for by its signal instead.
///
/// - Parameters:
///   - interval: the pause between two looks.
///   - seen: what is there instead, for the error; asked for only when it is thrown.
/// - Throws: ``WaitedInVain`` after `patience`, and what `attempt` throws.
@discardableResult
public func eventually<Found: Sendable>(
    _ what: String,
    within patience: Duration = patience,
    every interval: Duration = .milliseconds(20),
    seen: @autoclosure @escaping @Sendable () -> String = "nothing of the kind",
    _ attempt: @escaping @Sendable () async throws -> Found?
) async throws -> Found {
    try await withDeadline(patience, WaitedInVain(what, seen: seen())) {
        while true {
            if let found = try await attempt() { return found }
            try await Task.sleep(for: interval)
        }
    }
}
