// What was looked at is what runs: pins, updates, and versions side by side.

import BelfryCore
import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage
import Testing

@testable import BelfryPlugins

@Suite("Trust in plugins")
struct TrustTests {
    private let root: TestDirectory
    private var user: String { root.userPlugins }
    private var source: String { root.path + "/source" }

    init() throws {
        root = try TestDirectory()
        try write("source")
    }

    private func write(
        _ place: String,
        id: String = "mine",
        version: String = "1.0.0",
        more: JSONObject = [:]
    ) throws {
        var manifest: JSONObject = [
            "manifest_version": 1, "id": .string(id), "version": .string(version), "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "${plugin_dir}/main.sh"],
            "features": [["id": .string(id)]],
        ]
        for (key, value) in more { manifest[key] = value }
        try root.write(JSONValue.object(manifest).text, to: "\(place)/plugin.json")
        try root.write("#!/bin/sh\n# \(version)\n", to: "\(place)/main.sh", mode: 0o755)
    }

    private func ready(_ registry: PluginRegistry) throws -> InstalledPlugin {
        try #require(registry.scan().ready.first { $0.manifest.id == "mine" })
    }

    @Test("the digest is SHA-256, as sha256sum has it", arguments: [0, 1, 55, 56, 63, 64, 65, 1000, 200_003])
    func digest(size: Int) async throws {
        let text = String(repeating: "belfry ", count: size / 7 + 1).prefix(size)
        try root.write(String(text), to: "file")
        let expected = try await Subprocess.run(
            .path("/usr/bin/sha256sum"),
            arguments: ["\(root.path)/file"],
            output: .string(limit: 4096)
        ).standardOutput
        #expect(expected.hasPrefix(try FileSystem.sha256(of: "\(root.path)/file")))
    }

    @Test(
        "a file that is not as it was added refuses the plugin, with the file and the mend",
        arguments: ["changed", "added", "missing"]
    )
    func change(_ how: String) throws {
        let registry = root.registry()
        let added = try registry.add(directory: source, link: false)
        #expect(added.state.name == "ready")
        let file = added.directory + (how == "added" ? "/lib.py" : "/main.sh")
        if how == "missing" {
            unlink(file)
        } else {
            try "#!/bin/sh\necho other\n".write(toFile: file, atomically: false, encoding: .utf8)
        }
        let plugin = try #require(registry.scan()["mine"])
        #expect(plugin.state.name == "invalid")
        let problem = try #require(plugin.state.problem)
        #expect(problem.reason.contains("\(how == "added" ? "lib.py" : "main.sh")"), "\(problem)")
        #expect(problem.reason.contains(how), "\(problem)")
        #expect(problem.fix?.contains("belfry plugin update mine") == true)
        #expect(registry.scan().unavailableFeatures["mine"] != nil)
        let mended = try registry.update(id: "mine", PluginRegistry.Addition(directory: source))
        #expect(mended.state.name == "ready")
    }

    @Test("a change of a manifest's id does not bring the plugin out from under its pins")
    func changedID() throws {
        let registry = root.registry()
        let added = try registry.add(directory: source, link: false)
        let text = try String(contentsOfFile: added.directory + "/plugin.json", encoding: .utf8)
        try text.replacing("\"mine\"", with: "\"theirs\"").write(
            toFile: added.directory + "/plugin.json",
            atomically: true,
            encoding: .utf8
        )
        #expect(registry.scan().plugins.map(\.id) == ["mine"])
        #expect(registry.scan().ready.isEmpty)
    }

    @Test("what was put into the user's directory by hand is not run until somebody says so")
    func byHand() throws {
        try write("data/plugins/mine")
        let registry = root.registry()
        let plugin = try #require(registry.scan()["mine"])
        #expect(plugin.state.name == "invalid")
        #expect(plugin.state.problem?.fix?.contains("belfry plugin update mine") == true)
        let updated = try registry.update(id: "mine", PluginRegistry.Addition(directory: plugin.directory))
        #expect(updated.state.name == "ready")
    }

