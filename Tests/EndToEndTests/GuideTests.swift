// The guide's examples are run as they stand in it.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Guides")
struct GuideTests {
    /// A fenced block after a marker comment: `<!-- file: PATH -->`, `<!-- run -->`, `<!-- run, fails -->`.
    private struct Block {
        var marker: String
        var text: String
    }

    @Test("the examples of Scheduling.md do what it says, one after the other")
    func scheduling() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[worker]\nconcurrency = 1\n", to: "config.toml")
        let blocks = try blocks("Scheduling.md")
        #expect(blocks.count >= 5)
        var output = ""
        for block in blocks {
            let path = Sandbox.programs + ":/usr/bin:/bin"
            let ran = try await sandbox.run("/bin/sh", ["-ec", block.text], adding: ["PATH": path])
            #expect(ran.status == 0, "\(block.text)\n\(ran.errors)")
            output += ran.output
        }
        #expect(output.contains("(everything is paused: belfry resume)"), "\(output)")
        #expect(output.contains(#/downloads +open +2 +0/#))
        #expect(output.contains(#/morning +0 7 \* \* mon-fri +Europe\/Berlin/#))
        #expect(output.contains("restored \(sandbox.places.store)"))
        let tasks = try await sandbox.belfry("list", "--json").json["tasks"]?.array ?? []
        let started = tasks.filter {
            ["first", "second", "third"].contains($0["title"]?.string?.dropFirst(5))
        }
        .sorted { ($0["startedAt"]?.string ?? "") < ($1["startedAt"]?.string ?? "") }
        #expect(started.map { $0["title"]?.string } == ["echo first", "echo second", "echo third"])
    }

    /// The options of a command and of the commands below it, and the names of all of them.
    private func help(_ words: [String], _ sandbox: Sandbox) async throws -> (
        options: Set<String>, names: [String]
    ) {
        let ran = try await sandbox.run(Sandbox.programs + "/belfry", ["help"] + words)
        #expect(ran.status == 0 && ran.output.contains("OVERVIEW: "), "\(words): \(ran.output)")
        let parts = ran.output.components(separatedBy: "\nSUBCOMMANDS:\n")
        let lines = parts[0].split(separator: "\n").filter { $0.hasPrefix("  -") }
        var options = Set(
            lines.flatMap { line in line.matches(of: #/--[a-z-]+/#).prefix(1).map { String($0.output) } }
        )
        var names = [words.joined(separator: " ")]
        guard parts.count > 1 else { return (options, names) }
        for match in parts[1].matches(of: #/(?m)^  ([a-z]+)(?:, [a-z]+)?(?: \(default\))? /#) {
            let below = try await help(words + [String(match.output.1)], sandbox)
            options.formUnion(below.options)
            names += below.names
        }
        return (options, names)
    }

    @Test("CommandLine.md has every command and every option of those that submit and change, and no other")
    func commandLine() async throws {
        let sandbox = try Sandbox()
        let all = try await help([], sandbox)
        let guide = try String(contentsOfFile: Sandbox.checkout + "/Docs/CommandLine.md", encoding: .utf8)
        let listed = Set(guide.matches(of: #/`(?:[a-z ]*)(--[a-z-]+)/#).map { String($0.output.1) })
        let known = all.options
        #expect(listed.subtracting(known) == [], "named, but not there")
        for command in [
            "run", "add", "batch", "edit", "wait", "cancel", "retry", "clear", "list", "group", "schedule",
        ] {
            let own = try await help([command], sandbox).options
            let missing = own.subtracting(listed).subtracting(["--version", "--help", "--quiet"])
            #expect(missing == [], "of belfry \(command)")
        }
        let groups = ["", "group", "schedule", "feature", "plugin", "sink"]
        for name in all.names where !groups.contains(name) {
            #expect(guide.contains("`\(name)`"), "belfry \(name)")
        }
    }

    private func blocks(_ guide: String) throws -> [Block] {
        let text = try String(contentsOfFile: "\(Sandbox.checkout)/Docs/\(guide)", encoding: .utf8)
        var blocks: [Block] = []
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        while let line = lines.popFirst() {
            guard line.hasPrefix("<!-- "), line.hasSuffix(" -->") else { continue }
            var body: [Substring] = []
            _ = lines.popFirst()
            while let line = lines.popFirst(), line != "```" { body.append(line) }
            let marker = String(line.dropFirst(5).dropLast(4))
            blocks.append(Block(marker: marker, text: body.joined(separator: "\n") + "\n"))
        }
        return blocks
    }

    /// Writes the files of a guide and runs its examples, one after the other; returns all that they said.
    private func play(_ blocks: [Block], in sandbox: Sandbox) async throws -> String {
        var output = ""
        for block in blocks {
            if block.marker.hasPrefix("file: ") {
                try sandbox.write(block.text, to: String(block.marker.dropFirst(6)))
                continue
            }
            let path = Sandbox.programs + ":/usr/bin:/bin"
            let ran = try await sandbox.run("/bin/sh", ["-ec", block.text], adding: ["PATH": path])
            #expect((ran.status != 0) == block.marker.contains("fails"), "\(block.text)\n\(ran.errors)")
            output += ran.output + ran.errors
        }
        return output
    }

    @Test("the plugin of WritingAPlugin.md is written, added and run by what the guide says")
    func writingAPlugin() async throws {
        let sandbox = try Sandbox()
        let blocks = try blocks("WritingAPlugin.md")
        #expect(blocks.map(\.marker).filter { $0.hasPrefix("run") }.count >= 2)
        let output = try await play(blocks, in: sandbox)
        let path = try #require(output.split(separator: "\n").first { $0.hasSuffix("/poster.txt") })
        let poster = try String(contentsOfFile: String(path), encoding: .utf8)
        #expect(poster == String(repeating: "* * * Save the bells * * *\n", count: 3))
        #expect(output.contains("printed 3 copies"))
        #expect(output.contains("copies"), "the refused parameter is named: \(output)")
    }

    @Test("Tutorial.md makes, from one prompt, a picture, a larger one, another face, and a film of both")
    func tutorial() async throws {
        let sandbox = try Sandbox()
        let prepared = Sandbox.checkout + "/.build/bundled-plugins"
        let made = try await sandbox.run(
            Sandbox.checkout + "/Tests/BundledPluginTests/prepare",
            [prepared],
            adding: ProcessInfo.processInfo.environment
        )
        try #require(made.status == 0, "photographs come from PyPI: \(made.errors)")
        for (photo, name) in [("grace_hopper.jpg", "portrait.jpg"), ("astronaut.png", "astronaut.png")] {
            let source = "\(prepared)/pictures/\(photo)"
            try FileManager.default.copyItem(atPath: source, toPath: "\(sandbox.root)/\(name)")
        }
        let blocks = try blocks("Tutorial.md")
        #expect(blocks.count >= 5)
        let output = try await play(blocks, in: sandbox)
        #expect(output.contains("There is no face in 'image'"), "\(output)")

        let tasks = try await sandbox.belfry("list", "--json").json["tasks"]?.array ?? []
        func values(_ feature: String) -> [JSONValue] {
            tasks.filter { $0["featureId"] == .string(feature) }.compactMap { $0["result"]?["value"] }
        }
        let scene = try #require(values("text-to-image").last)
        let large = try #require(values("upscaling").last)
        #expect(scene["width"] == 320 && large["width"] == 1280 && large["height"] == 800)
        #expect(values("face-swap").count == 2)
        #expect(values("face-swap").allSatisfy { $0["swapped"]?.array?.count == 1 })
        let film = try #require(values("video").first { $0["operation"] == "concat" })
        #expect(film["width"] == 1280 && film["height"] == 800 && film["durationSeconds"] == 4)
        #expect(values("video").first { $0["operation"] == "frames" }?["count"] == 4)
    }
}
