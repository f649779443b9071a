// What is sent for a popup, to the byte: servers are strict, and no two of them alike. The numbers are those
// of the checklist in Docs/Desktop.md.

import BelfryCore
import DBus
import DesktopTesting
import FoundationEssentials
import Testing

@testable import BelfryDesktop

@Suite("What the desktop sink sends", .timeLimit(.minutes(1)))
struct MessageTests {
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
