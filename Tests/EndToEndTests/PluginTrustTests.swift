// Plugins of others, with a whole hub: added, downloaded, changed behind its back, updated while they run, and
// told their secrets.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Plugins of others")
struct PluginTrustTests {
    private let sandbox: Sandbox

    init() throws { sandbox = try Sandbox() }

    /// Writes a plugin of one shell script, and gives its directory.
    @discardableResult
    private func write(_ id: String, _ script: String, version: String = "1.0.0", more: JSONObject = [:])
        throws
        -> String
    {
        var manifest: JSONObject = [
            "manifest_version": 1, "id": .string(id), "version": .string(version), "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "${plugin_dir}/main.sh"],
            "features": [["id": .string(id)]],
        ]
        for (key, value) in more { manifest[key] = value }
        try sandbox.write(JSONValue.object(manifest).text, to: "authored/\(id)/plugin.json")
        try sandbox.write("#!/bin/sh\n\(script)\n", to: "authored/\(id)/main.sh", mode: 0o755)
        return sandbox.root + "/authored/" + id
    }

    private func show(_ id: String) async throws -> JSONValue {
        try await sandbox.belfry("plugin", "show", "--json", id).json
    }

    @Test("what a plugin may do is shown also where nobody can be asked, and to who said yes before")
    func shown() async throws {
        let more: JSONObject = [
            "runner": [
                "protocol": "exec/1", "command": "${plugin_dir}/main.sh", "env": ["MODE": "quick"],
                "pass_env": ["HTTPS_PROXY"],
            ]
        ]
        let source = try write("mine", "echo '::result 1'", more: more)
        let unasked = try await sandbox.belfry("plugin", "add", source)
        #expect(unasked.status == 64)
        #expect(unasked.errors.contains("fix: Give --yes"), "\(unasked.errors)")
        let added = try await sandbox.belfry("plugin", "add", "--yes", source)
        #expect(added.status == 0)
        for ran in [unasked, added] {
            for word in ["main.sh", "MODE=quick", "HTTPS_PROXY", "sha256 of all ", "features:        mine"] {
                #expect(ran.errors.contains(word), "\(word): \(ran.errors)")
            }
        }
    }

    @Test("a changed file is refused until the plugin is updated, and the doctor says how")
    func changed() async throws {
        let source = try write("mine", "echo '::result 1'", more: ["secrets": ["KEY"]])
        try sandbox.write("[secrets]\nKEY = \"hush\"\n", to: "config.toml")
        let asked = try await sandbox.belfry("plugin", "add", source)
        #expect(asked.status != 0)
        let added = try await sandbox.belfry("plugin", "add", "--yes", source)
        #expect(added.status == 0, "\(added.errors)")
        #expect(try await sandbox.belfry("run", "mine").output == "1\n")
        let directory = try #require(try await show("mine")["directory"]?.string)
        try sandbox.write("#!/bin/sh\necho '::result 2'\n", to: directory + "/main.sh", mode: 0o755)
        // The hub that runs looks before it starts the program, and takes no more tasks for it then.
        let failed = try await sandbox.belfry("run", "mine")
        #expect(failed.status != 0 && failed.output.isEmpty, "\(failed.output)")
        #expect(failed.errors.contains("main.sh was changed"), "\(failed.errors)")
        #expect(try await sandbox.belfry("show", "2", "--json").json["error"]?["code"] == "plugin_changed")
        let doctor = try await sandbox.belfry("plugin", "doctor", "mine")
        #expect(doctor.status == 1)
        #expect(doctor.output.contains("main.sh was changed"), "\(doctor.output)")
        #expect(doctor.output.contains("belfry plugin update mine"), "\(doctor.output)")
        #expect(try await sandbox.belfry("doctor").output.contains("main.sh was changed"))
        try await sandbox.killHub()
        let refused = try await sandbox.belfry("run", "mine")
        #expect(refused.errors.contains("belfry plugin update mine"), "\(refused.errors)")
        let updated = try await sandbox.belfry("plugin", "update", "--yes", "mine")
        #expect(updated.output == "updated mine to 1.0.0\n", "\(updated.errors)")
        #expect(try await sandbox.belfry("run", "mine").output == "1\n")
        let again = try await sandbox.belfry("plugin", "update", "mine")
        #expect(again.output.contains("is as it is in"), "\(again.errors)")
    }

