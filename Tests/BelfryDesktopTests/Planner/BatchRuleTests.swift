// A batch is one popup, and the rules decide about it as they do about the popup of one task.

import BelfryCore
import Testing

@testable import BelfryDesktop

@Suite("Rules for batches")
struct BatchRuleTests {
    /// A batch of the feature `video`, of which one task has run for four seconds.
    private func running(_ bench: inout PlannerBench) -> (batch: TaskBatch, task: TaskID) {
        let batch = bench.batch("Holiday", of: 1)
        let task = bench.run("One") {
            $0.batchID = batch.id
            $0.featureID = "video"
            $0.userID = "ada"
        }
        bench.advance(.seconds(4))
        return (batch, task)
    }

    private func finish(_ bench: inout PlannerBench, _ batch: TaskBatch, _ task: TaskID, fails: Bool = false)
    {
        var batch = batch
        if fails { batch.failed = 1 } else { batch.completed = 1 }
        if fails { bench.fail(task) } else { bench.complete(task) }
        bench.event(.batchFinished, of: batch)
        bench.advance(.seconds(1))
    }

    private func rule(_ occasion: PopupOccasion?, _ loudness: PopupRule.Loudness?) -> PopupRule {
        var rule = PopupRule()
        rule.feature = Glob("vid*")
        rule.occasion = occasion
        rule.loudness = loudness
        return rule
    }

    @Test("a rule that wants no progress leaves the outcome")
    func noProgress() {
        let rule = rule(.progress, PopupRule.Loudness.none)
        var bench = PlannerBench { $0.rules = [rule] }
        let (batch, task) = running(&bench)
        #expect(bench.sent.isEmpty)
        finish(&bench, batch, task)
        #expect(bench.popup(.batch(batch.id))?.title == "✨ Generation Complete!")
    }

    @Test("a rule that wants no outcome takes the progress away with the last task")
    func noOutcome() {
        let rule = rule(.completed, PopupRule.Loudness.none)
        var bench = PlannerBench { $0.rules = [rule] }
        let (batch, task) = running(&bench)
        #expect(bench.popup(.batch(batch.id))?.stage == .progress)
        finish(&bench, batch, task)
        #expect(bench.popups.isEmpty)
    }

    @Test("a rule for failures does not touch a success, and says how loud a failure is")
    func loud() {
        let rule = rule(.failed, .shown(.critical))
        var bench = PlannerBench { $0.rules = [rule] }
        let (good, first) = running(&bench)
        finish(&bench, good, first)
        #expect(bench.popup(.batch(good.id))?.urgency == .normal)
        let (bad, second) = running(&bench)
        finish(&bench, bad, second, fails: true)
        #expect(bench.popup(.batch(bad.id))?.urgency == .critical)
    }

    @Test("a rule brings its own title, with what is known of the batch; the counts stay in the text")
    func words() throws {
        var rule = rule(nil, nil)
        rule.title = try PopupTemplate("{feature} of {user}: {title}, {done} of {total}", place: "title")
        rule.body = try PopupTemplate("Nothing of note", place: "body")
        var bench = PlannerBench { $0.rules = [rule] }
        let (batch, task) = running(&bench)
        #expect(bench.popup(.batch(batch.id))?.title == "video of ada: Holiday, 0 of 1")
        finish(&bench, batch, task)
        #expect(bench.popup(.batch(batch.id))?.title == "video of ada: Holiday, 1 of 1")
        #expect(bench.popup(.batch(batch.id))?.body.hasPrefix("1 of 1 done") == true)
    }

    @Test("seconds are those of the whole batch", arguments: [false, true])
    func seconds(isLong: Bool) {
        var rule = rule(nil, PopupRule.Loudness.none)
        rule.maxDuration = .seconds(10)
        var bench = PlannerBench { $0.rules = [rule] }
        let (batch, task) = running(&bench)
        if isLong { bench.advance(.seconds(20)) }
        finish(&bench, batch, task)
        #expect((bench.popup(.batch(batch.id)) != nil) == isLong)
    }

    @Test("what a rule hides is not in a report either")
    func report() throws {
        let rule = rule(.completed, PopupRule.Loudness.none)
        let hours = try QuietHours(["22:00-07:00"], place: "quiet_hours")
        var bench = PlannerBench {
            $0.rules = [rule]
            $0.quietHours = hours
        }
        bench.wall = Timestamp("2026-11-24T23:00:00.000Z")!
        let (batch, task) = running(&bench)
        finish(&bench, batch, task)
        bench.advance(.seconds(9 * 3600))
        #expect(bench.sent.isEmpty)
    }
}
