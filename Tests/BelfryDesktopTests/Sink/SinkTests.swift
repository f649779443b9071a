// The popups of one task and of many, on a server that does what no real one does on demand. The numbers are
// those of the checklist in Docs/Desktop.md.

import BelfryCore
import DBus
import DesktopTesting
import Testing

@testable import BelfryDesktop

@Suite("The desktop sink", .timeLimit(.minutes(1)))
struct SinkTests {
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
            try await server.close(first, reason: 2)
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
            try await server.close(try #require(try await server.notification().id), reason: 1)
            try await bench.sink.heard { $0.attempts[id]?.isDismissed == true }
            try await bench.complete(id)
            try await server.notification { $0.summary == "✨ Generation Complete!" }
            #expect(bench.control.calls.isEmpty)
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
            try await server.invoke(id, try #require(popup.actions.first { $0.label == "Retry failed" }?.key))
            #expect(try await bench.control.calls(count: 1) == [.retry(try #require(failed))])
        }
    }
}
