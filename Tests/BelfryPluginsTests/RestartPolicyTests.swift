// When a plugin that crashed comes back, and when it does not.

import Testing

@testable import BelfryPlugins

@Suite("Restarts")
struct RestartPolicyTests {
    private func policy(max: Int, window: Duration = .seconds(60)) -> RestartPolicy {
        var restart = PluginManifest.Restart()
        restart.max = max
        restart.window = window
        return RestartPolicy(restart)
    }

    @Test("each crash in the window doubles the wait, up to half a minute")
    func backoff() {
        var policy = policy(max: 100, window: .seconds(3600))
        let waits = (0..<8).map { second -> Duration? in
            let now = Duration.seconds(second)
            guard case .restart(let time) = policy.crashed(at: now) else { return nil }
            return time - now
        }
        #expect(waits == [1, 2, 4, 8, 16, 30, 30, 30].map { Duration.seconds($0) })
    }

    @Test("as many crashes as allowed within the window are too many")
    func quarantine() {
        var policy = policy(max: 3)
        #expect(policy.crashed(at: .seconds(100)) == .restart(notBefore: .seconds(101)))
        #expect(policy.crashed(at: .seconds(110)) == .restart(notBefore: .seconds(112)))
        #expect(policy.crashed(at: .seconds(159)) == .quarantine)
    }

    @Test("a crash is forgotten when the window has passed")
    func window() {
        var policy = policy(max: 3)
        _ = policy.crashed(at: .seconds(100))
        _ = policy.crashed(at: .seconds(110))
        #expect(policy.recentCrashes(at: .milliseconds(159_999)) == 2)
        #expect(policy.recentCrashes(at: .seconds(160)) == 1)
        #expect(policy.crashed(at: .seconds(160)) == .restart(notBefore: .seconds(162)))
    }

    @Test("with 0 or 1 the first crash is the last", arguments: [0, 1])
    func never(max: Int) {
        var policy = policy(max: max)
        #expect(policy.crashed(at: .seconds(5)) == .quarantine)
    }

    @Test("who was forgiven starts anew")
    func forgiven() {
        var policy = policy(max: 2)
        _ = policy.crashed(at: .seconds(1))
        policy.forgive()
        #expect(policy.crashed(at: .seconds(2)) == .restart(notBefore: .seconds(3)))
    }
}