    @Test(
        "an archive and a repository stay off until they are enabled, and are updated from where they came from"
    )
    func downloads() async throws {
        try write("packed", "echo '::result 1'")
        try await sandbox.run("/bin/tar", ["-czf", "packed.tar.gz", "-C", "authored", "packed"])
        let repository = try write("cloned", "echo '::result 1'")
        func commit(_ message: String) async throws {
            let identity = ["-C", repository, "-c", "user.name=Me", "-c", "user.email=me@example.org"]
            try await sandbox.run("/usr/bin/git", ["-C", repository, "add", "."])
            let ran = try await sandbox.run("/usr/bin/git", identity + ["commit", "-qm", message])
            #expect(ran.status == 0, "\(ran.errors)")
        }
        try await sandbox.run("/usr/bin/git", ["init", "-q", repository])
        try await commit("one")
        for (id, source) in [("packed", sandbox.root + "/packed.tar.gz"), ("cloned", "file://" + repository)]
        {
            let added = try await sandbox.belfry("plugin", "add", "--yes", source)
            #expect(added.errors.contains("belfry plugin enable \(id)"), "\(added.errors)")
            #expect(try await sandbox.belfry("run", id).status != 0)
            #expect(try await sandbox.belfry("plugin", "enable", id).status != 0)
            let enabled = try await sandbox.belfry("plugin", "enable", "--yes", id)
            #expect(enabled.status == 0, "\(enabled.errors)")
            #expect(try await sandbox.belfry("run", id).output == "1\n")
        }
        let before = try #require(try await show("cloned")["from"]?["commit"]?.string)
        try write("cloned", "echo '::result 2'", version: "2.0.0")
        try await commit("two")
        let updated = try await sandbox.belfry("plugin", "update", "--yes", "cloned")
        #expect(updated.status == 0, "\(updated.errors)")
        #expect(try await sandbox.belfry("run", "cloned").output == "2\n")
        #expect(try await show("cloned")["from"]?["commit"]?.string != before)
        let leftovers = try FileManager.default.contentsOfDirectory(atPath: sandbox.root + "/data/plugins")
        #expect(!leftovers.contains { $0.hasPrefix(".fetched") }, "\(leftovers)")
    }

    @Test("an update while an attempt runs: it ends with its own version's files, new tasks get the new ones")
    func drain() async throws {
        let fifo = sandbox.root + "/go"
        mkfifo(fifo, 0o600)
        let script = "echo '::progress 5 up'; read line < \(fifo); . \"$(dirname \"$0\")/lib.sh\""
        try sandbox.write("echo '::result \"old\"'\n", to: "authored/mine/lib.sh")
        let source = try write("mine", script)
        #expect(try await sandbox.belfry("plugin", "add", "--yes", source).status == 0)
        #expect(try await sandbox.belfry("add", "mine").status == 0)
        var progress: Double?
        while progress != 5 {
            progress = try await sandbox.belfry("show", "1", "--json").json["progress"]?.double
        }
        let old = try #require(try await show("mine")["directory"]?.string)
        try sandbox.write("echo '::result \"new\"'\n", to: "authored/mine/lib.sh")
        try write("mine", ". \"$(dirname \"$0\")/lib.sh\"", version: "2.0.0")
        let updated = try await sandbox.belfry("plugin", "update", "--yes", "mine")
        #expect(updated.status == 0, "\(updated.errors)")
        #expect(try await sandbox.belfry("run", "mine").output == "\"new\"\n")
        #expect(FileManager.default.fileExists(atPath: old + "/lib.sh"))
        try await sandbox.run("/bin/sh", ["-c", "echo > \(fifo)"])
        let ended = try await sandbox.belfry("wait", "1")
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(try await sandbox.belfry("show", "1", "--json").json["result"]?["value"] == "old")
        _ = try await sandbox.belfry("plugin", "list")
        try await sandbox.killHub()
        try sandbox.startHub()
        #expect(!FileManager.default.fileExists(atPath: old + "/lib.sh"))
    }