    @Test("a lock that cannot be read refuses what it should pin, and hides nobody else")
    func brokenLock() throws {
        let registry = root.registry()
        _ = try registry.add(directory: source, link: false)
        try write("bundled/other", id: "other")
        try root.write("{\"lock_version\": ", to: "data/plugins/plugins.lock")
        let snapshot = registry.scan()
        #expect(snapshot["mine"]?.state.name == "invalid")
        #expect(snapshot["mine"]?.state.problem?.reason.contains("plugins.lock") == true)
        #expect(snapshot["other"]?.state.name == "ready")
    }

    @Test("files that changed between the question and the answer are not added")
    func digestMismatch() throws {
        let registry = root.registry()
        var addition = PluginRegistry.Addition(directory: source)
        addition.digest = try registry.digest(of: source)
        try root.write("#!/bin/sh\nrm -rf ~\n", to: "source/main.sh", mode: 0o755)
        let error = #expect(throws: BelfryError.self) { try registry.add(addition) }
        #expect(error?.code == .conflict)
        #expect(registry.scan().plugins.isEmpty)
        addition.digest = try registry.digest(of: source)
        #expect(try registry.add(addition).state.name == "ready")
    }

    @Test("an update keeps the old version's files until the last that uses them lets go")
    func versions() throws {
        let registry = root.registry()
        _ = try registry.add(directory: source, link: false)
        let old = try ready(registry)
        var hold: PluginHold? = registry.versions.hold(old)
        try write("source", version: "2.0.0")
        let changes = try registry.compare(id: "mine", directory: source)
        #expect(changes["files"]?["changed"] == ["main.sh", "plugin.json"], "\(changes.text)")
        #expect(changes["isSame"] == false)
        _ = try registry.update(id: "mine", PluginRegistry.Addition(directory: source))
        registry.removeLeftovers()
        let new = try ready(registry)
        #expect(new.manifest.version.description == "2.0.0")
        #expect(new != old)
        #expect(FileSystem.isExecutable(old.executable))
        #expect(hold != nil)
        hold = nil
        #expect(!FileSystem.isExecutable(old.executable))
        #expect(FileSystem.isExecutable(new.executable))
        #expect(try registry.compare(id: "mine", directory: source)["isSame"] == true)
    }

    @Test("a removed plugin's files stay for who uses them, and go with the last")
    func removal() throws {
        let registry = root.registry()
        _ = try registry.add(directory: source, link: false)
        let plugin = try ready(registry)
        var hold: PluginHold? = registry.versions.hold(plugin)
        try registry.remove(id: "mine")
        #expect(registry.scan().plugins.isEmpty)
        #expect(hold != nil && FileSystem.isExecutable(plugin.executable))
        hold = nil
        #expect(!FileSystem.isExecutable(plugin.executable))
        #expect(FileSystem.entry(FileSystem.parent(of: plugin.directory), following: false) == nil)
    }

    @Test("an update that is another plugin's is refused, and the old one stays")
    func otherPlugin() throws {
        let registry = root.registry()
        _ = try registry.add(directory: source, link: false)
        try write("elsewhere", id: "other")
        let error = #expect(throws: BelfryError.self) {
            try registry.update(id: "mine", PluginRegistry.Addition(directory: root.path + "/elsewhere"))
        }
        #expect(error?.code == .conflict)
        #expect(try ready(registry).manifest.id == "mine")
    }

    @Test("a download is off until somebody has said yes")
    func download() throws {
        let registry = root.registry()
        var addition = PluginRegistry.Addition(directory: source)
        addition.origin = PluginOrigin(.git, "https://example.org/mine.git", commit: "abc")
        let added = try registry.add(addition)
        #expect(added.state == .disabled)
        #expect(added.origin?.commit == "abc")
        let error = #expect(throws: BelfryError.self) { try registry.setEnabled(true, id: "mine") }
        #expect(error?.code == .notAllowedNow)
        try registry.setEnabled(true, id: "mine", isConfirmed: true)
        #expect(registry.scan().ready.count == 1)
        // From then on it is switched like any other.
        try registry.setEnabled(false, id: "mine")
        try registry.setEnabled(true, id: "mine")
    }

    @Test("a warm scan reads no file again, in this hub and in the next; a changed one is read once")
    func cache() throws {
        for number in 0..<200 { try write("bundled/p\(number)", id: "p\(number)") }
        let registry = root.registry()
        _ = try registry.add(directory: source, link: false)
        _ = registry.scan()
        let reads = registry.cache.reads
        #expect(reads.manifests == 201)
        #expect(reads.hashes == 2)
        _ = registry.scan()
        #expect(registry.cache.reads == reads)
        let next = root.registry()
        #expect(next.scan().ready.count == 201)
        #expect(next.cache.reads.hashes == 0)
        try write("bundled/p7", id: "p7", version: "1.1.0")
        #expect(registry.scan()["p7"]?.manifest?.version.description == "1.1.0")
        #expect(registry.cache.reads.manifests == reads.manifests + 1)
    }

    @Test("a linked plugin is another one after each save, and the watch tells of it")
    func linked() async throws {
        let registry = root.registry()
        _ = try registry.add(directory: source, link: true)
        let before = try ready(registry)
        let watch = LinkedPluginWatch()
        watch.watch([before.directory])
        try root.write("#!/bin/sh\n# saved\n", to: "source/main.sh", mode: 0o755)
        for await _ in watch.changes { break }
        #expect(try ready(registry) != before)
        #expect(try ready(registry).revision != before.revision)
    }
}

