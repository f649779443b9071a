// The plugins of the guide, as they stand in it, do what it says of them.

import BelfryCore
import FoundationEssentials
import Testing

@testable import BelfryPlugins

@Suite("The plugins of the guide", .timeLimit(.minutes(1)))
struct GuidePluginTests {
    private let attempts: Attempts
    private let guide: String

    init() throws {
        attempts = try Attempts()
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        guide = try String(contentsOfFile: "\(root)/Docs/WritingAPlugin.md", encoding: .utf8)
        for block in guide.split(separator: "<!-- file: ").dropFirst() {
            let lines = block.split(separator: "\n", omittingEmptySubsequences: false)
            let body = lines.dropFirst(2).prefix { $0 != "```" }.joined(separator: "\n") + "\n"
            try attempts.directory.write(body, to: String(lines[0].dropLast(4)), mode: 0o755)
        }
    }

    private func film() throws -> ExecFeature { try Attempts.feature(of: attempts.directory.path + "/film") }

    @Test("their manifests are read without a remark", arguments: ["poster", "film"])
    func manifests(plugin: String) {
        let inspection = PluginManifest.inspect(directory: "\(attempts.directory.path)/\(plugin)")
        #expect(inspection.mistakes.isEmpty && inspection.warnings.isEmpty)
        #expect(inspection.manifest?.features.map(\.id) == [plugin])
    }

    @Test("the film goes on where an earlier attempt stopped, on its own card")
    func goesOn() async throws {
        let film = try film()
        let params = try film.accept(["frames": 2], from: nil)
        let context = try attempts.context { $0.deviceEnvironment = ["CUDA_VISIBLE_DEVICES": "0"] }
        #expect(try await film.process(params, context).value == ["frames": 2])
        #expect(attempts.checkpoints == [1, 2])
        #expect(attempts.log == "frame 1, on card 0\nframe 2, on card 0\n")
        let next = try attempts.context { $0.checkpoint = attempts.checkpoints[1] }
        #expect(try await film.process(["frames": 3], next).value == ["frames": 3])
        #expect(attempts.checkpoints == [1, 2, 3])
    }

    @Test("the film waits a minute for its script")
    func snooze() async throws {
        let film = try film()
        let context = try attempts.context()
        let params = try film.accept(["script": "/nowhere/script"], from: nil)
        let snooze = await #expect(throws: TaskSnooze.self) { try await film.process(params, context) }
        #expect(snooze == TaskSnooze(for: .seconds(60), "waiting for /nowhere/script"))
        let here = try film.accept(["script": .string(attempts.directory.path), "frames": 1], from: nil)
        #expect(try await film.process(here, context).value == ["frames": 1])
    }

    @Test("the film needs a card and is tried again as its manifest says")
    func descriptor() throws {
        let descriptor = try film().descriptor
        #expect(descriptor.needs == TaskNeeds(resources: ["gpu": 1]))
        #expect(descriptor.timeouts == TaskTimeouts(attempt: .seconds(3600), idle: .seconds(300)))
        #expect(descriptor.retry.maxAttempts == 5)
        #expect(descriptor.retry.retryOn == ["exit_status"])
        #expect(descriptor.retry.giveUpOn == ["bad_input"])
    }

    @Test("the diary notes what it hears, in the shell's form and in Python's")
    func diary() async throws {
        let root = attempts.directory.path
        let manifest = try String(contentsOfFile: root + "/diary/plugin.json", encoding: .utf8)
        let python = manifest.replacing(
            "\"command\": \"${plugin_dir}/main.sh\"",
            with: "\"command\": \"python3\", \"args\": [\"${plugin_dir}/main.py\"]"
        )
        try attempts.directory.write(python, to: "pydiary/plugin.json")
        for plugin in ["diary", "pydiary"] {
            let file = "\(root)/\(plugin).txt"
            try await hear(plugin, ["file": .string(file)])
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "8 task.completed\n9 task.failed\n")
        }
    }

    /// Delivers a gap and two events to an observer of the guide.
    private func hear(_ name: String, _ settings: JSONObject) async throws {
        let directory = "\(attempts.directory.path)/\(name)"
        let configured = try PluginManifest.load(directory: directory).configured(
            by: settings,
            in: "config.toml"
        )
        let plugin = try InstalledPlugin(
            binding: configured.manifest,
            directory: directory,
            searchPath: "/usr/bin:/bin",
            settings: configured.settings
        )
        let sink = ObserverPluginSink(plugin: plugin, launcher: Attempts.launcher, environment: [:])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await sink.serve() }
            for (position, kind) in [(8, TaskEvent.Kind.completed), (9, .failed)] as [(Int64, TaskEvent.Kind)]
            {
                let json: JSONValue = [
                    "schema": 1, "position": .int(position), "type": .string(kind.rawValue),
                ]
                let cursor = EventCursor(epoch: "e", position: position)
                let event = EventRecord(cursor: cursor, kind: kind, taskID: nil, json: json.encoded)
                let gap = EventGap(epoch: "e", from: 1, to: 7, reason: .pruned)
                try await sink.deliver(SinkBatch(gap: position == 8 ? gap : nil, events: [event]))
            }
            await sink.close()
            group.cancelAll()
        }
    }

    @Test("every key that the guide lists for a feature is read, and its example is right")
    func keys() throws {
        let table = try #require(guide.split(separator: "| in a feature |").last)
        var feature: JSONObject = ["id": "probe"]
        for row in table.split(separator: "\n").dropFirst(2).prefix(while: { $0.hasPrefix("| `") }) {
            let cells = row.split(separator: "|")
            let example = String(cells[1].split(separator: "`")[1])
            for key in cells[0].split(separator: "`") where key.first?.isLetter ?? false {
                feature[String(key)] = try JSONValue(parsing: example)
            }
        }
        #expect(feature.count == 12)
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "true"], "features": [.object(feature)],
        ]
        try attempts.directory.write(manifest.text, to: "plugin.json")
        let inspection = PluginManifest.inspect(directory: attempts.directory.path)
        #expect(inspection.mistakes.isEmpty && inspection.warnings.isEmpty, "\(inspection)")
        // And what the manifest can say, the guide lists.
        let entry = try #require(inspection.manifest?.features.first)
        #expect(Mirror(reflecting: entry).children.count == feature.count + 1, "timeouts are two")
    }
}
