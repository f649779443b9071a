// Observer plugins with the real hub: who dies in the middle misses nothing, who hangs delays nobody, and what
// is set aside is seen and comes back.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Observer plugins", .timeLimit(.minutes(3)))
struct ObserverTests {
    /// Writes an observer of one shell script and adds it.
    @discardableResult
    private func add(
        _ id: String,
        _ script: String,
        manifest more: JSONObject = [:],
        to sandbox: Sandbox
    ) async throws -> Ran {
        var manifest: JSONObject = [
            "manifest_version": 1, "id": .string(id), "version": "1.0.0", "kind": "observer",
            "runner": ["protocol": "observer/1", "command": "${plugin_dir}/main.sh"], "cancel_grace_s": 1,
        ]
        for (key, value) in more { manifest[key] = value }
        let directory = sandbox.root + "/authored/" + id
        try sandbox.write(JSONValue.object(manifest).text, to: directory + "/plugin.json")
        try sandbox.write("#!/bin/sh\n\(script)\n", to: directory + "/main.sh", mode: 0o755)
        let ran = try await sandbox.belfry("plugin", "add", "--yes", directory)
        #expect(ran.status == 0, "\(ran.errors)")
        return ran
    }

    /// Notes each event's position in `file` and acknowledges it after `work`.
    private func noting(_ file: String, work: String = "") -> String {
        """
        while read -r line; do
            p=${line#*'"position":'}; p=${p%%,*}
            echo "$p $$" >> \(file)
            \(work)
            echo "{\\"ack\\":$p}"
        done
        """
    }

    private func positions(_ file: String) -> [Int64] {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { Int64($0.split(separator: " ")[0]) }
    }

    private func sink(_ name: String, _ sandbox: Sandbox) async throws -> JSONValue? {
        let list = try await sandbox.belfry("sink", "list", "--json").json
        return list["sinks"]?.array?.first { $0["name"]?.string == name }
    }

    /// Asks again and again until the sink is as wanted; the time limit of the suite ends it.
    private func wait(for name: String, _ sandbox: Sandbox, until isThere: (JSONValue) -> Bool) async throws {
        while true {
            if let sink = try await sink(name, sandbox), isThere(sink) { return }
        }
    }

    private func plugin(_ id: String, _ sandbox: Sandbox) async throws -> JSONValue? {
        let list = try await sandbox.belfry("plugin", "list", "--json").json
        return list["plugins"]?.array?.first { $0["id"]?.string == id }
    }

    private func submit(_ count: Int, _ sandbox: Sandbox) async throws {
        let lines = String(repeating: "{\"command\": [\"true\"]}\n", count: count)
        let ran = try await sandbox.belfry("batch", "shell", "--from", "-", "--wait", input: lines)
        #expect(ran.status == 0, "\(ran.errors)")
    }

