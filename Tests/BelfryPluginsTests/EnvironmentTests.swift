// The Python environment of a plugin comes and goes with the version that wants it.

import BelfryCore
import Glibc
import Testing

@testable import BelfryPlugins

@Suite("Environments and versions of plugins")
struct EnvironmentTests {
    private let root: TestDirectory
    private var source: String { root.path + "/source" }
    private var user: String { root.userPlugins }
    private var venvs: String { root.path + "/data/venvs" }

    init() throws { root = try TestDirectory() }

    /// Writes a plugin that wants an environment.
    private func write(_ place: String, version: String = "1.0.0", requirements: String? = nil) throws {
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "mine", "version": .string(version),
            "runner": ["protocol": "exec/1", "command": "python3"],
            "features": [["id": "mine"]], "setup": ["venv": "requirements.txt"],
        ]
        try root.write(manifest.text, to: "\(place)/plugin.json")
        if let requirements { try root.write(requirements, to: "\(place)/requirements.txt") }
    }

    /// Writes an environment as `belfry plugin setup` leaves it, below the name `link`.
    private func makeVenv(_ name: String, requirements: String, link: String) throws {
        let program = try #require(FileSystem.real("/usr/bin/python3"))
        let stamp: JSONValue = [
            "requirements_sha256": .string(SHA256.hex(of: Array(requirements.utf8))),
            "python": .string(String(program.split(separator: "/").last?.dropFirst(6) ?? "")),
        ]
        try root.write(stamp.text, to: "data/venvs/.made/\(name)/\(PluginVenv.stampName)")
        try root.write("", to: "data/venvs/.made/\(name)/bin/activate")
        symlink(program, "\(venvs)/.made/\(name)/bin/python3")
        symlink(".made/\(name)", "\(venvs)/\(link)")
    }

    private func venv(_ registry: PluginRegistry) throws -> String? {
        try #require(registry.scan().ready.first { $0.manifest.id == "mine" }).venv
    }

    /// The plugin with its environment, the files of the next version, and the environment made ahead for it.
    private func updating() throws -> PluginRegistry {
        try write("source", requirements: "six==1.16.0\n")
        let registry = root.registry()
        _ = try registry.add(directory: source, link: false)
        try makeVenv("mine-1", requirements: "six==1.16.0\n", link: "mine")
        try write("source", version: "2.0.0", requirements: "six==1.17.0\n")
        #expect(try registry.compare(id: "mine", directory: source)["wantsSetup"] == true)
        try makeVenv("mine-2", requirements: "six==1.17.0\n", link: ".next-mine")
        registry.removeLeftovers()
        #expect(try venv(registry) == venvs + "/.made/mine-1")
        return registry
    }

    @Test("a plugin whose requirements are not there is refused, and nothing of it stays")
    func lostRequirements() throws {
        try write("source")
        let registry = root.registry()
        let error = #expect(throws: BelfryError.self) { try registry.add(directory: source, link: false) }
        #expect(error?.code == .invalidPlugin)
        #expect(error?.message.contains("requirements.txt") == true, "\(String(describing: error))")
        #expect(error?.fix?.contains("Add the file") == true)
        #expect(FileSystem.names(in: user).allSatisfy { $0.hasPrefix(".") })
        #expect(FileSystem.names(in: user + "/.versions").isEmpty)
        try write("bundled/mine")
        #expect(registry.scan()["mine"]?.state.name == "invalid")
    }

    @Test("an environment that was made ahead waits for its version, and comes with it in one step")
    func ahead() throws {
        let registry = try updating()
        #expect(try registry.compare(id: "mine", directory: source)["wantsSetup"] == nil)
        _ = try registry.update(id: "mine", PluginRegistry.Addition(directory: source))
        #expect(try venv(registry) == venvs + "/.made/mine-2")
        #expect(FileSystem.destination(ofLink: venvs + "/mine") == ".made/mine-2")
        #expect(FileSystem.entry(venvs + "/.next-mine", following: false) == nil)
        registry.removeLeftovers()
        #expect(FileSystem.names(in: venvs + "/.made") == ["mine-2"])
    }

    @Test("an update that is refused leaves the environment in use alone")
    func refused() throws {
        let registry = try updating()
        var addition = PluginRegistry.Addition(directory: source)
        addition.digest = "another"
        #expect(throws: BelfryError.self) { try registry.update(id: "mine", addition) }
        registry.removeLeftovers()
        #expect(try venv(registry) == venvs + "/.made/mine-1")
        #expect(FileSystem.names(in: venvs + "/.made") == ["mine-1"])
    }

    @Test("an update that cannot be begun lets go of the environment that was made for it")
    func abandoned() throws {
        let registry = try updating()
        try root.write("{", to: "source/plugin.json")
        #expect(throws: BelfryError.self) {
            try registry.update(id: "mine", PluginRegistry.Addition(directory: source))
        }
        registry.removeLeftovers()
        #expect(FileSystem.names(in: venvs + "/.made") == ["mine-1"])
    }

    @Test("files that are no longer those that were looked at are not copied, and nothing is left of them")
    func changed() throws {
        try write("source", requirements: "six==1.16.0\n")
        let digest = try root.registry().digest(of: source)
        let copy = root.path + "/copy"
        try PluginRegistry.copy(source, to: copy, digest: digest)
        #expect(FileSystem.names(in: copy).sorted() == ["plugin.json", "requirements.txt"])
        try FileSystem.remove(copy)
        try write("source", requirements: "sixth==6\n")
        let error = #expect(throws: BelfryError.self) {
            try PluginRegistry.copy(source, to: copy, digest: digest)
        }
        #expect(error?.code == .conflict)
        #expect(FileSystem.entry(copy, following: false) == nil)
    }
}
