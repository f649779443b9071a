// What a process for each task costs.

import BelfryCore
import BelfryPlugins
import FoundationEssentials
import Glibc

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

    /// What an attempt costs above starting and awaiting the same program by posix_spawn, one after the other.
    func starts() async throws {
        let echo = try echo(makeDirectory("starts"))
        let context = try FeatureContext(
            taskID: TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab"),
            featureID: "echo",
            attempt: 1,
            fence: 1,
            outputDirectory: makeDirectory("starts/out")
        )
        var bare: [Double] = []
        var attempts: [Double] = []
        // In turns, so that both see the same machine.
        for _ in 0..<400 {
            let start = ContinuousClock.now
            try Self.spawnAndWait("/bin/echo", output: "/dev/null")
            let between = ContinuousClock.now
            _ = try await echo.process([:], context)
            bare.append(Self.seconds(between - start) * 1000)
            attempts.append(Self.seconds(ContinuousClock.now - between) * 1000)
        }
        bare.sort()
        attempts.sort()
        Self.report("posix_spawn of /bin/echo, p50", bare[200], "ms", "to its end")
        Self.report(
            "exec/1 attempt above posix_spawn, p50",
            attempts[200] - bare[200],
            "ms",
            "request, launcher, lines and end included"
        )
        Self.report("exec/1 attempt above posix_spawn, p99", attempts[396] - bare[396], "ms", "")
    }

    private static func spawnAndWait(_ program: String, output: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY, 0)
        var pid = pid_t()
        let words = [strdup(program), nil]
        defer { free(words[0]) }
        let code = posix_spawn(&pid, program, &actions, nil, words, environ)
        guard code == 0 else { throw TaskFailure("cannot_start", "\(program): \(code)") }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }

    private func echo(_ directory: String) throws -> any Feature {
        try program("/bin/echo", ["::result", "{}"], directory)
    }

    /// A plugin in `directory` whose feature `echo` runs `command`.
    func program(_ command: String, _ arguments: [JSONValue], _ directory: String) throws -> any Feature {
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "echo", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": .string(command), "args": .array(arguments)],
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