    @Test("is added while the hub runs, hears what happens from then on, and is seen everywhere")
    func added() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let file = sandbox.root + "/heard"
        try await add("ears", noting(file), manifest: ["events": ["completed"]], to: sandbox)
        try await sandbox.belfry("run", "--", "true")
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 }
        #expect(positions(file) == [6])
        #expect(try await plugin("ears", sandbox)?["state"] == "ready")
        let page = try await sandbox.run(
            "/usr/bin/curl",
            ["-s", "--unix-socket", sandbox.places.socket, "http://hub/metrics"]
        ).output
        #expect(page.contains("belfry_sink_lag_events{sink=\"ears\"} 0"), "\(page)")
        // Its place is kept while it is off, and forgotten with it.
        try await sandbox.belfry("plugin", "disable", "ears")
        #expect(try await sink("ears", sandbox) == nil)
        try await sandbox.belfry("run", "--", "true")
        try await sandbox.belfry("plugin", "enable", "ears")
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 }
        #expect(positions(file) == [6, 9])
        #expect(try await sandbox.belfry("plugin", "remove", "--yes", "ears").status == 0)
        try await sandbox.belfry("run", "--", "true")
        try await add("ears", noting(file), manifest: ["events": ["completed"]], to: sandbox)
        try await sandbox.belfry("run", "--", "true")
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 }
        #expect(positions(file) == [6, 9, 15])
    }

    @Test(
        "kill -9 of the hub and of the observer in the middle: every event comes, in order, none is skipped"
    )
    func killed() async throws {
        let sandbox = try Sandbox()
        let file = sandbox.root + "/heard"
        let script = noting(file, work: "case $p in *7) kill -9 $$;; esac")
        // It dies of each event that ends in 7 and was not heard before.
        let onlyOnce = script.replacing(
            "case $p in",
            with: "[ $(grep -c \"^$p \" \(file)) -gt 1 ] || case $p in"
        )
        try await add("ears", onlyOnce, manifest: ["restart": ["max": 100, "window_s": 1]], to: sandbox)
        for _ in 0..<3 {
            let before = positions(file).count
            try await submit(8, sandbox)
            while positions(file).count == before { await Task.yield() }
            try await sandbox.killHub()
            try sandbox.startHub()
        }
        let newest = try await sandbox.belfry("status", "--json").json["store"]?["newest"]?.int ?? 0
        #expect(newest > 70)
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 }
        var highest: Int64 = 0
        for position in positions(file) {
            // A repeat goes back, and nothing is ever passed over on the way forward.
            #expect(position <= highest + 1, "\(position) after \(highest)")
            highest = max(highest, position)
        }
        #expect(highest == newest)
        try await sandbox.belfry("stop")
    }

    @Test("one that hangs delays no task and no other observer, and does not hold up the end of the hub")
    func hangs() async throws {
        let sandbox = try Sandbox()
        let file = sandbox.root + "/heard"
        try await add("hung", "trap '' TERM; exec sleep 1000", to: sandbox)
        try await add("ears", noting(file), to: sandbox)
        try await submit(5, sandbox)
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 }
        let hung = try #require(try await sink("hung", sandbox))
        #expect(hung["lag"]?.int ?? 0 >= 17)
        #expect(try await plugin("hung", sandbox)?["state"] == "busy")
        let clock = ContinuousClock()
        let time = try await clock.measure { try await sandbox.belfry("stop") }
        #expect(time < .seconds(20))
        #expect(positions(file).last == positions(file).max())
    }

    @Test("one that crashes is set aside after its limit, says so, and enabling it starts it again")
    func quarantined() async throws {
        let sandbox = try Sandbox()
        let file = sandbox.root + "/heard"
        let script = "[ -e \(sandbox.root)/mended ] || { echo 'no way in' >&2; exit 7; }\n" + noting(file)
        try await add("ears", script, manifest: ["restart": ["max": 2]], to: sandbox)
        try await sandbox.belfry("run", "--", "true")
        try await wait(for: "ears", sandbox) { $0["lastError"]?.string?.contains("plugin enable") == true }
        let shown = try #require(try await plugin("ears", sandbox))
        #expect(shown["state"] == "quarantined" && shown["fix"] == "belfry plugin enable ears")
        let doctor = try await sandbox.belfry("doctor").output
        let lines = doctor.split(separator: "\n").drop { !$0.contains("the sink ears fails") }
        #expect(lines.dropFirst().first == "  fix: belfry plugin enable ears", "\(doctor)")
        #expect(!doctor.contains("XDG_RUNTIME_DIR"), "what is set is not missed: \(doctor)")
        #expect(shown["reason"]?.string?.contains("status 7") == true)
        #expect(shown["reason"]?.string?.contains("no way in") == true)
        try sandbox.write("", to: "mended")
        try await sandbox.belfry("plugin", "enable", "ears")
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 }
        #expect(positions(file) == [1, 2, 3])
        #expect(try await plugin("ears", sandbox)?["state"] == "ready")
    }

    @Test(
        "what it refuses is put aside after five tries, seen with its reason, and delivered again when asked"
    )
    func parked() async throws {
        let sandbox = try Sandbox()
        let file = sandbox.root + "/heard"
        let script = noting(
            file,
            work:
                "if [ $p = 2 ] && [ ! -e \(sandbox.root)/mended ]; then echo \"::reject 2 too odd\"; continue; fi"
        )
        try await add("ears", script, to: sandbox)
        try await sandbox.belfry("run", "--", "true")
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 && $0["parked"] == 1 }
        #expect(positions(file) == [1, 2, 2, 2, 2, 2, 3])
        let list = try await sandbox.belfry("sink", "parked", "ears")
        #expect(list.output.contains("too odd") && list.output.contains("task.started #1"), "\(list.output)")
        let again = try await sandbox.belfry("sink", "replay", "ears", "2")
        #expect(again.status == 1 && again.output == "refused again: 2\n", "\(again)")
        let wrong = try await sandbox.belfry("sink", "replay", "ears", "3")
        #expect(wrong.status == 1 && wrong.errors.contains("belfry sink parked ears"), "\(wrong)")
        try sandbox.write("", to: "mended")
        let replayed = try await sandbox.belfry("sink", "replay", "ears", "--all")
        #expect(replayed.status == 0 && replayed.output == "delivered: 2\n", "\(replayed)")
        #expect(positions(file) == [1, 2, 2, 2, 2, 2, 3, 2, 2])
        #expect(try await sink("ears", sandbox)?["parked"] == 0)
        let none = try await sandbox.belfry("sink", "replay", "ears", "--all", "--drop")
        #expect(none.status == 0 && none.errors.contains("Nothing is put aside"), "\(none)")
    }

    @Test(
        "an event that makes it crash is put aside after its tries; the next ones come, and it comes when asked",
        arguments: [1, 10]
    )
    func poison(window: Int) async throws {
        let sandbox = try Sandbox()
        let file = sandbox.root + "/heard"
        let script = noting(
            file,
            work: "if [ $p = 2 ] && [ ! -e \(sandbox.root)/mended ]; then echo 'bad line' >&2; kill -9 $$; fi"
        )
        let manifest: JSONObject = ["restart": ["max": 2], "window": .int(Int64(window))]
        try await add("ears", script, manifest: manifest, to: sandbox)
        try await submit(2, sandbox)
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 && $0["parked"] == 1 }
        let heard = positions(file)
        #expect(heard.count { $0 == 2 } >= 2)
        let newest = try #require(heard.last)
        #expect(Set(heard) == Set(1...newest))
        #expect(Array(heard.suffix(Int(newest) - 2)) == Array(3...newest))
        #expect(try await plugin("ears", sandbox)?["state"] == "ready")
        let list = try await sandbox.belfry("sink", "parked", "ears")
        #expect(list.output.contains("signal 9") && list.output.contains("bad line"), "\(list.output)")
        let doctor = try await sandbox.belfry("doctor")
        #expect(doctor.output.contains("fix: belfry sink parked ears"), "\(doctor.output)")
        // It is still poison: asked for, it is put aside as before.
        let again = try await sandbox.belfry("sink", "replay", "ears", "2")
        #expect(again.status == 1 && again.errors.contains("signal 9"), "\(again)")
        #expect(try await sink("ears", sandbox)?["parked"] == 1)
        try sandbox.write("", to: "mended")
        var replayed = try await sandbox.belfry("sink", "replay", "ears", "2")
        // It waits a second after each crash.
        while replayed.errors.contains("signal 9") {
            replayed = try await sandbox.belfry("sink", "replay", "ears", "2")
        }
        #expect(replayed.status == 0 && replayed.output == "delivered: 2\n", "\(replayed)")
        #expect(try await sink("ears", sandbox)?["parked"] == 0)
    }

    @Test(
        "one that takes more memory than its limit is killed, and the event that made it is put aside with the figures"
    )
    func memory() async throws {
        let sandbox = try Sandbox()
        let file = sandbox.root + "/heard"
        let hoard = "python3 -c 'import time; pages = bytearray(b\"x\") * (200 << 20); time.sleep(1000)'"
        let script = noting(file, work: "if [ $p = 2 ]; then \(hoard); fi")
        let manifest: JSONObject = ["restart": ["max": 2], "limits": ["memory_mb": 64]]
        try await add("ears", script, manifest: manifest, to: sandbox)
        try await sandbox.belfry("run", "--", "true")
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 && $0["parked"] == 1 }
        #expect(positions(file) == [1, 2, 2, 3])
        let list = try await sandbox.belfry("sink", "parked", "ears")
        #expect(list.output.contains("over the memory limit of 64 MiB"), "\(list.output)")
    }

    @Test("its script may be changed: removed and added again, or linked and enabled, the new one runs")
    func relinked() async throws {
        let sandbox = try Sandbox()
        let directory = sandbox.root + "/authored/ears"
        try await add("ears", noting(sandbox.root + "/first"), to: sandbox)
        try await sandbox.belfry("plugin", "remove", "--yes", "ears")
        try await sandbox.belfry("plugin", "add", "--yes", "--link", directory)
        try await sandbox.belfry("run", "--", "true")
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 }
        try sandbox.write(
            "#!/bin/sh\n\(noting(sandbox.root + "/second"))\n",
            to: directory + "/main.sh",
            mode: 0o755
        )
        try await sandbox.belfry("plugin", "enable", "ears")
        try await sandbox.belfry("run", "--", "true")
        try await wait(for: "ears", sandbox) { $0["lag"] == 0 }
        #expect(positions(sandbox.root + "/first") == [1, 2, 3])
        #expect(positions(sandbox.root + "/second") == [4, 5, 6])
    }
}
