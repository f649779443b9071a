// How long failed tasks wait before they are tried again.

import BelfryCore
import Testing

@Suite("Retry policies")
struct RetryPolicyTests {
    private func policy(jitter: Double = 0, change: (inout RetryPolicy) -> Void = { _ in }) -> RetryPolicy {
        var policy = RetryPolicy()
        policy.jitter = jitter
        change(&policy)
        return policy
    }

    @Test("each wait is twice the one before, up to the longest")
    func backoff() {
        let waits = (1...10).map { policy().delay(after: $0, random: 0.5).seconds }
        #expect(waits == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600])
    }

    @Test("any attempt number has a wait within the bounds", arguments: [Int.min, -1, 0, 1, 64, 100_000])
    func extremes(_ attempt: Int) {
        let delay = policy().delay(after: attempt, random: 0)
        #expect(delay >= .seconds(5) && delay <= .seconds(600))
    }

    @Test("jitter takes at most its share away")
    func jitter() {
        #expect(policy(jitter: 0.2).delay(after: 1, random: 0) == .seconds(4))
        #expect(policy(jitter: 0.2).delay(after: 1, random: 0.5) == .milliseconds(4500))
        #expect(policy(jitter: 1).delay(after: 1, random: 0) == .zero)
        #expect(policy(jitter: 0.2).delay(after: 20, random: 0.999) <= .seconds(600))
    }

    @Test("a policy can wait the same each time, or not try again")
    func others() {
        let steady = policy { $0.multiplier = 1 }
        #expect(steady.delay(after: 50, random: 0) == .seconds(5))
        #expect(RetryPolicy.never.maxAttempts == 1)
        #expect(policy { $0.initialDelay = .seconds(900) }.delay(after: 1, random: 0) == .seconds(600))
    }
}
