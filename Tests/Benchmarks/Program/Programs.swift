// What a process for each task costs.

import BelfryCore
import BelfryPlugins
import FoundationEssentials

extension Bench {
    /// Row 4: one process for each task.
    func programs() async throws {
        let echo = try echo(makeDirectory("echo"))
        try await hub("exec", features: [echo]) { hub in
            let count = 2000
            let took = try await hub.run(count: count, feature: "echo", submitters: 16)
            Self.report(
                "exec/1 tasks",
                Double(count) / took,
                "tasks/s",
                "\(count) runs of /bin/echo through belfry-launch"
            )
        }
    }

    private func echo(_ directory: String) throws -> any Feature {
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "echo", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "/bin/echo", "args": ["::result", "{}"]],
            "features": [["id": "echo"]],
        ]
        try manifest.text.write(toFile: directory + "/plugin.json", atomically: true, encoding: .utf8)
        let plugin = try InstalledPlugin(
            binding: PluginManifest.load(directory: directory),
            directory: directory,
            searchPath: "/usr/bin:/bin"
        )
        return try ExecFeature(
            plugin: plugin,
            entry: plugin.manifest.features[0],
            launcher: launcher,
            environment: ["PATH": "/usr/bin:/bin"]
        )
    }
}
