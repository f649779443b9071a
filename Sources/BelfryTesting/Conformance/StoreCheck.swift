// The conformance suite's way in. It imports no test library, so that an engine outside this
// package, tested with whatever its author likes, can run the same checks.

public import BelfryCore

/// A fresh store for one check, and how to open the same one again.
public struct StoreFixture: Sendable {
    public var store: any TaskStore
    /// Opens the same store again after it was closed, as a restart does.
    public var reopen: @Sendable () async throws -> any TaskStore
    /// Called at the end, whatever the check found: remove files, close connections. Defaults to nothing.
    public var cleanUp: @Sendable () async throws -> Void

    public init(
        store: any TaskStore,
        reopen: @escaping @Sendable () async throws -> any TaskStore,
        cleanUp: @escaping @Sendable () async throws -> Void = {}
    ) {
        self.store = store
        self.reopen = reopen
        self.cleanUp = cleanUp
    }
}

/// What a check wants its store opened with.
public struct StoreOptions: Sendable {
    /// Makes the epoch of the store's log.
    public var ids: IDGenerator
    /// To be called after each commit that wrote events.
    public var didCommitEvents: @Sendable () -> Void
}

/// One promise of ``TaskStore``, checked on a store of its own.
///
/// With Swift Testing a new engine joins the suite so:
/// ```swift
/// @Test("the store keeps its promises", arguments: StoreConformance.allChecks)
/// func conformance(_ check: StoreCheck) async throws {
///     try await check.run { options in try await openFreshStore(options) }
/// }
/// ```
public struct StoreCheck: Sendable, CustomStringConvertible {
    /// The promise, as a sentence.
    public let name: String
    private let body: @Sendable (StoreBench) async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (StoreBench) async throws -> Void) {
        self.name = name
        self.body = body
    }

    public var description: String { name }

    /// Runs the check on a store that `makeStore` opens, new and empty.
    ///
    /// - Throws: ``StoreCheckFailure`` when the store breaks the promise; what the store or
    ///   `makeStore` throws unexpectedly.
    public func run(on makeStore: (StoreOptions) async throws -> StoreFixture) async throws {
        let ids = StoreBench.makeIDs()
        let signals = SignalCounter()
        let fixture = try await makeStore(StoreOptions(ids: ids) { signals.increment() })
        let result: Result<Void, any Error>
        do {
            try await body(StoreBench(fixture, ids: ids, signals: signals))
            result = .success(())
        } catch { result = .failure(error) }
        try await fixture.cleanUp()
        try result.get()
    }
}

/// A promise that a store broke.
public struct StoreCheckFailure: Error, CustomStringConvertible {
    /// What was expected and what was there.
    public let message: String
    /// The check's place in the suite, as `Module/File.swift`.
    public let fileID: String
    public let line: Int

    public var description: String { "\(message) (\(fileID):\(line))" }
}

/// Every check there is.
public enum StoreConformance {
    /// All of them; an engine passes when each one does.
    public static let allChecks: [StoreCheck] =
        submission + idempotency + values + claiming + fencing + outcomes + cancelling + retrying + batches
        + rescuing + queries + clearing + eventLog + sinkState + reopening + concurrency + slots + turns
        + dependencies + dependencyRetries + dependencyRefusals + uniqueness + stashing + editing + deadlines
        + snoozing + checkpoints + schedules + groups + keeping
}

// MARK: Expectations

func expect(
    _ condition: Bool,
    _ message: @autoclosure () -> String,
    fileID: String = #fileID,
    line: Int = #line
) throws {
    guard !condition else { return }
    throw StoreCheckFailure(message: message(), fileID: fileID, line: line)
}

func expectEqual<Value: Equatable>(
    _ actual: Value,
    _ expected: Value,
    _ what: @autoclosure () -> String,
    fileID: String = #fileID,
    line: Int = #line
) throws {
    try expect(
        actual == expected,
        "\(what()): expected \(brief(expected)), got \(brief(actual))",
        fileID: fileID,
        line: line
    )
}

/// Values are as large as 1 MiB: nobody reads that in a failure.
private func brief(_ value: Any) -> String { "\(value)".truncated(toUTF8: 600) }

func unwrap<Value>(
    _ value: Value?,
    _ what: @autoclosure () -> String,
    fileID: String = #fileID,
    line: Int = #line
) throws -> Value {
    guard let value else {
        throw StoreCheckFailure(message: "\(what()): there is none", fileID: fileID, line: line)
    }
    return value
}

/// Expects `work` to throw a ``TaskStoreError`` that `isExpected` accepts.
func expectRefusal<Value>(
    _ what: String,
    fileID: String = #fileID,
    line: Int = #line,
    _ isExpected: (TaskStoreError) -> Bool,
    _ work: () async throws -> Value
) async throws {
    let thrown: any Error
    do {
        _ = try await work()
        throw StoreCheckFailure(message: "\(what): nothing was thrown", fileID: fileID, line: line)
    } catch { thrown = error }
    if let failure = thrown as? StoreCheckFailure { throw failure }
    guard let error = thrown as? TaskStoreError, isExpected(error) else {
        throw StoreCheckFailure(message: "\(what): threw \(thrown)", fileID: fileID, line: line)
    }
}
