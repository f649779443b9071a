// How long an attempt may take: by its own bounds, and by the deadline of its task.

import BelfryCore
import Synchronization

/// Counts what an attempt shows of itself: progress and checkpoints.
final class SignsOfLife: Sendable {
    private let signs = Atomic<Int>(0)

    func show() { signs.add(1, ordering: .relaxed) }
    var count: Int { signs.load(ordering: .relaxed) }
}

struct AttemptBounds: Sendable {
    /// Each returns when the attempt has gone on for too long, with why; nil when it was cancelled before.
    let waits: [@Sendable () async -> TaskFailure?]

    init(
        _ task: BackgroundTask,
        _ timeouts: TaskTimeouts,
        feature: any Feature,
        signs: SignsOfLife,
        clocks: Clocks
    ) {
        var waits: [@Sendable () async -> TaskFailure?] = []
        if let deadline = task.deadline {
            waits.append {
                let rest = max(.zero, deadline.since(clocks.wall.now))
                return (try? await clocks.sleep(rest)) != nil ? .deadline(deadline) : nil
            }
        }
        if !feature.keepsTimeouts {
            if let limit = timeouts.attempt { waits.append { await Self.total(limit, clocks) } }
            if let limit = timeouts.idle { waits.append { await Self.idle(limit, signs, clocks) } }
        }
        self.waits = waits
    }

    private static func total(_ limit: Duration, _ clocks: Clocks) async -> TaskFailure? {
        guard (try? await clocks.sleep(limit)) != nil else { return nil }
        return TaskFailure("timeout", "It took longer than it may and was stopped.", isRetryable: true)
    }

    private static func idle(_ limit: Duration, _ signs: SignsOfLife, _ clocks: Clocks) async -> TaskFailure?
    {
        var seen = signs.count
        while (try? await clocks.sleep(limit)) != nil {
            // Looked at once in each span: a silence is noticed after one to two of them.
            let count = signs.count
            if count == seen {
                return TaskFailure(
                    "idle_timeout",
                    "It gave no sign of life for too long and was stopped.",
                    isRetryable: true
                )
            }
            seen = count
        }
        return nil
    }
}
