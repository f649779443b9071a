// The examples of the guides that are programs, run as the guides say.

import BelfryCore
import FoundationEssentials
import Testing

@Suite("Examples", .timeLimit(.minutes(5)))
struct ExampleTests {
    @Test("a program that embeds Belfry runs its tasks, and its sink is told of every event")
    func embedding() async throws {
        let sandbox = try Sandbox()
        let ran = try await sandbox.run(Sandbox.programs + "/example-embedding", [sandbox.root])
        #expect(ran.status == 0, "\(ran.errors)")
        let answers = ran.lines.filter { !$0.hasPrefix("event ") }
        #expect(answers == ["completed Hello, Ada!", "completed Hello, Grace!"])
        #expect(
            ran.lines.filter { $0.hasPrefix("event ") } == [
                "event 1 task.added #1", "event 2 task.started #1", "event 3 task.completed #1",
                "event 4 task.added #2", "event 5 task.started #2", "event 6 task.completed #2",
            ]
        )
        // The store is there for the next run: its events go on where they stopped.
        let again = try await sandbox.run(Sandbox.programs + "/example-embedding", [sandbox.root])
        #expect(again.output.contains("event 7 task.added #3"), "\(again.output)")
    }

    @Test("the guide to embedding shows the example as it is compiled here")
    func guide() throws {
        let docs = Sandbox.checkout + "/Docs/"
        let source = try String(contentsOfFile: docs + "Examples/Embedding/Main.swift", encoding: .utf8)
        let start = try #require(source.firstRange(of: "import ")).lowerBound
        let guide = try String(contentsOfFile: docs + "Embedding.md", encoding: .utf8)
        #expect(guide.contains(source[start...]))
    }

    @Test(
        "the plugin of one Swift type counts words through the hub, and is refused what its type is not",
        arguments: [["--exec"], []]
    )
    func swiftPlugin(_ options: [String]) async throws {
        let sandbox = try Sandbox()
        try await sandbox.addSwiftPlugin("example-word-count", id: "word-count", options)
        // Its own words about the feature are laid over those that are made of its type.
        let valid = try await sandbox.belfry("plugin", "validate", "word-count")
        #expect(valid.output == "ok: word-count 1.0.0, \(options.isEmpty ? "mcp" : "exec/1"): word-count\n")
        let task = try await sandbox.belfry(
            "run",
            "--json",
            "word-count",
            "text=to be or not to be",
            "longest=2"
        ).json
        #expect(task["status"] == "completed", "\(task.text)")
        #expect(task["result"]?["value"] == ["count": 5])
        #expect(task["params"]?["unit"] == "words")
        #expect(try await sandbox.belfry("log", "last").output.contains("counted 6 words"))
        let none = try await sandbox.belfry("run", "--json", "word-count", "text=immeasurable", "longest=2")
            .json
        #expect(
            none["error"]?["code"] == "nothing" && none["error"]?["fix"] == "Give some text.",
            "\(none.text)"
        )
        let wrong = try await sandbox.belfry("run", "word-count", "text=a", "unit=letters")
        #expect(wrong.status == 64 && wrong.errors.contains("unit"), "\(wrong.errors)")
    }

    @Test("the same plugin is a server for any client of MCP", arguments: AgentTests.Driver.all)
    func swiftPluginOverMCP(_ driver: AgentTests.Driver) async throws {
        let sandbox = try Sandbox()
        let answers = try await driver.drive(
            [Sandbox.programs + "/example-word-count"],
            [
                ["word-count", ["text": "to be or not to be", "longest": 2]],
                ["word-count", ["text": "a", "unit": "letters"]],
                ["word-count", ["text": "immeasurable", "longest": 2]],
            ],
            sandbox
        )
        let tool = try #require(answers[0]["tools"]?.array?.first)
        #expect(tool["inputSchema"]?["properties"]?["unit"]?["enum"] == ["words", "lines"])
        #expect(answers[1]["structuredContent"] == ["count": 5])
        #expect(answers[1]["told"]?.array?.isEmpty == false)
        #expect(answers[2]["isError"] == true)
        #expect(answers[2]["content"]?.array?.first?["text"]?.string?.contains("words, lines") == true)
        #expect(answers[3]["content"]?.array?.first?["text"]?.string?.contains("Give some text.") == true)
    }
}
