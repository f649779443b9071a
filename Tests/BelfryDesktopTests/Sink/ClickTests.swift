// Clicks come late, twice, from others, or before the answer that tells whose they are. The numbers are those
// of the checklist in Docs/Desktop.md.

import BelfryCore
import DBus
import DesktopTesting
import Testing

@testable import BelfryDesktop

@Suite("Clicks on popups", .timeLimit(.minutes(1)))
struct ClickTests {
    @Test("21. and 22. stale, unknown and repeated clicks do nothing")
    func staleClicks() async throws {
        try await SinkBench.run { bench, server in
            let id = try await bench.run()
            try await bench.fail(id)
            let failed = try await server.notification { $0.summary == "❌ Generation Failed" }
            let popup = try #require(failed.id)
            let retry = try #require(failed.actions.first { $0.label == "Retry" }?.key)
            try await server.invoke(popup + 100, retry)
            try await server.invoke(popup, "rm -rf")
            try await server.invoke(popup, retry)
            try await server.invoke(popup, retry)
            _ = try await bench.control.calls(count: 1)
            let other = try await bench.run("Another")
            let running = try await server.notification { $0.summary == "Another" }
            let cancel = try #require(running.actions.first?.key)
            try await server.invoke(popup, cancel)
            try await server.invoke(try #require(running.id), retry)
            try await server.invoke(try #require(running.id), cancel)
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
            try await server.invoke(popup, cancel)
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
            try await server.invoke(popup, "default", token: "token-1")
            let first = try await bench.opener.opened(count: 1)
            #expect(first == [.init(what: "file:///nowhere/a%20picture.png", token: "token-1")])
            try await server.invoke(
                popup,
                try #require(done.actions.first { $0.label == "Show in folder" }?.key)
            )
            let second = try await bench.opener.opened(count: 2)
            #expect(second[1] == .init(what: "file:///nowhere", token: nil), "no file manager is on this bus")
        }
    }
}
