// What plugins cost beside the work of their tasks: looking at them on disk, and a server that stays.

import BelfryCore
import BelfryPluginKit
import BelfryPlugins
import FoundationEssentials
import Glibc

/// The server of row 3: a plugin as an author writes it, whose one tool does nothing.
enum NoOpServer: Plugin {
    static let id = "noops"
    static let version = "1.0.0"
    static let features: [any Feature] = [NoOp()]
    /// Set where this program is to be the server.
    static let variable = "NO_OP_SERVER"
}

extension Bench {
    /// Looking at 200 plugins: without any hashes kept, by a hub that has just started, and again.
    func scans() throws {
        let count = 200
        let path = try makeDirectory("scans")
        let places = PluginRegistry.Places(
            bundled: [],
            system: [],
            user: path + "/plugins",
            searchPath: "/usr/local/bin:/usr/bin:/bin"
        )
        let registry = PluginRegistry(places: places)
        for number in 0..<count {
            let source = try source("scanned-\(number)", files: 3, in: path + "/source-\(number)")
            _ = try registry.add(directory: source, link: false)
        }
        try FileManager.default.removeItem(atPath: places.user + "/.hashes")
        let note = "\(count) pinned plugins of 5 files"
        for (name, registry) in [
            ("cold", PluginRegistry(places: places)), ("first", PluginRegistry(places: places)),
        ] {
            let took = try Self.scan(registry, expecting: count)
            Self.report(
                "scan, \(name)",
                took,
                "ms",
                name == "cold" ? "every file read; \(note)" : "hashes kept; \(note)"
            )
        }
        let warm = try (0..<50).map { _ in try Self.scan(registry, expecting: count) }.sorted()
        Self.report("scan, warm, p50", warm[25], "ms", note)
    }

    private static func scan(_ registry: PluginRegistry, expecting count: Int) throws -> Double {
        let start = ContinuousClock.now
        guard registry.scan().ready.count == count else {
            throw BelfryError(.internalError, "a plugin is not ready")
        }
        return seconds(ContinuousClock.now - start) * 1000
    }

    /// What holding a plugin's files against their pins adds to each start.
    func pins() throws {
        for (name, files) in [("small", 3), ("middling", 90), ("large", 3000)] {
            let path = try makeDirectory("pins-\(name)")
            let registry = PluginRegistry(
                places: .init(bundled: [], system: [], user: path + "/plugins", searchPath: "/usr/bin:/bin")
            )
            _ = try registry.add(directory: source("pinned", files: files, in: path + "/source"), link: false)
            guard let plugin = registry.scan().ready.first else {
                throw BelfryError(.internalError, "the plugin is not ready")
            }
            try plugin.checkPins()
            let count = 10_000
            let start = ContinuousClock.now
            for _ in 0..<count { try plugin.checkPins() }
            Self.report(
                "pins before a start, \(files + 2) files",
                Self.seconds(ContinuousClock.now - start) / Double(count) * 1e6,
                "µs",
                "\(count) looks, one after the other"
            )
        }
    }

    /// A plugin with a program and `files` more, to be added.
    private func source(_ id: String, files: Int, in directory: String) throws -> String {
        try FileManager.default.createDirectory(atPath: directory + "/lib", withIntermediateDirectories: true)
        let manifest: JSONValue = [
            "manifest_version": 1, "id": .string(id), "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "${plugin_dir}/main.sh"],
            "requires": ["executables": ["sh", "cat"]],
            "features": [["id": .string(id)]],
        ]
        try manifest.text.write(toFile: directory + "/plugin.json", atomically: true, encoding: .utf8)
        try "#!/bin/sh\n".write(toFile: directory + "/main.sh", atomically: true, encoding: .utf8)
        chmod(directory + "/main.sh", 0o755)
        let text = String(repeating: "some text of a file\n", count: 200)
        for number in 0..<files {
            try text.write(toFile: "\(directory)/lib/\(number).txt", atomically: true, encoding: .utf8)
        }
        return directory
    }

    /// Row 3: no-op tasks through a server that stays, as row 2 has them.
    func servers() async throws {
        let path = try makeDirectory("server")
        try FileManager.default.createDirectory(atPath: path + "/noops", withIntermediateDirectories: true)
        guard let program = realpath("/proc/self/exe", nil) else { return }
        defer { free(program) }
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "noops", "version": "1.0.0", "kind": "feature",
            "runner": [
                "protocol": "mcp", "command": .string(String(cString: program)),
                "env": .object([NoOpServer.variable: "1"]),
            ],
            "limits": ["concurrency": 64],
            "features": [["id": "noops/noop", "tool": "noop", "makes_files": false]],
        ]
        try manifest.text.write(toFile: path + "/noops/plugin.json", atomically: true, encoding: .utf8)
        let registry = PluginRegistry(
            places: .init(bundled: [path], system: [], user: path + "/user", searchPath: "/usr/bin:/bin")
        )
        let plugins = PluginFeatures(
            .init(launcher: launcher, environment: ["PATH": "/usr/bin:/bin"], toolCache: path + "/tools")
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await plugins.run() }
            defer { plugins.stop() }
            let offer = plugins.offer(of: registry.scan())
            guard offer.features.count == 1 else {
                throw BelfryError(
                    .internalError,
                    "no server: \(offer.unavailable) \(registry.scan().json.text)"
                )
            }
            try await hub("server-tasks", features: offer.features) { hub in
                // The server starts with the first.
                _ = try await hub.run(count: 1, feature: "noops/noop", submitters: 1)
                let count = 20_000
                let cpu = Self.cpuTime()
                let took = try await hub.run(count: count, feature: "noops/noop", submitters: 64)
                Self.report(
                    "no-op tasks through an mcp plugin",
                    Double(count) / took,
                    "tasks/s",
                    "\(count) tasks, 64 at once, FULL, event log on"
                )
                Self.report(
                    "no-op tasks through an mcp plugin, CPU",
                    (Self.cpuTime() - cpu) / Double(count) * 1e6,
                    "µs/task",
                    "the hub's; the server's is not in it"
                )
            }
        }
    }
}