    @Test("a linked plugin is reloaded when its manifest is saved")
    func reload() async throws {
        let source = try write("live", "echo \"::result \\\"$BELFRY_FEATURE\\\"\"")
        #expect(try await sandbox.belfry("plugin", "add", "--yes", "--link", source).status == 0)
        #expect(try await sandbox.belfry("run", "live").output == "\"live\"\n")
        try write("live", "echo \"::result \\\"$BELFRY_FEATURE\\\"\"", more: ["features": [["id": "later"]]])
        // The kernel tells the hub, and the hub the features.
        var known = false
        while !known { known = try await sandbox.belfry("feature", "show", "later").status == 0 }
        #expect(try await sandbox.belfry("run", "later").output == "\"later\"\n")
    }

    @Test("secrets reach the plugin that asks for them, and nothing else that can be read")
    func secrets() async throws {
        try sandbox.write("from-a-file-7163\n", to: "key", mode: 0o600)
        try sandbox.write(
            "[secrets]\nKEY = \"literal-7163\"\nFILED = { file = \"\(sandbox.root)/key\" }\n",
            to: "config.toml"
        )
        let script =
            "echo \"::result {\\\"ok\\\": \\\"${#KEY} ${#FILED} ${#BELFRY_PARAM_TOKEN} $BELFRY_PARAM_NAME\\\"}\""
        let params: JSONValue = [
            "type": "object",
            "properties": [
                "token": ["type": "string", "writeOnly": true, "minLength": 5], "name": ["type": "string"],
            ],
        ]
        let asks = try write(
            "asks",
            script,
            more: ["secrets": ["KEY", "FILED"], "features": [["id": "asks", "params": params]]]
        )
        let silent = try write("silent", script)
        for source in [asks, silent] {
            let added = try await sandbox.belfry("plugin", "add", "--yes", source)
            #expect(added.status == 0 && !added.errors.contains("cannot run"), "\(added.errors)")
        }
        let ran = try await sandbox.belfry("run", "asks", "token=param-7163", "name=n")
        #expect(ran.json == ["ok": "12 16 10 n"], "\(ran.errors)")
        #expect(try await sandbox.belfry("run", "silent").json == ["ok": "0 0 0 "])
        let refused = try await sandbox.belfry("run", "asks", "token=7163")
        #expect(refused.status == 64 && !refused.errors.contains("7163"), "\(refused.errors)")
        _ = try await sandbox.belfry(
            "schedule",
            "add",
            "daily",
            "--cron",
            "0 7 * * *",
            "asks",
            "token=param-7163",
            "name=n"
        )
        for words in [
            ["show", "1"], ["show", "1", "--json"], ["list", "--json"], ["list"],
            ["schedule", "show", "daily"],
            ["schedule", "show", "--json", "daily"], ["schedule", "list", "--json"],
            ["plugin", "list", "--json"],
            ["plugin", "show", "--json", "asks"], ["status", "--json"], ["doctor", "--json"], ["log", "1"],
        ] {
            let seen = try await sandbox.run(Sandbox.programs + "/belfry", words)
            #expect(!(seen.output + seen.errors).contains("7163"), "\(words)")
        }
        #expect(try await sandbox.belfry("show", "1", "--json").json["params"]?["token"] == "***")
        for file in ["events.jsonl", "belfryd.log"] {
            let text = try String(contentsOfFile: sandbox.places.state + "/" + file, encoding: .utf8)
            #expect(!text.contains("7163"), "\(file)")
        }
        // Sealed, it is still the parameter when the task is run again.
        let again = try await sandbox.belfry("schedule", "run", "daily")
        #expect(again.status == 0, "\(again.errors)")
        _ = try await sandbox.belfry("wait", "last")
        #expect(
            try await sandbox.belfry("show", "last", "--json").json["result"]?["value"] == [
                "ok": "12 16 10 n"
            ]
        )
    }

    @Test("a plugin's Python environment is made when it is added, used by its program, and removed with it")
    func environment() async throws {
        let script = "import six, sys\nprint('::result \"%s %s\"' % (six.__version__, sys.prefix))\n"
        let more: JSONObject = [
            "setup": ["venv": "requirements.txt", "no_deps": true],
            "runner": ["protocol": "exec/1", "command": "python3", "args": ["${plugin_dir}/main.py"]],
        ]
        let source = try write("pythonic", "", more: more)
        try sandbox.write(script, to: "authored/pythonic/main.py")
        try sandbox.write("six==1.17.0\n", to: "authored/pythonic/requirements.txt")
        let added = try await sandbox.belfry("plugin", "add", "--yes", "--no-setup", source)
        #expect(added.errors.contains("belfry plugin setup pythonic"), "\(added.errors)")
        let made = try await sandbox.belfry("plugin", "setup", "pythonic")
        try #require(made.status == 0, "pip could not install six 1.17.0 from PyPI: \(made.errors)")
        #expect(made.errors.contains("six"), "what pip says is shown")
        let ran = try await sandbox.belfry("run", "pythonic")
        #expect(ran.output.hasPrefix("\"1.17.0 \(sandbox.root)/data/venvs/"), "\(ran.output)\(ran.errors)")
        try sandbox.write("no-such-package-here==0.0.1\n", to: "authored/pythonic/requirements.txt")
        let failed = try await sandbox.belfry(
            "plugin",
            "update",
            "--yes",
            "pythonic",
            adding: ["PIP_NO_INDEX": "1"]
        )
        #expect(failed.status == 1)
        #expect(failed.errors.contains("pythonic stays at 1.0.0."), "\(failed.errors)")
        #expect(failed.errors.contains("belfry plugin update pythonic"), "\(failed.errors)")
        #expect(try await sandbox.belfry("run", "pythonic").output.hasPrefix("\"1.17.0 "))
        try await unseen(source)
        try sandbox.write("# the same\nsix==1.17.0\n", to: "authored/pythonic/requirements.txt")
        let updated = try await sandbox.belfry("plugin", "update", "--yes", "pythonic")
        #expect(updated.status == 0, "\(updated.errors)")
        #expect(try await show("pythonic")["state"] == "ready")
        #expect(try await sandbox.belfry("run", "pythonic").output.hasPrefix("\"1.17.0 "))
        #expect(try await sandbox.belfry("plugin", "remove", "--yes", "pythonic").status == 0)
        let left = try FileManager.default.contentsOfDirectory(atPath: sandbox.root + "/data/venvs")
        #expect(!left.contains("pythonic"))
        let inside = try FileManager.default.contentsOfDirectory(atPath: sandbox.root + "/data/venvs/.made")
        #expect(inside.isEmpty, "\(inside)")
    }

    /// pip runs what it installs: never for files that are not those that somebody was shown.
    private func unseen(_ source: String) async throws {
        let answer = try await sandbox.run(
            Sandbox.programs + "/belfryd",
            ["setup-plugin", "--ahead", String(repeating: "0", count: 64), "--", source]
        )
        #expect(answer.output.hasPrefix("409\n") && answer.output.contains("have changed"), "\(answer)")
        #expect(!answer.errors.contains("no-such-package-here"))
    }

    @Test("an environment that a plugin can do without holds up no update when it cannot be made")
    func optionalEnvironment() async throws {
        let more: JSONObject = ["setup": ["venv": "requirements.txt", "optional": true]]
        let source = try write("modest", "echo '::result 1'", more: more)
        try sandbox.write("", to: "authored/modest/requirements.txt")
        #expect(try await sandbox.belfry("plugin", "add", "--yes", "--no-setup", source).status == 0)
        _ = try write("modest", "echo '::result 2'", version: "2.0.0", more: more)
        try sandbox.write("no-such-package-here==0.0.1\n", to: "authored/modest/requirements.txt")
        let updated = try await sandbox.belfry(
            "plugin",
            "update",
            "--yes",
            "modest",
            adding: ["PIP_NO_INDEX": "1"]
        )
        #expect(updated.status == 0 && updated.errors.contains("It goes without."), "\(updated)")
        #expect(try await sandbox.belfry("run", "modest").output == "2\n")
    }
}
