// Which crashes are an event's fault and which are the observer's own.

import Testing

@testable import BelfryPlugins

@Suite("Crashes of an observer")
struct CrashJudgeTests {
    private func judge(max: Int = 3) -> CrashJudge {
        var restart = PluginManifest.Restart()
        restart.max = max
        restart.window = .seconds(60)
        return CrashJudge(restart)
    }

    private func second(_ number: Int) -> Duration { .seconds(number) }

    @Test("as many in a row with one event as are allowed: it is poison, and the next crashes count anew")
    func poison() {
        var judge = judge()
        #expect(judge.crashed(at: second(0), with: [7]) == .restart(notBefore: second(1)))
        #expect(judge.crashed(at: second(1), with: [7]) == .restart(notBefore: second(3)))
        #expect(judge.crashed(at: second(3), with: [7]) == .poison(7, notBefore: second(4)))
        judge.answered()
        #expect(judge.crashed(at: second(5), with: [9]) == .restart(notBefore: second(6)))
    }

    @Test("who crashes with the next event too before it has answered anything is at fault itself")
    func acquitted() {
        var judge = judge(max: 2)
        _ = judge.crashed(at: second(0), with: [7])
        #expect(judge.crashed(at: second(1), with: [7]) == .poison(7, notBefore: second(2)))
        #expect(judge.crashed(at: second(2), with: [8]) == .restart(notBefore: second(3)))
        #expect(judge.crashed(at: second(3), with: [8]) == .quarantine(acquitting: 7))
    }

    @Test("one that hangs for hours loses its place to nothing: the same event is tried again and again")
    func hangs() {
        var judge = judge()
        for minute in 0..<120 {
            let now = second(60 * minute)
            #expect(judge.crashed(at: now, with: [7]) == .restart(notBefore: now + second(1)))
        }
    }

    @Test("who has answered something in between is not: the next event is poison as well")
    func twoPoisons() {
        var judge = judge(max: 2)
        _ = judge.crashed(at: second(0), with: [7])
        _ = judge.crashed(at: second(1), with: [7])
        judge.answered()
        _ = judge.crashed(at: second(3), with: [8])
        #expect(judge.crashed(at: second(4), with: [8]) == .poison(8, notBefore: second(5)))
    }

    @Test(
        "with different events, or with none, it is the observer",
        arguments: [[[1], [2], [3]], [[], [], []]]
    )
    func itself(positions: [[Int64]]) {
        var judge = judge()
        #expect(judge.crashed(at: second(0), with: positions[0]) == .restart(notBefore: second(1)))
        #expect(judge.crashed(at: second(1), with: positions[1]) == .restart(notBefore: second(3)))
        #expect(judge.crashed(at: second(3), with: positions[2]) == .quarantine(acquitting: nil))
    }

    @Test("a crash with several events in its hands counts for the one that the next ones are with")
    func several() {
        var judge = judge()
        _ = judge.crashed(at: second(0), with: [5, 6, 7, 8])
        judge.answered()
        #expect(judge.crashed(at: second(1), with: [7]) == .restart(notBefore: second(3)))
        #expect(judge.crashed(at: second(3), with: [7]) == .poison(7, notBefore: second(4)))
    }

    @Test("an event has all of its tries, whatever crashed before it")
    func allTries() {
        var judge = judge()
        _ = judge.crashed(at: second(0), with: [])
        _ = judge.crashed(at: second(1), with: [7])
        #expect(judge.crashed(at: second(3), with: [7]) == .restart(notBefore: second(7)))
        #expect(judge.crashed(at: second(7), with: [7]) == .poison(7, notBefore: second(8)))
    }

    @Test("where no restart is wanted, no event is tried again either", arguments: [0, 1])
    func never(max: Int) {
        var judge = judge(max: max)
        #expect(judge.crashed(at: second(0), with: [7]) == .quarantine(acquitting: nil))
    }

    @Test("after a crash it gets one event at a time until it has caught up")
    func wary() {
        var judge = judge()
        #expect(!judge.isWary)
        _ = judge.crashed(at: second(0), with: [])
        judge.answered()
        #expect(judge.isWary)
        judge.caughtUp()
        #expect(!judge.isWary)
    }
}
