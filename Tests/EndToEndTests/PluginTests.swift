// Plugins that fail in every way they can: each is a failed task with a reason, and never more.

import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Plugins")
struct PluginTests {
    /// Writes a plugin of one shell script and adds it.
    @discardableResult
    private func add(
        _ id: String,
        _ script: String,
        command: String = "${plugin_dir}/main.sh",
        feature: JSONObject = [:],
        limits: JSONValue = [:],
        to sandbox: Sandbox
    ) async throws -> Ran {
        let directory = sandbox.root + "/authored/" + id
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var entry = feature
        entry["id"] = .string(id)
        let manifest: JSONValue = [
            "manifest_version": 1, "id": .string(id), "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": .string(command)],
            "features": [.object(entry)], "limits": limits, "cancel_grace_s": 1,
        ]
        try manifest.text.write(toFile: directory + "/plugin.json", atomically: true, encoding: .utf8)
        try "#!/bin/sh\n\(script)\n".write(toFile: directory + "/main.sh", atomically: true, encoding: .utf8)
        chmod(directory + "/main.sh", 0o755)
        return try await sandbox.belfry("plugin", "add", "--yes", directory)
    }

    /// How a task of such a plugin ends.
    private func end(
        of script: String,
        feature: JSONObject = [:],
        limits: JSONValue = [:]
    ) async throws -> JSONValue {
        let sandbox = try Sandbox()
        let added = try await add("odd", script, feature: feature, limits: limits, to: sandbox)
        #expect(added.status == 0, "\(added.errors)")
        return try await sandbox.belfry("run", "--json", "odd").json
    }

    @Test("prints garbage and then a result: the garbage is in the log, the result counts")
    func garbageAndResult() async throws {
        let sandbox = try Sandbox()
        try await add("odd", "echo warming up; echo '{broken'; echo '::result {\"a\": 1}'", to: sandbox)
        let task = try await sandbox.belfry("run", "--json", "odd").json
        #expect(task["status"] == "completed", "\(task.text)")
        #expect(task["result"]?["value"]?["a"] == 1)
        let log = try await sandbox.belfry("log", "1")
        #expect(log.output.contains("warming up"))
        #expect(log.output.contains("{broken"))
    }

    @Test("prints only garbage: no_result, and the first line of it is quoted")
    func onlyGarbage() async throws {
        let task = try await end(of: "echo Loading the model")
        #expect(task["error"]?["code"] == "no_result", "\(task.text)")
        #expect(task["error"]?["message"]?.string?.contains("Loading the model") == true)
    }

    @Test("prints nothing: no_result, with the way out")
    func nothing() async throws {
        let task = try await end(of: "exit 0")
        #expect(task["error"]?["code"] == "no_result", "\(task.text)")
        #expect(task["error"]?["fix"]?.string != nil)
    }

    @Test("crashes: the signal and the end of stderr are in the error")
    func crash() async throws {
        let task = try await end(of: "echo about to fall >&2; kill -SEGV $$")
        #expect(task["error"]?["code"] == "crashed", "\(task.text)")
        #expect(task["error"]?["message"]?.string?.contains("signal 11") == true, "\(task.text)")
        #expect(task["error"]?["logTail"]?.string?.contains("about to fall") == true, "\(task.text)")
    }

    @Test("exits with a status: exit_status, unless it said what was wrong")
    func status() async throws {
        let plain = try await end(of: "exit 3")
        #expect(plain["error"]?["code"] == "exit_status")
        #expect(plain["error"]?["message"]?.string?.contains("3") == true)
        let said = try await end(of: "echo '::error bad_input The image is upside down'; exit 3")
        #expect(said["error"]?["code"] == "bad_input")
        #expect(said["error"]?["message"] == "The image is upside down")
    }

    @Test("hangs: the idle timeout ends it, also when stderr goes on and on, and its whole tree with it")
    func hang() async throws {
        let task = try await end(
            of: "trap '' TERM; setsid sleep 1000 & while :; do echo noise >&2; sleep 0.1; done",
            feature: ["timeouts": ["idle_s": 1]]
        )
        #expect(task["error"]?["code"] == "idle_timeout", "\(task.text)")
    }

    @Test("says that it is alive for ever: the total timeout ends it")
    func endless() async throws {
        let task = try await end(
            of: "while :; do echo '::progress 1'; sleep 0.1; done",
            feature: ["timeouts": ["idle_s": 60, "total_s": 1]]
        )
        #expect(task["error"]?["code"] == "timeout", "\(task.text)")
    }

    @Test("a line of 20 MB is passed over, and what follows it is read")
    func longLine() async throws {
        let task = try await end(
            of: "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo '::result {\"after\": true}'"
        )
        #expect(task["result"]?["value"]?["after"] == true, "\(task.text)")
    }

    @Test("an artifact outside of the output directory is refused, also behind a link")
    func outside() async throws {
        for script in ["echo '::artifact /etc/passwd'", "ln -s /etc/passwd here; echo '::artifact here'"] {
            let task = try await end(of: script)
            #expect(task["error"]?["code"] == "bad_artifact", "\(task.text)")
        }
    }

    @Test("an artifact that was not written is named as that")
    func notWritten() async throws {
        let task = try await end(of: "echo '::artifact picture.png'")
        let error = task["error"]
        #expect(error?["code"] == "bad_artifact", "\(task.text)")
        #expect(error?["message"]?.string?.hasSuffix("picture.png, and there is no such file.") == true)
        #expect(error?["fix"]?.string?.contains("belfry log") == true, "\(task.text)")
    }

    @Test("a grandchild that holds stdout open does not hold the task")
    func grandchild() async throws {
        let task = try await end(of: "echo '::result {}'; sleep 1000 &")
        #expect(task["status"] == "completed", "\(task.text)")
    }

    @Test("dies with the hub, its whole tree, when the hub is killed with SIGKILL")
    func hubKilled() async throws {
        let sandbox = try Sandbox()
        let fifo = sandbox.root + "/alive"
        mkfifo(fifo, 0o600)
        // Three hold the FIFO's write end; it reads as closed only when all are gone.
        try await add(
            "tree",
            "exec 3>\(fifo); setsid sleep 1000 & sh -c 'sleep 1000' & echo '::progress 5 up'; sleep 1000",
            to: sandbox
        )
        let pid = try #require(
            sandbox.hubProcess
                ?? {
                    try? sandbox.startHub()
                    return sandbox.hubProcess
                }()
        )
        let added = try await sandbox.belfry("add", "tree")
        #expect(added.status == 0, "\(added.errors)")
        async let closed = sandbox.run("/bin/cat", [fifo])
        var progress: Double?
        while progress != 5 {
            progress = try await sandbox.belfry("show", "1", "--json").json["progress"]?.double
        }
        kill(pid, SIGKILL)
        let read = try await closed
        #expect(read.status == 0)
    }

    @Test("a missing program makes it unavailable, with the package to install, and nothing else")
    func missingProgram() async throws {
        let sandbox = try Sandbox(["PATH": "/nowhere"])
        let directory = sandbox.root + "/plugins/tool"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "tool", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "vips"], "features": [["id": "tool"]],
        ]
        try manifest.text.write(toFile: directory + "/plugin.json", atomically: true, encoding: .utf8)
        let refused = try await sandbox.belfry("run", "tool")
        #expect(refused.status != 0)
        #expect(refused.errors.contains("'vips'"), "\(refused.errors)")
        #expect(refused.errors.contains("apt-get install libvips-tools"), "\(refused.errors)")
        let other = try await sandbox.belfry("run", "text-to-image", "prompt=sea", "width=16", "height=16")
        #expect(other.status == 0, "\(other.errors)")
        let list = try await sandbox.belfry("list", "--json").json
        #expect(list["tasks"]?.array?.count == 1)
    }

    @Test("a broken manifest is shown with its reason and hides no other plugin")
    func brokenManifest() async throws {
        let sandbox = try Sandbox()
        let directory = sandbox.root + "/plugins/broken"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try "{\"id\": ".write(toFile: directory + "/plugin.json", atomically: true, encoding: .utf8)
        let list = try await sandbox.belfry("plugin", "list")
        #expect(list.output.contains("broken"), "\(list.output)")
        #expect(list.output.contains("invalid"))
        #expect(list.output.contains("text-to-image"))
        for feature in ["broken", "broken/part"] {
            let ran = try await sandbox.belfry("run", feature)
            #expect(
                ran.errors.contains("its plugin 'broken' cannot be read: \(directory)/plugin.json"),
                "\(ran)"
            )
            #expect(ran.errors.contains("belfry plugin validate \(directory)"), "\(ran)")
        }
        let added = try await sandbox.belfry("plugin", "add", "--yes", directory)
        #expect(added.status == 1)
        #expect(added.errors.hasPrefix("belfry: "), "\(added.errors)")
        #expect(added.errors.contains("plugin.json"), "\(added.errors)")
        let nowhere = try await sandbox.belfry("plugin", "add", "--yes", "/no/such/place")
        #expect(nowhere.errors.contains("fix: "), "\(nowhere.errors)")
    }

    @Test("a linked plugin runs as it is on disk now; removed, it is gone")
    func link() async throws {
        let sandbox = try Sandbox()
        let directory = sandbox.root + "/authored/live"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "live", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "${plugin_dir}/main.sh"],
            "features": [["id": "live"]],
        ]
        try manifest.text.write(toFile: directory + "/plugin.json", atomically: true, encoding: .utf8)
        for word in ["one", "two"] {
            try "#!/bin/sh\necho '::result \"\(word)\"'\n".write(
                toFile: directory + "/main.sh",
                atomically: true,
                encoding: .utf8
            )
            chmod(directory + "/main.sh", 0o755)
            if word == "one" {
                let added = try await sandbox.belfry("plugin", "add", "--yes", "--link", directory)
                #expect(added.status == 0, "\(added.errors)")
            }
            let ran = try await sandbox.belfry("run", "live")
            #expect(ran.output == "\"\(word)\"\n", "\(ran.errors)")
        }
        let removed = try await sandbox.belfry("plugin", "remove", "--yes", "live")
        #expect(removed.status == 0, "\(removed.errors)")
        #expect(FileManager.default.fileExists(atPath: directory + "/main.sh"))
        #expect(try await sandbox.belfry("run", "live").status != 0)
    }

    @Test(
        "a disabled plugin's tasks wait until it is enabled again, and new ones are refused with the way out"
    )
    func disable() async throws {
        let sandbox = try Sandbox()
        try await add("mine", "echo '::result 1'", to: sandbox)
        #expect(try await sandbox.belfry("plugin", "disable", "mine").status == 0)
        let refused = try await sandbox.belfry("run", "mine")
        #expect(refused.errors.contains("belfry plugin enable mine"), "\(refused.errors)")
        #expect(try await sandbox.belfry("plugin", "enable", "mine").status == 0)
        #expect(try await sandbox.belfry("run", "mine").output == "1\n")
        #expect(try await sandbox.belfry("plugin", "disable", "mien").errors.contains("'mine'"))
    }

    @Test("variables reach the plugin that asks for them by name, and no other")
    func passedVariables() async throws {
        let sandbox = try Sandbox(["TOKEN": "from the hub", "OTHER": "secret"])
        let script = "echo \"::result {\\\"token\\\": \\\"$TOKEN\\\", \\\"other\\\": \\\"$OTHER\\\"}\""
        for (id, asked) in [("asks", ["TOKEN", "SETTING"]), ("silent", [])] {
            let directory = sandbox.root + "/plugins/" + id
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let manifest: JSONValue = [
                "manifest_version": 1, "id": .string(id), "version": "1.0.0", "kind": "feature",
                "runner": [
                    "protocol": "exec/1", "command": "${plugin_dir}/main.sh",
                    "pass_env": .array(asked.map { .string($0) }),
                ],
                "features": [["id": .string(id)]],
            ]
            try manifest.text.write(toFile: directory + "/plugin.json", atomically: true, encoding: .utf8)
            try "#!/bin/sh\n\(script)\n".write(
                toFile: directory + "/main.sh",
                atomically: true,
                encoding: .utf8
            )
            chmod(directory + "/main.sh", 0o755)
        }
        let asks = try await sandbox.belfry("run", "asks")
        #expect(asks.json == ["token": "from the hub", "other": ""], "\(asks.errors)")
        let silent = try await sandbox.belfry("run", "silent")
        #expect(silent.json == ["token": "", "other": ""], "\(silent.errors)")
    }
}
