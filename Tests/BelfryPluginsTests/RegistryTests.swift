// Plugins on disk: found, added, removed, and never hidden when they are broken.

import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@testable import BelfryPlugins

@Suite("The plugin registry")
struct RegistryTests {
    private let root = Directory()

    private func registry(searchPath: String = "/usr/bin:/bin") -> PluginRegistry {
        PluginRegistry(
            places: PluginRegistry.Places(
                bundled: [root.path + "/bundled"],
                system: [root.path + "/system"],
                user: root.path + "/user",
                searchPath: searchPath
            ),
            reservedFeatureIDs: ["shell"]
        )
    }

    /// Writes a plugin and gives its directory.
    @discardableResult
    private func write(
        _ place: String,
        _ id: String,
        feature: String? = nil,
        change: (inout JSONObject) -> Void = { _ in }
    ) throws -> String {
        let directory = "\(root.path)/\(place)/\(id)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var manifest: JSONObject = [
            "manifest_version": 1, "id": .string(id), "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "${plugin_dir}/main.sh"],
            "features": [["id": .string(feature ?? id)]],
        ]
        change(&manifest)
        try JSONValue.object(manifest).text.write(
            toFile: directory + "/plugin.json",
            atomically: true,
            encoding: .utf8
        )
        try "#!/bin/sh\n".write(toFile: directory + "/main.sh", atomically: true, encoding: .utf8)
        chmod(directory + "/main.sh", 0o755)
        return directory
    }

    @Test("finds plugins in all places; directories that are not there are no error")
    func scan() throws {
        #expect(registry().scan().plugins.isEmpty)
        try write("bundled", "one")
        try write("system", "two")
        let snapshot = registry().scan()
        #expect(snapshot.plugins.map(\.id).sorted() == ["one", "two"])
        #expect(snapshot.ready.count == 2)
    }

    @Test("an id or a feature that is there twice: the first serves, the other is shown with the reason")
    func duplicates() throws {
        try write("bundled", "one")
        try write("system", "one")
        try write("system", "two", feature: "one")
        let snapshot = registry().scan()
        #expect(snapshot.ready.map(\.directory) == [root.path + "/bundled/one"])
        let invalid = snapshot.plugins.filter { $0.state.name == "invalid" }
        #expect(invalid.count == 2)
        #expect(invalid.allSatisfy { $0.state.problem?.reason.contains("one") == true })
    }

    @Test("a plugin may not serve what is built in")
    func reserved() throws {
        try write("system", "mine", feature: "shell")
        #expect(registry().scan().plugins.first?.state.name == "invalid")
        let source = try write("source", "other", feature: "shell")
        let error = #expect(throws: BelfryError.self) { try registry().add(directory: source, link: false) }
        #expect(error?.code == .conflict)
    }

    @Test(
        "a broken manifest says what is wrong where",
        arguments: [
            ("manifest_version", "9"), ("id", "\"Not An Id\""), ("version", "\"soon\""),
            ("kind", "\"magic\""),
            ("runner", #"{"protocol":"telepathy","command":"x"}"#), ("runner", #"{"protocol":"exec/1"}"#),
            ("features", "[]"), ("features", #"[{"id":"x","params":{"type":"objet"}}]"#),
            ("runner", #"{"protocol":"exec/1","command":"${plugin_dri}/x"}"#),
            ("runner", #"{"protocol":"exec/1","command":"x","pass_env":["A=B"]}"#),
        ]
    )
    func broken(key: String, value: String) throws {
        let value = try JSONValue(parsing: value)
        try write("system", "broken") { $0[key] = value }
        let plugin = try #require(registry().scan().plugins.first)
        #expect(plugin.state.name == "invalid")
        let problem = try #require(plugin.state.problem)
        #expect("\(problem.reason) \(problem.fix ?? "")".contains(key), "\(problem)")
    }

    @Test("a plugin that cannot be read is known by its name, and by the features that it names")
    func unreadable() throws {
        let directory = try write("bundled", "half", feature: "halved") { $0["version"] = "soon" }
        let other = try write("user", "torn")
        try Data("{\"id\": ".utf8).write(to: URL(filePath: other + "/plugin.json"))
        let snapshot = registry().scan()
        let half = try #require(snapshot.unavailableFeatures["halved"])
        #expect(half.reason.hasPrefix("its plugin 'half' cannot be read: "), "\(half)")
        #expect(half.fix?.hasSuffix("belfry plugin validate \(directory)") == true, "\(half)")
        #expect(snapshot.unavailablePlugins["half"] == half)
        let torn = try #require(snapshot.unavailablePlugins["torn"])
        #expect(torn.reason.contains("is not JSON"), "\(torn)")
        #expect(snapshot.unavailableFeatures.count == 1)
    }

    @Test("a missing program makes it unavailable, with the searched PATH and the package to install")
    func missing() throws {
        try write("system", "tool") { $0["runner"] = ["protocol": "exec/1", "command": "ffmpeg"] }
        let snapshot = registry(searchPath: "/nowhere").scan()
        let plugin = try #require(snapshot.plugins.first)
        #expect(plugin.state.name == "unavailable")
        #expect(plugin.state.problem?.reason.contains("/nowhere") == true)
        #expect(plugin.state.problem?.fix?.contains("apt-get install ffmpeg") == true)
        #expect(snapshot.unavailableFeatures["tool"] != nil)
    }

    @Test("adding copies the whole directory; removing takes only the copy")
    func addAndRemove() throws {
        let source = try write("source", "mine")
        try "data".write(toFile: source + "/data.txt", atomically: true, encoding: .utf8)
        let added = try registry().add(directory: source, link: false)
        #expect(added.state.name == "ready")
        #expect(FileSystem.real(root.path + "/user/mine") == added.directory)
        #expect(try String(contentsOfFile: added.directory + "/data.txt", encoding: .utf8) == "data")
        #expect(access(added.directory + "/main.sh", X_OK) == 0)
        #expect(throws: BelfryError.self) { try registry().add(directory: source, link: false) }
        try registry().remove(id: "mine")
        #expect(registry().scan().plugins.isEmpty)
        #expect(FileManager.default.fileExists(atPath: source + "/data.txt"))
    }

    @Test("a linked plugin stays where it is")
    func link() throws {
        let source = try write("source", "mine")
        let added = try registry().add(directory: source, link: true)
        #expect(added.isLinked)
        #expect(added.directory == source)
        try registry().remove(id: "mine")
        #expect(FileManager.default.fileExists(atPath: source + "/plugin.json"))
    }

    @Test("what would reach outside of the plugin is not copied")
    func escape() throws {
        let source = try write("source", "sly")
        symlink("/etc/passwd", source + "/passwd")
        #expect(throws: BelfryError.self) { try registry().add(directory: source, link: false) }
        #expect(!FileManager.default.fileExists(atPath: root.path + "/user/sly"))
        #expect(!FileManager.default.fileExists(atPath: root.path + "/user/.versions/sly"))
    }
}

/// A directory of one test.
private final class Directory: Sendable {
    let path: String

    init() {
        let path =
            FileManager.default.temporaryDirectory.path() + "belfry-registry-\(UInt64.random(in: 0...(.max)))"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        self.path = FileSystem.real(path) ?? path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
