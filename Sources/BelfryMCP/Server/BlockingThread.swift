// Work that blocks, such as a read, for code that may not: Swift's own threads are as few as there are cores, and a
// blocked one is missing to everybody.

import Glibc

/// A thread for one piece of work.
public enum BlockingThread {
    private final class Job: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs `work` on a thread of its own and waits for its end. Cancelling the caller does not reach it.
    ///
    /// - Throws: what `work` throws.
    public static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws
        -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            start { continuation.resume(with: Result { try work() }) }
        }
    }

    private static func start(_ body: @escaping @Sendable () -> Void) {
        let job = Unmanaged.passRetained(Job(body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { pointer in
                if let pointer { Unmanaged<Job>.fromOpaque(pointer).takeRetainedValue().body() }
                return nil
            },
            job.toOpaque()
        )
        if code == 0 {
            pthread_detach(thread)
        } else {
            // No room for another thread: better here than never.
            job.takeRetainedValue().body()
        }
    }
}
