// What is said when work is over, one by one, many at once, or later.

import BelfryCore
import OrderedCollections
import Testing

@testable import BelfryDesktop

@Suite("Outcome popups")
struct OutcomeTests {
    @Test("completion says what the seed says, which task it was and how long it took")
    func completed() throws {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(72))
        bench.complete(id, ["/nowhere/picture.png"])
        bench.advance(.seconds(1))
        let popup = try #require(bench.popup(id))
        #expect(popup.title == "✨ Generation Complete!")
        #expect(
            popup.body == """
                Your text-to-image task has finished successfully.
                A lighthouse · #1 · 1 min 12 s
                """
        )
        #expect(popup.buttons == [.open, .showInFolder])
        #expect(popup.defaultButton == .open)
        #expect(popup.category == .complete)
        #expect(popup.sound == "complete")
        #expect(popup.taskID == id)
        #expect(popup.picture == nil, "there is no such file")
    }

    @Test("failure says why, and what can be done")
    func failed() throws {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(4))
        bench.fail(id)
        bench.advance(.seconds(1))
        let popup = try #require(bench.popup(id))
        #expect(popup.title == "❌ Generation Failed")
        #expect(popup.body == "The disk is full.\nA lighthouse · #1 · 4 s")
        #expect(popup.buttons == [.retry, .details])
        #expect(popup.category == .error)
        #expect(popup.urgency == .normal, "critical only by explicit choice")
    }

    @Test("a failure without a word has the seed's")
    func wordless() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.fail(id, "")
        #expect(bench.popup(id)?.body.hasPrefix("An error occurred during generation.") == true)
    }

    @Test("a result without a file has no buttons that open it")
    func noFile() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.complete(id)
        #expect(bench.popup(id)?.buttons == [])
        #expect(bench.popup(id)?.defaultButton == nil)
    }

    @Test("12. the outcome takes the place of the progress popup")
    func replaces() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(5))
        let number = bench.id(.task(id))
        bench.complete(id)
        bench.advance(.seconds(1))
        #expect(bench.id(.task(id)) == number)
        #expect(bench.popups.count == 1)
        #expect(bench.popup(id)?.percent == nil)
    }

    @Test("a cancelled task's popup goes, and nothing more is said")
    func cancelled() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(5))
        bench.event(.cancelled, of: id)
        bench.advance(.seconds(1))
        #expect(bench.popups.isEmpty)
    }

    @Test("34. a burst of completions becomes a summary")
    func burst() throws {
        var bench = PlannerBench()
        let ids = (1...12).map { bench.run("Task \($0)") }
        for (index, id) in ids.enumerated() {
            if index == 6 { bench.fail(id) } else { bench.complete(id) }
            bench.advance(.milliseconds(100))
        }
        bench.advance(.seconds(3))
        let popup = try #require(bench.popups.first)
        #expect(bench.popups.count == 1)
        #expect(popup.title == "12 tasks finished, 1 failed")
        #expect(popup.body == "✓ Task 1\n✓ Task 2\n✓ Task 3\n✗ Task 7\nand 8 more")
        #expect(popup.buttons.first == .retryFailed)
        #expect(bench.sent.count <= 3 + 12)
        #expect(bench.planner.tallies[1]?.failures == [ids[6]])
    }

    @Test("34. a thousand outcomes at once are a handful of calls")
    func flood() {
        var bench = PlannerBench()
        for number in 1...1000 {
            let id = bench.run("Task \(number)")
            bench.complete(id)
            bench.advance(.milliseconds(1))
        }
        bench.advance(.seconds(1))
        #expect(bench.titles == ["1000 tasks finished"])
        #expect(bench.sent.count <= 3 + 6)
    }

    @Test("34. outcomes with time between them have popups of their own")
    func slow() {
        var bench = PlannerBench()
        for number in 1...6 {
            let id = bench.run("Task \(number)")
            bench.complete(id)
            bench.advance(.seconds(3))
        }
        #expect(bench.popups.count == 6)
    }

    @Test("34. after a burst there are single popups again")
    func afterBurst() {
        var bench = PlannerBench()
        for number in 1...8 { bench.complete(bench.run("Task \(number)")) }
        bench.advance(.seconds(10))
        let late = bench.run("Late")
        bench.complete(late)
        bench.advance(.seconds(1))
        #expect(bench.titles == ["8 tasks finished", "✨ Generation Complete!"])
    }

    @Test("34. a summary that the person closed does not come back with every task")
    func dismissedBurst() {
        var bench = PlannerBench()
        for number in 1...8 { bench.complete(bench.run("Task \(number)")) }
        bench.advance(.seconds(1))
        bench.dismiss(.summary(1))
        for number in 9...20 {
            bench.complete(bench.run("Task \(number)"))
            bench.advance(.seconds(1))
        }
        #expect(bench.popups.isEmpty)
    }

    @Test("an outcome that must be seen is never folded into a summary")
    func critical() throws {
        var rule = PopupRule()
        rule.occasion = .failed
        rule.loudness = .shown(.critical)
        var bench = PlannerBench { $0.rules = [rule] }
        for number in 1...8 { bench.complete(bench.run("Task \(number)")) }
        let id = bench.run("Important")
        bench.fail(id)
        bench.advance(.seconds(1))
        #expect(bench.popup(id)?.urgency == .critical)
    }

    @Test("29. without a server nothing is sent; when there is one, a report tells what happened")
    func noServer() {
        var bench = PlannerBench(isPresent: false)
        for number in 1...5000 {
            let id = bench.run("Task \(number)")
            bench.advance(.milliseconds(100))
            if number % 100 == 0 { bench.fail(id) } else { bench.complete(id) }
        }
        #expect(bench.sent.isEmpty)
        // The few that came before it was known that nobody can be started.
        #expect(bench.planner.board.slots.count <= 4)
        bench.planner.board.serverChanged(isPresent: true)
        bench.advance(.seconds(3))
        #expect(bench.titles.contains { $0.hasSuffix("done, 50 failed") })
        #expect(bench.popups.count <= 2)
    }

    @Test("events from long before are one report, and a single one is shown as it is")
    func backlog() {
        var bench = PlannerBench()
        let old = bench.wall.adding(.seconds(-3600))
        for number in 1...40 {
            let id = bench.run("Task \(number)")
            bench.complete(id, at: old)
        }
        bench.advance(.seconds(2))
        #expect(bench.titles == ["40 done"])
        let id = bench.run("Alone")
        bench.complete(id, at: old)
        bench.advance(.seconds(2))
        #expect(bench.popup(id)?.title == "✨ Generation Complete!")
    }

    @Test("quiet hours hold everything and end in one report")
    func quietHours() throws {
        let hours = try QuietHours(["22:00-07:00"], place: "desktop.quiet_hours")
        var bench = PlannerBench {
            $0.quietHours = hours
            $0.resultsDirectory = "/results"
        }
        bench.wall = Timestamp("2026-11-24T23:00:00.000Z")!
        let running = bench.run("Long")
        bench.advance(.seconds(10))
        for number in 1...40 {
            let id = bench.run("Task \(number)")
            bench.advance(.seconds(10))
            if number > 38 { bench.fail(id) } else { bench.complete(id) }
        }
        #expect(bench.sent.isEmpty)
        bench.advance(.seconds(9 * 3600))
        #expect(bench.titles.contains("38 done, 2 failed"))
        #expect(bench.popups.first { $0.stage == .outcome }?.buttons == [.retryFailed, .openFolder])
        #expect(bench.popup(running)?.stage == .progress)
    }

    @Test("quiet hours go by the wall clock: a machine that slept through their end is not quiet any more")
    func quietHoursAsleep() throws {
        let hours = try QuietHours(["22:00-07:00"], place: "desktop.quiet_hours")
        var bench = PlannerBench { $0.quietHours = hours }
        bench.wall = Timestamp("2026-11-24T22:30:00.000Z")!
        bench.complete(bench.run("Before"))
        bench.advance(.seconds(60))
        #expect(bench.sent.isEmpty)
        // Asleep, which only the wall clock counts.
        bench.wall = Timestamp("2026-11-25T08:00:00.000Z")!
        bench.advance(.seconds(1))
        #expect(bench.titles.count == 1)
        // The clock is put back into the night.
        bench.wall = Timestamp("2026-11-25T06:00:00.000Z")!
        let count = bench.sent.count
        bench.complete(bench.run("After"))
        bench.advance(.seconds(60))
        #expect(bench.sent.count == count)
    }

    @Test("the first event of all is held when it comes in quiet hours")
    func quietFromTheStart() throws {
        let hours = try QuietHours(["22:00-07:00"], place: "desktop.quiet_hours")
        var configuration = DesktopConfiguration()
        configuration.quietHours = hours
        var planner = PopupPlanner(PopupWriter(configuration))
        planner.board.serverChanged(isPresent: true)
        let night = Timestamp("2026-11-24T22:30:00.000Z")!
        var tasks = ExampleTasks()
        let id = tasks.add("First", at: night).id
        try planner.take(tasks.complete(id, at: night), at: .init(now: .zero, wall: night))
        #expect(planner.board.isSettled)
    }

    @Test("private keeps prompts, errors and pictures out of popups")
    func secret() {
        var bench = PlannerBench { $0.isPrivate = true }
        let id = bench.run("My secret prompt")
        bench.progress(id, 10, "painting my secret")
        bench.advance(.seconds(5))
        bench.fail(id, "No model for 'my secret prompt'")
        #expect(bench.popup(id)?.buttons == [.retry])
        #expect(bench.popup(id)?.defaultButton == nil)
        for number in 1...8 { bench.complete(bench.run("secret \(number)")) }
        bench.advance(.seconds(2))
        for popup in bench.sent {
            #expect(!(popup.title + popup.body).contains("secret"))
            #expect(popup.picture == nil)
        }
        #expect(bench.sent.contains { $0.body.contains("#1") })
    }

    @Test("private keeps the error of an attempt to be repeated out of popups")
    func secretRetry() {
        var bench = PlannerBench { $0.isPrivate = true }
        let id = bench.run("My secret prompt") { $0.maxAttempts = 3 }
        bench.advance(.seconds(5))
        bench.fail(id, "No model for 'my secret prompt'", retrying: true)
        bench.advance(.seconds(1))
        #expect(bench.popup(id)?.body == "Attempt 1 of 3 failed; trying again soon")
    }

    @Test("one task is no plural")
    func singular() {
        var bench = PlannerBench {
            $0.aggregateAbove = 0
            $0.summaryAbove = 0
        }
        let id = bench.run()
        bench.advance(.seconds(5))
        #expect(bench.titles == ["1 task is running"])
        bench.complete(id)
        bench.advance(.seconds(1))
        #expect(bench.titles == ["1 task finished"])
    }

    @Test("rules choose by feature, outcome, duration and user, and bring their own words")
    func rules() throws {
        var short = PopupRule()
        short.feature = Glob("vid*")
        short.occasion = .completed
        short.maxDuration = .seconds(10)
        short.loudness = PopupRule.Loudness.none
        var alice = PopupRule()
        alice.user = Glob("alice")
        alice.title = try PopupTemplate("{feature} for {user}", place: "title")
        alice.loudness = .shown(.critical)
        var bench = PlannerBench { $0.rules = [short, alice] }
        let video = bench.run("Short") { $0.featureID = "video" }
        bench.complete(video)
        #expect(bench.popup(video) == nil)
        let long = bench.run("Long") { $0.featureID = "video" }
        bench.advance(.seconds(20))
        bench.complete(long)
        bench.advance(.seconds(1))
        #expect(bench.popup(long)?.urgency == .normal)
        let hers = bench.run("Hers") { $0.userID = "alice" }
        bench.fail(hers)
        #expect(bench.popup(hers)?.title == "text-to-image for alice")
        #expect(bench.popup(hers)?.urgency == .critical)
    }

    @Test("a rule with seconds decides about what has a duration, and not about progress")
    func rulesOfDuration() {
        var quick = PopupRule()
        quick.maxDuration = .seconds(10)
        quick.loudness = PopupRule.Loudness.none
        var bench = PlannerBench { $0.rules = [quick] }
        let id = bench.run()
        bench.advance(.seconds(5))
        #expect(bench.popup(id)?.stage == .progress)
        bench.complete(id)
        bench.advance(.seconds(1))
        #expect(bench.popup(id) == nil)
    }

    @Test("name, icon and click belong to the program that submitted the task")
    func origin() {
        var bench = PlannerBench()
        let id = bench.run { $0.origin = "org.gimp.GIMP" }
        bench.complete(id, ["/nowhere/picture.png"])
        #expect(bench.popup(id)?.sender.desktopID == "org.gimp.GIMP")
        #expect(bench.popup(id)?.defaultButton?.action == .activate)
        #expect(bench.popup(id)?.buttons == [.open, .showInFolder])
    }

    @Test("9. two outcomes of the same words differ in their bodies")
    func differ() {
        var bench = PlannerBench()
        let (first, second) = (bench.run(), bench.run())
        bench.complete(first)
        bench.complete(second)
        #expect(bench.popup(first)?.body != bench.popup(second)?.body)
    }

    @Test("a popup of a task that was cleared away goes with it")
    func removed() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.complete(id)
        bench.event(.removed, of: id)
        bench.advance(.seconds(1))
        #expect(bench.popups.isEmpty)
    }

    @Test("nothing is due when nothing happens")
    func idle() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(5))
        bench.progress(id, 10)
        bench.complete(id)
        bench.advance(.seconds(10))
        #expect(bench.planner.nextDue(after: bench.now) == nil)
    }
}