@Suite("What plugins need")
struct RequirementTests {
    private let root: TestDirectory

    init() throws { root = try TestDirectory() }

    private func state(_ more: JSONObject, secrets: PluginSecrets = PluginSecrets()) throws
        -> PluginSnapshot.State
    {
        var manifest: JSONObject = [
            "manifest_version": 1, "id": "mine", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "python3"], "features": [["id": "mine"]],
        ]
        for (key, value) in more { manifest[key] = value }
        try root.write(JSONValue.object(manifest).text, to: "bundled/mine/plugin.json")
        return try #require(root.registry(secrets: secrets).scan()["mine"]).state
    }

    @Test(
        "what is missing makes it unavailable, with the command that mends it",
        arguments: [
            (#"{"executables":["no-such-program"]}"#, "no-such-program"),
            (#"{"belfry":">=99"}"#, "Update Belfry"), (#"{"architectures":["pdp11"]}"#, "pdp11"),
            (#"{"python_modules":["no_such_module"]}"#, "no_such_module"),
        ]
    )
    func missing(requires: String, word: String) throws {
        let state = try state(["requires": try JSONValue(parsing: requires)])
        #expect(state.name == "unavailable")
        let problem = try #require(state.problem)
        #expect("\(problem.reason) \(problem.fix ?? "")".contains(word), "\(problem)")
    }

    @Test("everything that is missing is told, whatever it is")
    func allMissing() throws {
        let more: JSONObject = [
            "requires": ["executables": ["no-such-program"], "python_modules": ["no_such_module"]],
            "secrets": ["KEY"],
            "runner": ["protocol": "exec/1", "command": "no-such-program"],
        ]
        let state = try state(more)
        #expect(state.name == "unavailable")
        #expect(state.problem?.reason.hasSuffix("(and 2 more)") == true, "\(state)")
        #expect(state.problem?.fix?.contains("belfry plugin validate \(root.path)/bundled/mine") == true)
        let authored = try AuthoredPlugin(directory: root.path + "/bundled/mine", registry: root.registry())
        let told = authored.problems.map(\.message)
        #expect(told.count == 3, "\(told)")
        for word in ["no-such-program", "no_such_module", "'KEY'"] {
            #expect(told.contains { $0.contains(word) }, "\(told)")
        }
    }

    @Test("a package is advised for a module only when there is one")
    func packages() {
        func fix(_ module: String, hasVenv: Bool = false) -> String {
            PythonModules.missing(module, id: "mine", hasVenv: hasVenv).fix ?? ""
        }
        #expect(fix("numpy").hasSuffix("sudo apt-get install python3-numpy"))
        #expect(fix("PIL").hasSuffix("sudo apt-get install python3-pil"))
        #expect(!fix("no_such_module").contains("apt-get") && fix("no_such_module").contains("setup"))
        #expect(fix("numpy", hasVenv: true).contains("belfry plugin setup mine"))
    }

    @Test("a module of the system's Python is found without starting it")
    func module() throws {
        #expect(try state(["requires": ["python_modules": ["json", "sqlite3"]]]).name == "ready")
    }

    /// Writes an environment as `belfry plugin setup` leaves it.
    private func makeVenv(requirements: String, python: String? = nil) throws {
        let program = try #require(FileSystem.real("/usr/bin/python3"))
        let version = python ?? String(program.split(separator: "/").last?.dropFirst(6) ?? "")
        let stamp: JSONValue = [
            "requirements_sha256": .string(SHA256.hex(of: Array(requirements.utf8))),
            "python": .string(version),
        ]
        try root.write(stamp.text, to: "data/venvs/mine/\(PluginVenv.stampName)")
        try root.write("#!/bin/sh\n", to: "data/venvs/mine/bin/tool", mode: 0o755)
        symlink(program, root.path + "/data/venvs/mine/bin/python3")
    }

    @Test("its Python environment comes first on its PATH, and an absent or old one is told with its mend")
    func venv() throws {
        try root.write("six==1.17.0\n", to: "bundled/mine/requirements.txt")
        let setup: JSONObject = ["setup": ["venv": "requirements.txt"]]
        let absent = try state(setup)
        #expect(absent.name == "unavailable")
        #expect(absent.problem?.fix == "Run: belfry plugin setup mine")
        guard case .ready(let without) = try state(["setup": ["venv": "requirements.txt", "optional": true]])
        else {
            Issue.record("an optional environment is not missed")
            return
        }
        #expect(without.venv == nil && without.executable == "/usr/bin/python3")
        try makeVenv(requirements: "six==1.17.0\n")
        guard case .ready(let plugin) = try state(setup) else {
            Issue.record("\(try state(setup))")
            return
        }
        let venv = root.path + "/data/venvs/mine"
        #expect(plugin.venv == venv)
        #expect(plugin.executable == venv + "/bin/python3")
        #expect(plugin.environment["VIRTUAL_ENV"] == venv)
        #expect(plugin.environment["PATH"]?.hasPrefix(venv + "/bin:") == true)
        try root.write("six==1.16.0\n", to: "bundled/mine/requirements.txt")
        #expect(try state(setup).problem?.reason.contains("other requirements") == true)
        try root.write("six==1.17.0\n", to: "bundled/mine/requirements.txt")
        unlink(venv + "/bin/python3")
        try makeVenv(requirements: "six==1.17.0\n", python: "3.2")
        #expect(try state(setup).problem?.reason.contains("Python 3.2") == true)
    }

    @Test("a secret that cannot be had makes it unavailable; nothing tells its value")
    func secrets() throws {
        let asks: JSONObject = ["secrets": ["KEY"]]
        #expect(try state(asks).problem?.reason.contains("'KEY'") == true)
        let literal = PluginSecrets(["KEY": .literal("hush")])
        #expect(try state(asks, secrets: literal).name == "ready")
        #expect(!"\(literal) \(String(reflecting: literal))".contains("hush"))
        var dumped = ""
        dump(literal, to: &dumped)
        #expect(!dumped.contains("hush"))
        try root.write("hush\n", to: "key", mode: 0o644)
        let file = PluginSecrets(["KEY": .file(root.path + "/key")])
        #expect(try state(asks, secrets: file).problem?.fix == "Run: chmod 600 \(root.path)/key")
        chmod(root.path + "/key", 0o600)
        #expect(try state(asks, secrets: file).name == "ready")
        #expect(file.values(of: ["KEY", "OTHER"]) == ["KEY": "hush"])
    }

    @Test("variables that no program needs do not reach a plugin that does not ask for them")
    func environment() {
        let hub = [
            "PATH": "/bin", "HOME": "/home/me", "LC_ALL": "C", "LD_PRELOAD": "/evil.so",
            "AWS_SECRET_ACCESS_KEY": "x",
            "SSH_AUTH_SOCK": "/s", "DBUS_SESSION_BUS_ADDRESS": "b", "TOKEN": "t",
        ]
        #expect(Set(ExecEnvironment.filtered(hub).keys) == ["PATH", "HOME", "LC_ALL"])
        #expect(
            Set(ExecEnvironment.filtered(hub, asked: ["TOKEN"]).keys) == ["PATH", "HOME", "LC_ALL", "TOKEN"]
        )
    }
}
