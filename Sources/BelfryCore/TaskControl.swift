// What may be done to tasks from outside: by the API, and by sinks whose buttons act.

/// The way back from a sink to the tasks.
public protocol TaskControl: Sendable {
    func task(_ id: TaskID) async throws -> BackgroundTask?
    func batch(_ id: BatchID) async throws -> TaskBatch?

    /// Cancels a pending task at once; asks a running one to stop.
    ///
    /// - Throws: ``BelfryError`` `not_found`, or `not_allowed_now` when the task is final.
    @discardableResult func cancel(_ id: TaskID) async throws -> BackgroundTask

    /// Makes a final task pending again with a new attempt budget.
    ///
    /// - Throws: ``BelfryError`` `not_found`, or `not_allowed_now` when the task is not final.
    @discardableResult func retry(_ id: TaskID, context: SubmissionContext?) async throws -> BackgroundTask

    /// Cancels every task of a batch that is not final.
    ///
    /// - Returns: how many were cancelled or asked to stop.
    @discardableResult func cancel(batch: BatchID) async throws -> Int

    /// Retries every failed task of a batch.
    ///
    /// - Returns: how many are pending again.
    @discardableResult func retryFailed(batch: BatchID) async throws -> Int
}
