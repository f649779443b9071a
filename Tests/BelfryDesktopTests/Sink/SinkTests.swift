// The sink against a server that does what no real one does on demand. The numbers are those of the
// checklist in Docs/Desktop.md.

import BelfryCore
import BusTesting
import DBus
import DesktopTesting
import FoundationEssentials
import Testing

@testable import BelfryDesktop

@Suite("The desktop sink", .timeLimit(.minutes(1)))
struct SinkTests {
    @Test("1. Notify has its exact signature, paired actions, and typed empty lists")
    func signature() async throws {
        try await SinkBench.run(capabilities: []) { bench, server in
            let id = try await bench.run()
            let seen = try await server.notification()
            #expect(seen.signature == "susssasa{sv}i")
            #expect(seen.actions.isEmpty, "it can do no actions")
            try await bench.complete(id)
            #expect(server.refused.isEmpty)
        }
    }

    @Test("2. hints have the types that strict servers insist on, and value stays within 0…100")
    func hints() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.progress(id, 1000)
            let seen = try await server.notification { $0.hints["value"] != nil }
            #expect(seen.hints["urgency"] == .byte(0))
            #expect(seen.hints["value"] == .int32(100))
            #expect(seen.hints["suppress-sound"] == .boolean(true))
            try await bench.progress(id, -5)
            try await server.notification { $0.hints["value"] == .int32(0) }
            try await bench.fail(id)
            let outcome = try await server.notification { $0.hints["category"] == .string("transfer.error") }
            #expect(outcome.hints["urgency"] == .byte(1))
            #expect(outcome.hints["value"] == nil)
            #expect(server.refused.isEmpty)
        }
    }

    @Test("3. a server that gives a new id with every update has one popup of ours all the same")
    func newIDs() async throws {
        try await SinkBench.run { bench, server in
            server.answersNewIDs = true
            let id = try await bench.run()
            var last = try await server.notification()
            for percent in [10, 20, 30] {
                try await bench.progress(id, Double(percent))
                let count = server.notifications.count
                let next = try await server.notification(from: count - 1) {
                    $0.hints["value"] == .int32(Int32(percent))
                }
                #expect(next.replacesID == last.id)
                #expect(next.id != last.id)
                last = next
            }
            #expect(server.visible.count == 1)
        }
    }

    @Test("4. and 5. while an answer is awaited nothing more is sent, then the newest state")
    func oneInFlight() async throws {
        try await SinkBench.run { bench, server in
            server.hold([.notify])
            let id = try await bench.run()
            try await server.notification()
            for percent in 1...100 { try await bench.progress(id, Double(percent)) }
            try await bench.complete(id)
            #expect(server.notifications.count == 1)
            server.release()
            let seen = try await server.notifications(count: 2)
            #expect(seen[1].summary == "✨ Generation Complete!")
            #expect(seen[1].replacesID == seen[0].id)
        }
    }

    @Test("6. a task that is cancelled before the answer leaves no popup")
    func cancelledEarly() async throws {
        try await SinkBench.run { bench, server in
            server.hold([.notify])
            let id = try await bench.run()
            try await server.notification()
            try await bench.event(.cancelled, of: id)
            server.release()
            try await server.calls(of: .closeNotification, count: 1)
            #expect(server.visible.isEmpty)
        }
    }

    @Test("8. progress that changes nothing to be seen sends nothing")
    func unchanged() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.progress(id, 10.1)
            try await server.notification { $0.hints["value"] == .int32(10) }
            let count = server.notifications.count
            for step in 1...50 { try await bench.progress(id, 10 + Double(step) / 100) }
            try await bench.progress(id, 11)
            try await server.notification { $0.hints["value"] == .int32(11) }
            #expect(server.notifications.count == count + 1)
        }
    }

    @Test("9. 'too many notifications': the id is kept and the newest state comes a second later")
    func excess() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            let first = try await server.notification()
            server.failNext(1, FaultyNotificationServer.excess)
            try await bench.complete(id)
            let last = try await server.notification {
                $0.summary == "✨ Generation Complete!" && $0.id != nil
            }
            #expect(last.replacesID == first.id)
            #expect(server.visible.count == 1)
        }
    }

    @Test("10. and 11. percent stands in the text, and progress is low and silent")
    func progressText() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.progress(id, 42, "pass 2 of 4")
            let seen = try await server.notification { $0.hints["value"] == .int32(42) }
            #expect(seen.summary == "A lighthouse")
            #expect(seen.body == "text-to-image · 42 %\npass 2 of 4")
            #expect(seen.hints["urgency"] == .byte(0))
            #expect(seen.hints["suppress-sound"] == .boolean(true))
            #expect(seen.timeout == 0, "it stays until it is replaced")
        }
    }

    @Test("12. completion replaces the progress popup: same id, no value, other buttons, a sound")
    func completion() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.progress(id, 50)
            let running = try await server.notification { $0.hints["value"] == .int32(50) }
            #expect(running.actions.map(\.label) == ["Cancel"])
            try await bench.complete(id, ["/nowhere/picture.png"])
            let done = try await server.notification { $0.summary == "✨ Generation Complete!" }
            #expect(done.replacesID == running.id)
            #expect(done.hints["value"] == nil)
            #expect(done.hints["sound-name"] == .string("complete"))
            #expect(done.actions.map(\.label) == ["Open", "Open", "Show in folder"])
            #expect(done.actions.first?.key == "default")
            #expect(done.timeout == -1)
        }
    }

    @Test("13. a progress popup that the person closed is not opened again; the outcome is a new one")
    func dismissed() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            let first = try #require(try await server.notification().id)
            try server.close(first, reason: 2)
            try await bench.sink.heard { $0.attempts[id]?.isDismissed == true }
            try await bench.progress(id, 50)
            try await bench.complete(id)
            let all = try await server.notifications(count: 2)
            #expect(all[1].summary == "✨ Generation Complete!")
            #expect(all[1].replacesID == 0)
        }
    }

    @Test("14. a popup whose time was over is not a cancel")
    func expired() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try server.close(try #require(try await server.notification().id), reason: 1)
            try await bench.sink.heard { $0.attempts[id]?.isDismissed == true }
            try await bench.complete(id)
            try await server.notification { $0.summary == "✨ Generation Complete!" }
            #expect(bench.control.calls.isEmpty)
        }
    }

    @Test(
        "15. markup is escaped if and only if the server has it; 16. the title never is",
        arguments: [true, false]
    )
    func markup(hasMarkup: Bool) async throws {
        let capabilities = FaultyNotificationServer.usualCapabilities.filter { $0 != "body-markup" }
        try await SinkBench.run(capabilities: capabilities + (hasMarkup ? ["body-markup"] : [])) {
            bench,
            server in
            let id = try await bench.run("<b>Tom</b> & Jerry\nthe <img> \"movie\"")
            try await bench.progress(id, 1, "<i>5</i> & <a href='x'>7</a>")
            let seen = try await server.notification { $0.hints["value"] != nil }
            #expect(seen.summary == "<b>Tom</b> & Jerry the <img> \"movie\"")
            let text = "<i>5</i> & <a href='x'>7</a>"
            let escaped = "&lt;i&gt;5&lt;/i&gt; &amp; &lt;a href='x'&gt;7&lt;/a&gt;"
            #expect(seen.body.hasSuffix(hasMarkup ? escaped : text), "\(seen.body)")
        }
    }

    @Test("17. and 18. controls go, and a title of 10 MB breaks nothing")
    func sizes() async throws {
        try await SinkBench.run { bench, server in
            let huge = String(repeating: "👨‍👩‍👧‍👦 \u{0}\u{1b}[31m", count: 400_000)
            let id = try await bench.run(huge) { $0.userID = "x" }
            try await bench.fail(id, TaskFailure("x", huge))
            let seen = try await server.notification { $0.summary == "❌ Generation Failed" }
            #expect(seen.body.utf8.count <= 4096 * 5)
            #expect(!seen.body.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
            let other = try await bench.run("Next")
            try await server.notification { $0.summary == "Next" }
            try await bench.complete(other)
        }
    }

    @Test(
        "19. without the capability there are no actions; 20. else at most three buttons and a labelled default"
    )
    func actions() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.fail(id)
            let seen = try await server.notification { $0.summary == "❌ Generation Failed" }
            let buttons = seen.actions.filter { $0.key != "default" }
            #expect(buttons.map(\.label) == ["Retry", "Details"])
            #expect(seen.label(of: "default") == "Details")
            #expect(seen.actions.allSatisfy { !$0.label.isEmpty })
        }
        try await SinkBench.run(capabilities: ["body"]) { bench, server in
            let id = try await bench.run()
            try await bench.fail(id)
            let seen = try await server.notification { $0.summary == "❌ Generation Failed" }
            #expect(seen.actions.isEmpty)
        }
    }

    @Test("20. more buttons than three are not sent, and none twice where the default is drawn as a button")
    func manyButtons() {
        var popup = Popup.outcome([.retry, .details, .open, .showInFolder, .cancel])
        popup.defaultButton = .open
        func actions(_ server: String) -> [String]? {
            FreedesktopMessage.arguments(
                popup,
                replacing: 0,
                generation: 7,
                abilities: .init(capabilities: ["actions"], habits: .init(of: server))
            )[5].stringsValue
        }
        let common = ["default", "Open", "retry@7", "Retry", "details@7", "Details"]
        #expect(actions("dunst") == common + ["open@7", "Open"])
        #expect(actions("Xfce Notify Daemon") == common + ["show@7", "Show in folder"])
    }

    @Test("21. and 22. stale, unknown and repeated clicks do nothing")
    func staleClicks() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.fail(id)
            let failed = try await server.notification { $0.summary == "❌ Generation Failed" }
            let popup = try #require(failed.id)
            let retry = try #require(failed.actions.first { $0.label == "Retry" }?.key)
            try server.invoke(popup + 100, retry)
            try server.invoke(popup, "rm -rf")
            try server.invoke(popup, retry)
            try server.invoke(popup, retry)
            _ = try await bench.control.calls(count: 1)
            let other = try await bench.run("Another")
            let running = try await server.notification { $0.summary == "Another" }
            let cancel = try #require(running.actions.first?.key)
            try server.invoke(popup, cancel)
            try server.invoke(try #require(running.id), retry)
            try server.invoke(try #require(running.id), cancel)
            let calls = try await bench.control.calls(count: 2)
            #expect(calls == [.retry(id), .cancel(other)])
        }
    }

    @Test("23. signals of anybody but the owner are ignored")
    func spoofed() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            let seen = try await server.notification()
            let (popup, cancel) = (try #require(seen.id), try #require(seen.actions.first?.key))
            try await server.spoof(.actionInvoked(cancel), for: popup)
            try await server.spoof(.closed(reason: 2), for: popup)
            try await bench.progress(id, 77)
            try await server.notification { $0.hints["value"] == .int32(77) }
            #expect(bench.control.calls.isEmpty)
            try server.invoke(popup, cancel)
            #expect(try await bench.control.calls(count: 1) == [.cancel(id)])
        }
    }

    @Test("24. a click that comes right before the answer is carried out")
    func earlyClick() async throws {
        try await SinkBench.run { bench, server in
            server.signalJustBeforeReply(.actionInvoked("cancel@1"))
            let id = try await bench.run()
            #expect(try await bench.control.calls(count: 1) == [.cancel(id)])
        }
    }

    @Test("25. the activation token goes to what is opened, and not to what is opened next")
    func activationToken() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.complete(id, ["/nowhere/a picture.png"])
            let done = try await server.notification { $0.summary == "✨ Generation Complete!" }
            let popup = try #require(done.id)
            try server.invoke(popup, "default", token: "token-1")
            let first = try await bench.opener.opened(count: 1)
            #expect(first == [.init(what: "file:///nowhere/a%20picture.png", token: "token-1")])
            try server.invoke(popup, try #require(done.actions.first { $0.label == "Show in folder" }?.key))
            let second = try await bench.opener.opened(count: 2)
            #expect(second[1] == .init(what: "file:///nowhere", token: nil), "no file manager is on this bus")
        }
    }

    @Test("26. the server dies: what runs is shown by the next one, what is over is not")
    func killed() async throws {
        try await SinkBench.run { bench, server in
            let (over, running) = (try await bench.run("Over"), try await bench.run("Running"))
            try await bench.complete(over)
            try await server.visible {
                $0.count == 2 && $0.values.contains { $0.summary == "✨ Generation Complete!" }
            }
            await server.vanish()
            let next = try await FaultyNotificationServer.open(on: bench.bus.address)
            let seen = try await next.notification()
            #expect(seen.summary == "Running")
            #expect(seen.replacesID == 0)
            try await bench.complete(running)
            try await next.notification { $0.summary == "✨ Generation Complete!" }
            #expect(next.notifications.count == 2)
            await next.vanish()
        }
    }

    @Test("27. another server takes over without a gap: the same, and what it can do is asked again")
    func swapped() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            let old = try await server.notification()
            let next = try await server.swapOwner(capabilities: ["body"])
            let seen = try await next.notification()
            #expect(seen.replacesID == 0)
            #expect(seen.actions.isEmpty, "the new one has none")
            try server.invoke(try #require(old.id), try #require(old.actions.first?.key))
            try await bench.complete(id)
            try await next.notification { $0.summary == "✨ Generation Complete!" }
            #expect(bench.control.calls.isEmpty, "the old server is nobody now")
            #expect(server.notifications.count == 1)
            await next.vanish()
        }
    }

    @Test("28. what the server can do is asked again after an error")
    func capabilities() async throws {
        try await SinkBench.run { bench, server in
            let first = try await bench.run("First")
            try await server.notification { !$0.actions.isEmpty }
            server.capabilities = ["body"]
            server.failNext(1, FaultyNotificationServer.excess)
            try await bench.fail(first)
            let seen = try await server.notification { $0.summary == "❌ Generation Failed" && $0.id != nil }
            #expect(seen.actions.isEmpty)
        }
    }

    @Test("29. without a server work goes on, one line says so, and popups come when there is one")
    func noServer() async throws {
        try await SinkBench.run { bench in
            let id = try await bench.run("Running")
            try await bench.log.line("no notification server")
            #expect(bench.sink.remark == "there is no notification server")
            for number in 1...50 { try await bench.complete(try await bench.run("Task \(number)")) }
            let server = try await FaultyNotificationServer.open(on: bench.bus.address)
            try await server.visible { $0.values.contains { $0.summary == "Running" } && $0.count >= 2 }
            #expect(bench.log.lines.filter { $0.contains("no popups") }.count == 1)
            #expect(bench.sink.remark == nil)
            #expect(server.notifications.count < 10)
            try await bench.complete(id)
            await server.vanish()
        }
    }

    @Test("30. a server that cannot be started is asked for once, not with every event")
    func activation() async throws {
        let log = "/tmp/belfry-activation-\(UInt64.random(in: 0...(.max)))"
        let bus = try await PrivateBus(services: [
            FaultyNotificationServer.name: "/bin/sh -c 'echo started >> \(log); exit 1'"
        ])
        try await SinkBench.run(bus: bus) { bench in
            let id = try await bench.run()
            try await bench.log.line("no notification server")
            for percent in 1...100 { try await bench.progress(id, Double(percent)) }
            for number in 1...20 { try await bench.complete(try await bench.run("Task \(number)")) }
            let server = try await FaultyNotificationServer.open(on: bus.address)
            try await server.notification()
            await server.vanish()
        }
        #expect(try String(contentsOfFile: log, encoding: .utf8) == "started\n")
    }

    @Test("31. the bus dies: the program lives, and the popups of what runs are back with the next bus")
    func busKilled() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await server.notification()
            bench.bus.kill()
            try await bench.log.line("no session bus")
            try await bench.progress(id, 60)
            try await bench.bus.restart()
            let next = try await FaultyNotificationServer.open(on: bench.bus.address)
            let seen = try await next.notification { $0.hints["value"] == .int32(60) }
            #expect(seen.replacesID == 0)
            try await bench.complete(id)
            try await next.notification { $0.summary == "✨ Generation Complete!" }
            await next.vanish()
        }
    }

    @Test("31. without a bus at all the sink takes everything and says so once")
    func noBus() async throws {
        let bus = try await PrivateBus()
        bus.kill()
        try await SinkBench.run(bus: bus) { bench in
            let id = try await bench.run()
            try await bench.log.line("no session bus")
            try await bench.progress(id, 60)
            try await bench.complete(id)
            #expect(bench.log.lines.count == 1)
        }
    }

    @Test("32. a hung server harms nobody, and a late answer leaves no orphan")
    func hung() async throws {
        try await SinkBench.run(timeout: .milliseconds(100)) { bench, server in
            server.hold()
            let id = try await bench.run()
            try await server.calls(of: .getCapabilities, count: 1)
            for number in 1...20 { try await bench.complete(try await bench.run("Task \(number)")) }
            server.release()
            try await bench.complete(id)
            try await server.visible { !$0.isEmpty }
            server.hold([.notify], shown: true)
            let late = try await bench.run("Late")
            try await server.notification { $0.summary == "Late" }
            try await bench.sink.heard { $0.board.inFlightCount == 0 }
            try await bench.event(.cancelled, of: late)
            server.release()
            try await server.visible { !$0.values.contains { $0.summary == "Late" } }
        }
    }

    @Test("32. that the server hangs is told once, and its recovery")
    func hungIsTold() async throws {
        try await SinkBench.run(timeout: .milliseconds(50)) { bench, server in
            server.hold()
            _ = try await bench.run()
            try await bench.log.line("the notification server does not answer")
            #expect(bench.sink.remark == "the notification server does not answer")
            server.release()
            try await eventually("popups to reach somebody again") { bench.sink.remark == nil ? true : nil }
            #expect(bench.log.lines.count == 2)
        }
    }

    @Test("33. everything comes from one connection")
    func oneConnection() async throws {
        try await SinkBench.run { bench, server in
            for number in 1...3 { try await bench.complete(try await bench.run("Task \(number)")) }
            let seen = try await server.notifications(count: 3)
            #expect(Set(seen.map(\.sender)).count == 1)
        }
    }

    @Test("34. a burst of completions is a summary whose Retry failed retries what failed")
    func burst() async throws {
        try await SinkBench.run { bench, server in
            var failed: TaskID?
            for number in 1...30 {
                let id = try await bench.run("Task \(number)")
                if number == 20 {
                    failed = id
                    try await bench.fail(id)
                } else {
                    try await bench.complete(id)
                }
            }
            let visible = try await server.visible { popups in
                popups.count == 1 && popups.values.contains { $0.summary == "30 tasks finished, 1 failed" }
            }
            let (id, popup) = try #require(visible.first)
            try server.invoke(id, try #require(popup.actions.first { $0.label == "Retry failed" }?.key))
            #expect(try await bench.control.calls(count: 1) == [.retry(try #require(failed))])
        }
    }

    @Test("35. a shutdown takes progress away, leaves outcomes, and takes at most half a second")
    func shutdown() async throws {
        try await SinkBench.run { bench, server in
            let (over, running) = (try await bench.run("Over"), try await bench.run("Running"))
            try await server.visible { $0.count == 2 }
            try await bench.complete(over)
            _ = running
            await bench.sink.close()
            let left = try await server.visible { $0.count == 1 }
            #expect(left.values.map(\.summary) == ["✨ Generation Complete!"])
        }
    }

    @Test("35. a server that hangs does not hold up the shutdown")
    func hungShutdown() async throws {
        try await SinkBench.run { bench, server in
            server.hold([.notify])
            _ = try await bench.run()
            try await server.notification()
            // Ends by itself after 400 ms; the test's own limit stands for a machine of any speed.
            await bench.sink.close()
        }
    }

    @Test("36. desktop-entry, category and transient are as the specification has them")
    func identity() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run { $0.origin = "org.gimp.GIMP.desktop" }
            let running = try await server.notification()
            #expect(running.hints["desktop-entry"] == .string("org.gimp.GIMP"))
            #expect(running.hints["category"] == .string("transfer"))
            #expect(running.hints["x-belfry-task"] == .string("\(id)"))
            #expect(running.hints["transient"] == nil)
            try await bench.complete(id)
            let done = try await server.notification { $0.hints["category"] == .string("transfer.complete") }
            #expect(done.hints["transient"] == nil)
            let own = try await bench.run("Own")
            let seen = try await server.notification { $0.summary == "Own" }
            #expect(seen.hints["desktop-entry"] == .string("belfry"))
            #expect(seen.appName == "Belfry")
            try await bench.fail(own)
            try await server.notification { $0.hints["category"] == .string("transfer.error") }
        }
    }
}

extension DesktopSink {
    /// Returns when the planner is in a state that no message tells of.
    func heard(_ isThere: @escaping @Sendable (PopupPlanner) -> Bool) async throws {
        try await eventually("the planner's state") { isThere(await self.director.planner) ? true : nil }
    }
}
