// Pins between scans: what was changed behind a registry's back is not started.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import BelfryPlugins

@Suite("A pinned plugin before each start", .timeLimit(.minutes(1)))
struct PinnedFilesTests {
    private let attempts: Attempts
    private let clock = ManualLeaseClock()
    private let registry: PluginRegistry
    private var root: TestDirectory { attempts.directory }

    init() throws {
        attempts = try Attempts()
        registry = PluginRegistry(
            places: PluginRegistry.Places(
                bundled: [],
                system: [],
                user: attempts.directory.path + "/plugins",
                searchPath: "/usr/bin:/bin"
            ),
            clocks: Clocks(lease: clock)
        )
    }

    /// Adds a plugin of one script and `files` more.
    private func add(_ wire: String = "exec/1", kind: String = "feature", files: Int = 1) throws
        -> InstalledPlugin
    {
        var manifest: JSONObject = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": .string(kind),
            "runner": ["protocol": .string(wire), "command": "${plugin_dir}/main.sh"],
        ]
        if kind == "feature" { manifest["features"] = [["id": "probe"]] }
        try root.write(JSONValue.object(manifest).text, to: "source/plugin.json")
        try root.write("#!/bin/sh\ntouch ran\necho '::result 1'\n", to: "source/main.sh", mode: 0o755)
        for number in 0..<files { try root.write("one", to: "source/lib/\(number).txt") }
        _ = try registry.add(directory: root.path + "/source", link: false)
        return try #require(registry.scan().ready.first)
    }

    private func feature(_ plugin: InstalledPlugin) throws -> ExecFeature {
        try ExecFeature(
            plugin: plugin,
            entry: plugin.manifest.features[0],
            launcher: Attempts.launcher,
            environment: ["PATH": "/usr/bin:/bin"]
        )
    }

    private func write(_ text: String, to file: String) throws {
        try text.write(toFile: file, atomically: false, encoding: .utf8)
    }

    @Test(
        "whose files were changed since the last scan runs nothing, and has the hub look again",
        arguments: ["changed", "added", "missing"]
    )
    func change(_ how: String) async throws {
        let looks = Mutex(0)
        registry.setOnPinsBroken { looks.withLock { $0 += 1 } }
        let plugin = try add()
        let feature = try feature(plugin)
        let context = try attempts.context()
        #expect(try await feature.process([:], context).value == 1)
        try FileManager.default.removeItem(atPath: context.outputDirectory + "/ran")
        switch how {
        case "changed": try write("two", to: plugin.directory + "/lib/0.txt")
        case "added": try write("two", to: plugin.directory + "/lib/more.txt")
        default: unlink(plugin.directory + "/lib/0.txt")
        }
        let failure = await #expect(throws: TaskFailure.self) { try await feature.process([:], context) }
        #expect(failure?.code == "plugin_changed" && failure?.isRetryable == false)
        #expect(failure?.message.contains(how) == true, "\(failure?.message ?? "")")
        #expect(failure?.fix?.contains("belfry plugin update probe") == true)
        #expect(!FileManager.default.fileExists(atPath: context.outputDirectory + "/ran"))
        #expect(looks.withLock { $0 } == 1)
        #expect(registry.scan()["probe"]?.state.name == "invalid")
    }

    @Test("whose files were only touched is started, and only what was touched is read")
    func touched() async throws {
        let plugin = try add(files: 5)
        try plugin.checkPins()
        let before = registry.cache.reads.hashes
        try write("one", to: plugin.directory + "/lib/3.txt")
        try plugin.checkPins()
        #expect(registry.cache.reads.hashes == before + 1)
        try plugin.checkPins()
        #expect(registry.cache.reads.hashes == before + 1)
    }

    @Test("with more than a hundred files is looked at once in a second")
    func large() async throws {
        let plugin = try add(files: 120)
        try plugin.checkPins()
        try write("two", to: plugin.directory + "/lib/77.txt")
        try plugin.checkPins()
        clock.advance(by: .seconds(1))
        #expect(throws: TaskFailure.self) { try plugin.checkPins() }
        // A failed look vouches for nothing.
        #expect(throws: TaskFailure.self) { try plugin.checkPins() }
    }

    @Test("that serves MCP does not start its server when a file was changed")
    func server() async throws {
        let plugin = try add("mcp")
        try write("two", to: plugin.directory + "/lib/0.txt")
        let host = try Servers().host(plugin)
        let failure = await #expect(throws: TaskFailure.self) { try await host.listTools() }
        #expect(failure?.code == "plugin_changed")
        #expect(!FileManager.default.fileExists(atPath: plugin.directory + "/ran"))
    }

    @Test("that observes does not start when a file was changed")
    func observer() async throws {
        let plugin = try add("observer/1", kind: "observer")
        try write("two", to: plugin.directory + "/lib/0.txt")
        let sink = ObserverPluginSink(
            plugin: plugin,
            launcher: Attempts.launcher,
            environment: ["PATH": "/usr/bin:/bin"]
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await sink.serve() }
            let task = BackgroundTask(
                NewTask(featureID: "noop"),
                id: IDGenerator().taskID(at: SystemWallClock().now),
                number: 1,
                at: SystemWallClock().now
            )
            let event = TaskEvent(
                cursor: EventCursor(epoch: "e", position: 1),
                time: SystemWallClock().now,
                draft: TaskEvent.Draft(.added, task: TaskSummary(task))
            )
            await #expect(throws: SinkError.self) {
                try await sink.deliver(SinkBatch(events: [EventRecord(event)]))
            }
            if case .backoff(let reason) = sink.condition {
                #expect(reason.contains("lib/0.txt was changed"), "\(reason)")
            } else {
                Issue.record("\(sink.condition)")
            }
            await sink.close()
        }
        #expect(!FileManager.default.fileExists(atPath: plugin.directory + "/ran"))
    }
}
