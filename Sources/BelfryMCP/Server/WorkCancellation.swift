// Cancels one piece of work from outside the task that it runs in: a task group can only cancel all of its children.

/// A handle by which somebody else cancels what ``run(_:)`` runs.
public struct WorkCancellation: Sendable {
    private let signal: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    public init() { (signal, continuation) = AsyncStream.makeStream() }

    /// Cancels the work, also when it has not begun yet.
    public func cancel() { continuation.finish() }

    /// Runs `work` in a task that ``cancel()`` cancels, and waits for its end.
    ///
    /// - Throws: what `work` throws.
    public func run<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws
        -> Value
    {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await work() }
            group.addTask { [signal] in
                for await _ in signal {}
                return nil
            }
            defer { group.cancelAll() }
            if let value = try await group.next() ?? nil { return value }
            group.cancelAll()
            guard let value = try await group.next() ?? nil else { throw CancellationError() }
            return value
        }
    }
}
