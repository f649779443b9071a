// Which running work is on the screen, and what its popup says.

import BelfryCore
import Testing

@testable import BelfryDesktop

@Suite("Progress popups")
struct ProgressTests {
    @Test("a task has a popup only after it has run for three seconds")
    func delay() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.milliseconds(2999))
        #expect(bench.popups.isEmpty)
        bench.advance(.milliseconds(1))
        #expect(bench.popup(id)?.title == "A lighthouse")
    }

    @Test("a task that ends before that has the outcome's popup alone")
    func short() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.progress(id, 50)
        bench.advance(.seconds(1))
        bench.complete(id)
        bench.advance(.seconds(10))
        #expect(bench.sent.map(\.stage) == [.outcome])
    }

    @Test("10. percent stands in the text, and what is left by the rate of this attempt")
    func text() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(3))
        #expect(bench.popup(id)?.body == "text-to-image · running")
        #expect(bench.popup(id)?.percent == nil)
        bench.progress(id, 0)
        bench.advance(.seconds(60))
        bench.progress(id, 25.7, "pass 3 of 12")
        bench.advance(.seconds(1))
        #expect(bench.popup(id)?.body == "text-to-image · 25 % · about 3 min left\npass 3 of 12")
        #expect(bench.popup(id)?.percent == 25)
    }

    @Test("11. progress is urgency low and silent")
    func quietly() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(3))
        #expect(bench.popup(id)?.urgency == .low)
        #expect(bench.popup(id)?.sound == nil)
    }

    @Test("7. ten thousand updates a second change a popup four times a second")
    func flood() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(3))
        let before = bench.sent.count
        for step in 1...10_000 {
            bench.progress(id, Double(step) / 100)
            if step % 100 == 0 { bench.advance(.milliseconds(10)) }
        }
        #expect(bench.sent.count - before <= 4)
        bench.advance(.milliseconds(500))
        #expect(bench.popup(id)?.percent == 100)
    }

    @Test("13. a popup that the person closed stays closed until the outcome, which comes as a new one")
    func dismissed() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(3))
        let first = bench.id(.task(id))
        bench.dismiss(.task(id))
        for percent in 1...20 {
            bench.progress(id, Double(percent))
            bench.advance(.seconds(1))
        }
        #expect(bench.popups.isEmpty)
        bench.complete(id)
        bench.advance(.seconds(1))
        #expect(bench.popup(id)?.stage == .outcome)
        #expect(bench.id(.task(id)) != first)
    }

    @Test("13. what the person closed stays closed when the task is tried again by itself")
    func dismissedAttempt() {
        var bench = PlannerBench()
        let id = bench.run { $0.maxAttempts = 3 }
        bench.advance(.seconds(3))
        bench.dismiss(.task(id))
        bench.fail(id, retrying: true)
        bench.advance(.seconds(1))
        bench.start(id)
        bench.advance(.seconds(10))
        #expect(bench.popups.isEmpty)
        bench.complete(id)
        bench.advance(.seconds(1))
        #expect(bench.popup(id)?.stage == .outcome)
    }

    @Test("13. a retried task is a new one to look at")
    func retried() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(3))
        bench.dismiss(.task(id))
        bench.fail(id)
        bench.event(.retried, of: id)
        bench.advance(.seconds(1))
        #expect(bench.popups.isEmpty, "the outcome is taken back")
        bench.start(id)
        bench.advance(.seconds(3))
        #expect(bench.popup(id)?.stage == .progress)
    }

    @Test("more than three running tasks are one popup, and few again are popups of their own")
    func aggregate() {
        var bench = PlannerBench()
        var ids = (1...3).map { bench.run("Task \($0)") }
        bench.advance(.seconds(3))
        #expect(bench.popups.count == 3)
        ids.append(bench.run("Task 4") { $0.featureID = "video" })
        bench.advance(.seconds(3))
        #expect(bench.titles == ["4 tasks are running"])
        #expect(bench.popup(.running)?.percent == nil, "none of them tells")
        #expect(bench.popup(.running)?.body == "3 × text-to-image, 1 × video")
        bench.progress(ids[0], 100)
        bench.progress(ids[1], 60)
        bench.advance(.seconds(1))
        #expect(bench.popup(.running)?.body == "3 × text-to-image, 1 × video\n40 % on average")
        #expect(bench.popup(.running)?.percent == 40)
        bench.event(.cancelRequested, of: ids[3])
        bench.complete(ids[0])
        bench.advance(.seconds(1))
        #expect(bench.titles.contains("3 tasks are running"), "popups do not come and go with every task")
        bench.complete(ids[1])
        bench.advance(.seconds(1))
        #expect(bench.popup(ids[2])?.stage == .progress)
        #expect(bench.popup(.running) == nil)
    }

    @Test("a thousand running tasks are one popup")
    func thousand() {
        var bench = PlannerBench()
        let ids = (1...1000).map { bench.run("Task \($0)") }
        bench.advance(.seconds(5))
        for id in ids { bench.progress(id, 50) }
        bench.advance(.seconds(1))
        #expect(bench.popup(.running)?.title == "1000 tasks are running")
        #expect(bench.popups.count == 1)
    }

    @Test("the popup for all that runs stays closed until nothing runs")
    func dismissedAggregate() {
        var bench = PlannerBench()
        let ids = (1...5).map { bench.run("Task \($0)") }
        bench.advance(.seconds(3))
        bench.dismiss(.running)
        bench.progress(ids[0], 10)
        bench.advance(.seconds(5))
        #expect(bench.popups.isEmpty)
    }

    @Test("a retry to come is told where the progress was, and the next attempt goes on there")
    func retrying() {
        var bench = PlannerBench()
        let id = bench.run { $0.maxAttempts = 3 }
        bench.advance(.seconds(3))
        bench.fail(id, "The server is busy.", retrying: true)
        bench.advance(.seconds(1))
        #expect(bench.popup(id)?.body == "The server is busy.\nAttempt 1 of 3 failed; trying again soon")
        bench.start(id)
        bench.advance(.seconds(3))
        #expect(bench.popup(id)?.body == "text-to-image · running")
    }

    @Test("an interrupted task's popup goes")
    func interrupted() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(3))
        bench.event(.interrupted, of: id)
        bench.advance(.seconds(1))
        #expect(bench.popups.isEmpty)
    }

    @Test("a task that is being cancelled has no button any more")
    func cancelling() {
        var bench = PlannerBench()
        let id = bench.run()
        bench.advance(.seconds(3))
        bench.event(.cancelRequested, of: id)
        bench.advance(.seconds(1))
        #expect(bench.popup(id)?.body == "Cancelling…")
        #expect(bench.popup(id)?.buttons == [])
    }

    @Test("the submitter decides: no popups, or the outcome only")
    func notify() {
        var bench = PlannerBench()
        let none = bench.run("Silent") { $0.notify = .none }
        let outcome = bench.run("Outcome") { $0.notify = .outcome }
        bench.advance(.seconds(5))
        #expect(bench.popups.isEmpty)
        bench.complete(none)
        bench.complete(outcome)
        bench.advance(.seconds(1))
        #expect(bench.popup(none) == nil)
        #expect(bench.popup(outcome) != nil)
    }

    @Test("a batch is one popup: 7 of 12, 1 failed")
    func batch() throws {
        var bench = PlannerBench()
        var batch = bench.batch("Holiday pictures", of: 12)
        let ids = (1...12).map { bench.add("Picture \($0)") { $0.batchID = batch.id } }
        for (index, id) in ids.prefix(7).enumerated() {
            bench.start(id)
            bench.advance(.seconds(5))
            if index == 3 { batch.failed += 1 } else { batch.completed += 1 }
            bench.batches[batch.id] = batch
            if index == 3 { bench.fail(id) } else { bench.complete(id) }
        }
        bench.advance(.seconds(1))
        let popup = try #require(bench.popup(.batch(batch.id)))
        #expect(popup.title == "Holiday pictures")
        #expect(popup.body.hasPrefix("7 of 12, 1 failed · 58 % · about "))
        #expect(popup.percent == 58)
        #expect(popup.buttons == [.cancel])
        #expect(bench.popups.count == 1, "its tasks have none of their own")
        for id in ids[7...] {
            bench.start(id)
            batch.completed += 1
            bench.batches[batch.id] = batch
            bench.complete(id)
        }
        let id = bench.id(.batch(batch.id))
        bench.event(.batchFinished, of: batch)
        bench.advance(.seconds(1))
        #expect(bench.popup(.batch(batch.id))?.title == "❌ Generation Failed")
        #expect(bench.popup(.batch(batch.id))?.body.hasPrefix("11 of 12 done, 1 failed · ") == true)
        #expect(bench.popup(.batch(batch.id))?.buttons.first == .retryFailed)
        #expect(bench.id(.batch(batch.id)) == id)
        #expect(bench.popups.count == 1)
    }

    @Test("a batch whose submitter wants no popups has none")
    func silentBatch() {
        var bench = PlannerBench()
        var batch = bench.batch("Quiet", of: 1)
        let id = bench.run("One") {
            $0.batchID = batch.id
            $0.notify = .none
        }
        bench.advance(.seconds(5))
        batch.completed = 1
        bench.complete(id)
        bench.event(.batchFinished, of: batch)
        bench.advance(.seconds(1))
        #expect(bench.sent.isEmpty)
    }

    @Test("a batch that the store knows to be over before its last event comes is silent all the same")
    func silentBatchReadEarly() {
        var bench = PlannerBench()
        var batch = bench.batch("Quiet", of: 2)
        let ids = (1...2).map { number in
            bench.run("\(number)") {
                $0.batchID = batch.id
                $0.notify = .none
            }
        }
        batch.completed = 2
        bench.batches[batch.id] = batch
        bench.complete(ids[0])
        bench.advance(.seconds(1))
        bench.complete(ids[1])
        bench.event(.batchFinished, of: batch)
        bench.advance(.seconds(1))
        #expect(bench.sent.isEmpty)
        #expect(bench.planner.batches.isEmpty)
    }

    @Test("a batch that is gone from the store is not asked for again and again")
    func goneBatch() {
        var bench = PlannerBench()
        let batch = bench.batch("Gone", of: 2)
        bench.batches[batch.id] = nil
        bench.complete(bench.run { $0.batchID = batch.id })
        bench.advance(.seconds(10))
        #expect(bench.planner.nextDue(after: bench.now) == nil)
    }

    @Test("a batch that was cancelled as a whole is not told as a success")
    func cancelledBatch() {
        var bench = PlannerBench()
        var batch = bench.batch("Holiday pictures", of: 3)
        batch.completed = 1
        batch.cancelled = 2
        bench.event(.batchFinished, of: batch)
        bench.advance(.seconds(1))
        #expect(bench.popup(.batch(batch.id))?.title == "Cancelled")
        #expect(bench.popup(.batch(batch.id))?.body.hasPrefix("1 of 3 done, 2 cancelled") == true)
        #expect(bench.popup(.batch(batch.id))?.sound == nil)
    }

    @Test("Retry failed acts again on a batch that ended as it did before")
    func batchAgain() {
        var bench = PlannerBench()
        var batch = bench.batch("Holiday pictures", of: 1)
        batch.failed = 1
        bench.event(.batchFinished, of: batch)
        bench.advance(.seconds(1))
        let first = bench.popup(.batch(batch.id))?.scope
        bench.event(.batchFinished, of: batch)
        bench.advance(.seconds(1))
        #expect(bench.popup(.batch(batch.id))?.scope != first)
    }

    @Test("a batch from before the hub began is learned from its tasks")
    func adopted() {
        var bench = PlannerBench()
        var batch = TaskBatch(
            id: IDGenerator().batchID(at: bench.wall),
            title: "Old",
            total: 4,
            createdAt: bench.wall
        )
        batch.completed = 2
        bench.batches[batch.id] = batch
        _ = bench.run("Third") { $0.batchID = batch.id }
        bench.advance(.seconds(4))
        #expect(bench.popup(.batch(batch.id))?.body.hasPrefix("2 of 4 · 50 %") == true)
    }
}
