// What tasks wait for, and what people do about it: order, groups, needs, dependencies, chains, bounds.

import BelfryAPI
import BelfryCore
import DesktopTesting
import FoundationEssentials
import Glibc
import Testing

@Suite("Queue", .timeLimit(.minutes(3)))
struct QueueTests {
    /// A command that is at work until `letGo` is called with the same name.
    private func blocker(_ name: String, _ sandbox: Sandbox) -> [String] {
        mkfifo("\(sandbox.root)/\(name).here", 0o600)
        mkfifo("\(sandbox.root)/\(name).go", 0o600)
        return ["--", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES > \(name).here; read word < \(name).go"]
    }

    /// - Returns: the cards that the command was given.
    private func waitForStart(_ name: String, _ sandbox: Sandbox) async throws -> String {
        String(try await sandbox.run("/bin/cat", ["\(name).here"]).output.dropLast())
    }

    private func letGo(_ name: String, _ sandbox: Sandbox) async throws {
        try await sandbox.run("/bin/sh", ["-c", "echo on > \(name).go"])
    }

    private func belfry(_ words: [String], _ sandbox: Sandbox) async throws -> Ran {
        try await sandbox.run(Sandbox.programs + "/belfry", words)
    }

    private func reason(_ task: String, _ sandbox: Sandbox) async throws -> String? {
        try await sandbox.belfry("show", task, "--json").json["waiting"]?["text"]?.string
    }

    private func status(_ task: String, _ sandbox: Sandbox) async throws -> String? {
        try await sandbox.belfry("show", task, "--json").json["status"]?.string
    }

    // MARK: Order

    @Test("tasks start by priority, then in the order they came; move puts one first, pause holds all")
    func order() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[worker]\nconcurrency = 1\n", to: "config.toml")
        try sandbox.startHub()
        #expect(try await sandbox.belfry("pause").output == "everything is paused\n")
        for name in ["a", "b", "c", "d", "e"] {
            try await sandbox.belfry("add", "--", "sh", "-c", "echo \(name) >> order")
        }
        #expect(try await reason("1", sandbox) == "everything is paused: belfry resume")
        #expect(try await sandbox.belfry("edit", "5", "--priority", "3").output == "#5 is changed\n")
        let moved = try await sandbox.belfry("move", "3-4")
        #expect(moved.output == "#4 is next\n#3 is next\n")
        #expect(try await sandbox.belfry("resume").output == "everything is running\n")
        #expect(try await sandbox.belfry("wait").status == 0)
        let order = try String(contentsOfFile: sandbox.root + "/order", encoding: .utf8)
        #expect(order == "e\nc\nd\na\nb\n")
        let late = try await sandbox.belfry("move", "1")
        #expect(late.status == 1)
        #expect(late.errors.contains("only a pending task"), "\(late.errors)")
    }

    @Test("list says of each task why it waits; edit, release and --now let it go")
    func reasons() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--stash", "--", "true")
        try await sandbox.belfry("add", "--after", "last", "--", "true")
        try await sandbox.belfry("add", "--delay", "1h", "--", "true")
        try await sandbox.belfry("add", "--at", "2999-12-01T08:00", "--", "true")
        let list = try await sandbox.belfry("list")
        for words in [
            "○ stashed", "(put aside: belfry release 1)", "(comes after #1)",
            "(not before 2999-12-01T08:00:00",
        ] {
            #expect(list.output.contains(words), "\(list.output)")
        }
        let both = try await sandbox.belfry("edit", "3", "--now", "--delay", "1h")
        #expect(both.status == 64)
        #expect(try await sandbox.belfry("edit", "3").errors.contains("Say what is to change"))
        #expect(try await sandbox.belfry("edit", "3", "--now", "--title", "soon").status == 0)
        #expect(try await sandbox.belfry("wait", "3").status == 0)
        #expect(try await sandbox.belfry("show", "3").output.contains("soon"))
        #expect(try await sandbox.belfry("stash", "4").output == "#4 is put aside\n")
        #expect(try await sandbox.belfry("edit", "4", "--at", "2020-01-01").status == 0)
        #expect(try await sandbox.belfry("release", "1", "4").output == "#1 may start\n#4 may start\n")
        #expect(try await sandbox.belfry("wait", "1-4").status == 0)
    }

    @Test("edit changes params, bounds and needs of a task, and checks them as a submission's")
    func edit() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "text-to-image", "--stash", "prompt=x", "width=64", "height=64")
        let changes = ["prompt=y", "--within", "2h", "--attempts", "4", "--need", "gpu=1", "--label", "new"]
        let edited = try await belfry(["edit", "1", "--json"] + changes, sandbox)
        let task = edited.json
        #expect(task["params"]?["prompt"] == "y", "\(edited.errors)")
        #expect(task["params"]?["width"] == 64)
        #expect(task["maxAttempts"] == 4)
        #expect(task["needs"]?["gpu"] == 1)
        #expect(task["labels"] == ["new"])
        #expect(task["deadline"]?.string != nil)
        let wrong = try await sandbox.belfry("edit", "1", "width=999999")
        #expect(wrong.status == 64)
        #expect(wrong.errors.contains("'width'"), "\(wrong.errors)")
        let past = try await sandbox.belfry("edit", "1", "--deadline", "2020-01-01")
        #expect(past.status == 64)
        #expect(past.errors.contains("has passed already"), "\(past.errors)")
    }

    @Test("wait without names passes over what is put aside")
    func waitPassesOverStashed() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--stash", "--", "true")
        #expect(try await sandbox.belfry("add", "--", "true").status == 0)
        #expect(try await sandbox.belfry("wait").status == 0)
        #expect(try await status("1", sandbox) == "pending")
        #expect(try await status("2", sandbox) == "completed")
    }

    @Test("what waits can be changed while no hub runs, and none is started for it")
    func withoutHub() async throws {
        let sandbox = try Sandbox()
        for _ in 1...3 { try await sandbox.belfry("add", "--stash", "--", "true") }
        try await sandbox.belfry("stop")
        #expect(try await sandbox.belfry("edit", "1", "--title", "renamed").output == "#1 is changed\n")
        #expect(try await sandbox.belfry("move", "1").output == "#1 is next\n")
        #expect(try await sandbox.belfry("stash", "2").status == 0)
        #expect(try await sandbox.belfry("cancel", "3").output == "#3 cancelled\n")
        #expect(try await sandbox.belfry("edit", "3", "--title", "late").status == 1)
        let list = try await sandbox.belfry("list").output
        #expect(list.contains("renamed  (put aside") && list.contains("◼ cancelled"), "\(list)")
        #expect(sandbox.hubProcess == nil)
    }

    // MARK: Groups and needs

    @Test("a group has slots, can be paused, and drains: what is there ends, new ones are refused")
    func groups() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[worker]\nconcurrency = 4\n", to: "config.toml")
        #expect(
            try await sandbox.belfry("group", "set", "film", "--slots", "1").output
                == "the group film has 1 slot\n"
        )
        #expect(try await belfry(["add", "--group", "film"] + blocker("one", sandbox), sandbox).status == 0)
        _ = try await waitForStart("one", sandbox)
        try await sandbox.belfry("add", "--group", "film", "--", "true")
        #expect(try await reason("2", sandbox)?.contains("the group film has 1 slots") == true)
        #expect(try await sandbox.belfry("run", "--", "echo", "elsewhere").output == "elsewhere\n")
        let groups = try await sandbox.belfry("group", "list").output
        #expect(groups.contains(#/film +open +1 +1/#), "\(groups)")

        async let drained = sandbox.belfry("group", "drain", "film", "--wait")
        try await eventually("the group to drain") {
            try await sandbox.belfry("group").output.contains("draining") ? true : nil
        }
        let refused = try await sandbox.belfry("add", "--group", "film", "--", "true")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("belfry group resume film"), "\(refused.errors)")
        // What is there can still be changed; from elsewhere nothing comes in.
        #expect(try await sandbox.belfry("edit", "2", "--title", "still here").status == 0)
        try await sandbox.belfry("add", "--stash", "--", "true")
        let moved = try await sandbox.belfry("edit", "last", "--group", "film")
        #expect(moved.status == 1)
        #expect(moved.errors.contains("takes no new tasks"), "\(moved.errors)")
        try await letGo("one", sandbox)
        #expect(try await drained.status == 0)
        #expect(try await status("2", sandbox) == "completed")

        try await sandbox.belfry("group", "pause", "film")
        try await sandbox.belfry("add", "--group", "film", "--", "true")
        #expect(try await reason("last", sandbox) == "its group is paused: belfry group resume film")
        try await sandbox.belfry("stop")
        try sandbox.startHub()
        #expect(
            try await sandbox.belfry("group").output.contains("paused"),
            "it stays so when the hub restarts"
        )
        #expect(try await sandbox.belfry("resume", "film").output == "the group film is running\n")
        #expect(try await sandbox.belfry("wait", "last").status == 0)
        for wrong in ["-1", "1025", "many"] {
            #expect(try await sandbox.belfry("group", "set", "film", "--slots=\(wrong)").status == 64)
        }
    }

    @Test("a drain says what is put aside and stays; a retry into it is refused")
    func drainWithStashed() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--group", "film", "--", "false")
        try await sandbox.belfry("add", "--group", "film", "--stash", "--", "true")
        let drained = try await sandbox.belfry("group", "drain", "film", "--wait")
        #expect(drained.status == 1)
        #expect(
            drained.errors.contains("1 task stays: #2 (put aside: belfry release 2)"),
            "\(drained.errors)"
        )
        let retried = try await sandbox.belfry("retry", "1")
        #expect(retried.status == 1)
        #expect(retried.errors.contains("takes no new tasks"), "\(retried.errors)")
        #expect(try await status("1", sandbox) == "failed")
        #expect(try await sandbox.belfry("release", "2").status == 0)
        #expect(try await sandbox.belfry("group", "drain", "film", "--wait").status == 0)
    }

    @Test("a drain waits for tasks of other groups that its own come after")
    func drainAfterOthers() async throws {
        let sandbox = try Sandbox()
        #expect(try await belfry(["add"] + blocker("one", sandbox), sandbox).status == 0)
        _ = try await waitForStart("one", sandbox)
        try await sandbox.belfry("add", "--group", "film", "--after", "1", "--", "true")
        async let drained = sandbox.belfry("group", "drain", "film", "--wait")
        try await eventually("the group to drain") {
            try await sandbox.belfry("group").output.contains("draining") ? true : nil
        }
        try await letGo("one", sandbox)
        #expect(try await drained.status == 0)
        #expect(try await status("2", sandbox) == "completed")
    }

    @Test("a new group is told of, and can be removed when nothing waits or runs in it")
    func newGroup() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("group", "set", "film", "--slots", "1")
        let known = try await sandbox.belfry("add", "--group", "film", "--stash", "--", "true")
        #expect(!known.errors.contains("new group"), "\(known.errors)")
        let misspelt = try await sandbox.belfry("run", "--group", "flim", "--", "true")
        #expect(misspelt.status == 0)
        #expect(misspelt.errors.contains("'flim' is a new group; did you mean 'film'?"), "\(misspelt.errors)")
        let busy = try await sandbox.belfry("group", "remove", "film")
        #expect(busy.status == 1)
        #expect(busy.errors.contains("has tasks that wait or run"), "\(busy.errors)")
        try await sandbox.belfry("cancel", "1")
        #expect(try await sandbox.belfry("group", "remove", "film").output == "the group film is removed\n")
        #expect(try await !sandbox.belfry("group").output.contains("film"))
        #expect(try await sandbox.belfry("group", "remove", "film").errors.contains("no group 'film'"))
    }

    @Test("wait without names returns when only what is put aside, and what comes after that, is left")
    func waitBehindStashed() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("add", "--stash", "--", "true")
        try await sandbox.belfry("add", "--after", "1", "--", "true")
        try await sandbox.belfry("add", "--after", "2", "--", "true")
        #expect(try await belfry(["add"] + blocker("one", sandbox), sandbox).status == 0)
        _ = try await waitForStart("one", sandbox)
        try await sandbox.belfry("add", "--after", "4", "--", "true")
        async let waited = sandbox.belfry("wait")
        try await letGo("one", sandbox)
        let ran = try await waited
        #expect(ran.status == 0)
        let words = "3 tasks stay: #1 (put aside: belfry release 1), #2 (comes after #1), #3 (comes after #2)"
        #expect(ran.errors.contains(words), "\(ran.errors)")
        #expect(try await status("5", sandbox) == "completed")
    }

    @Test("retry and cancel of many leave what may not be changed, and say which and why")
    func skipped() async throws {
        let sandbox = try Sandbox()
        // The first attempt of each fails, and the second waits.
        let script = "test -e \(sandbox.root)/failed || exit 1; exec sleep 1000"
        for _ in 0..<2 {
            let ran = try await sandbox.belfry("run", "--unique", "--", "sh", "-c", script)
            #expect(ran.status == 1, "\(ran.errors)")
        }
        #expect(try await sandbox.belfry("run", "--", "false").status == 1)
        try sandbox.write("", to: "failed")
        let retried = try await sandbox.belfry("retry", "--failed")
        #expect(retried.status == 0 && retried.output == "2 tasks retried\n", "\(retried)")
        #expect(retried.errors.hasPrefix("1 task left as before:\n"), "\(retried.errors)")
        #expect(retried.errors.contains("#"), "\(retried.errors)")
        var statuses: [String] = []
        for number in ["1", "2"] {
            statuses.append(try await sandbox.belfry("show", number, "--json").json["status"]?.string ?? "")
        }
        #expect(statuses.count { $0 == "failed" } == 1, "\(statuses)")
        #expect(try await sandbox.belfry("wait", "3").status == 1)
        let dry = try await sandbox.belfry("cancel", "--dry-run", "1-3")
        #expect(dry.output == "1 task would be cancelled\n", "\(dry)")
        #expect(try await sandbox.belfry("cancel", "--all").output == "1 task cancelled\n")
    }

    @Test("tasks share what there is of a resource, and what can never be is refused")
    func needs() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "[worker]\nconcurrency = 4\n[resources]\nlicense = 2\nmemory = \"8G\"\n",
            to: "config.toml"
        )
        let first = ["add", "--need", "license=2", "--need", "memory=5G"] + blocker("one", sandbox)
        #expect(try await belfry(first, sandbox).status == 0)
        _ = try await waitForStart("one", sandbox)
        #expect(
            try await sandbox.belfry("run", "--need", "memory=3G", "--", "echo", "fits").output == "fits\n"
        )
        try await sandbox.belfry("add", "--need", "license=1", "--", "true")
        try await sandbox.belfry("add", "--need", "memory=4G", "--", "true")
        try await sandbox.belfry("add", "--need", "slots=4", "--", "true")
        #expect(try await reason("3", sandbox) == "needs license=1: #1 has it")
        #expect(try await reason("4", sandbox)?.hasSuffix(": #1 has it") == true)
        #expect(try await reason("5", sandbox) == "1 of 4 slots are in use")
        try await letGo("one", sandbox)
        #expect(try await sandbox.belfry("wait").status == 0)
        for (need, words) in [
            ("license=3", "it needs license=3, and there is 2"), ("memory=9G", "could never run here"),
            ("slots=5", "it takes 5 slots, and there are 4"), ("licence=1", "no resource 'licence'"),
            ("gpu", "gpu=1 or memory=8G"), ("memory=lots", "not an amount"), ("slots=0", "1 to 1024"),
        ] {
            let refused = try await sandbox.belfry("add", "--need", need, "--", "true")
            #expect(refused.status == 64, "\(need)")
            #expect(refused.errors.contains(words), "\(refused.errors)")
        }
    }

    // MARK: Graphics cards

    /// A sandbox with a stand-in for a driver's tool in its path, which prints `lines`.
    private func sandbox(standInFor tool: String, _ lines: String) throws -> Sandbox {
        let directory = "/tmp/belfry-fake-\(UUID().uuidString)"
        let sandbox = try Sandbox(["PATH": "\(directory):/usr/local/bin:/usr/bin:/bin"])
        try sandbox.write(
            "#!/bin/sh\n# A fake: this machine's cards are none.\nprintf '\(lines)'\n",
            to: "\(directory)/\(tool)",
            mode: 0o755
        )
        try sandbox.write("[worker]\nconcurrency = 4\n", to: "config.toml")
        return sandbox
    }

    @Test("each task has cards of its own among those that nvidia-smi lists")
    func cards() async throws {
        let sandbox = try sandbox(standInFor: "nvidia-smi", "0\\n1\\n")
        #expect(try await belfry(["add", "--need", "gpu=1"] + blocker("one", sandbox), sandbox).status == 0)
        #expect(try await waitForStart("one", sandbox) == "0")
        let script = "echo $CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES"
        let second = try await sandbox.belfry("run", "--need", "gpu=1", "--", "sh", "-c", script)
        #expect(second.output == "1 1\n", "\(second.errors)")
        try await sandbox.belfry("add", "--need", "gpu=2", "--", "sh", "-c", script)
        #expect(try await reason("3", sandbox) == "needs gpu=2: #1 has it")
        try await letGo("one", sandbox)
        #expect(try await sandbox.belfry("wait").status == 0)
        #expect(try await sandbox.belfry("log", "3").output == "0,1 0,1\n")
        #expect(
            try await sandbox.belfry("add", "--need", "gpu=3", "--", "true").errors.contains("there is 2")
        )
        try FileManager.default.removeItem(atPath: String(sandbox.environment["PATH"]!.prefix { $0 != ":" }))
    }

    @Test("cards that rocm-smi lists are told as HIP has it; a tool that prints nonsense finds none")
    func otherCards() async throws {
        let script = "echo $HIP_VISIBLE_DEVICES/$CUDA_VISIBLE_DEVICES"
        for (tool, lines, expected) in [
            ("rocm-smi", "device,Device ID\\ncard0,0x744c\\ncard1,0x744c\\n", "0/\n"),
            ("nvidia-smi", "NVIDIA-SMI has failed\\n", "/\n"),
        ] {
            let sandbox = try sandbox(standInFor: tool, lines)
            let ran = try await sandbox.belfry("run", "--need", "gpu=1", "--", "sh", "-c", script)
            #expect(ran.output == expected, "\(ran.errors)")
            try FileManager.default.removeItem(
                atPath: String(sandbox.environment["PATH"]!.prefix { $0 != ":" })
            )
        }
    }

    @Test("the configuration names the cards, and other devices, and has the last word")
    func configuredCards() async throws {
        let sandbox = try sandbox(standInFor: "nvidia-smi", "0\\n1\\n2\\n")
        try sandbox.write(
            "[resources]\ngpu = [\"GPU-b\", \"GPU-c\"]\nfast-disk = [\"/a\"]\n",
            to: "config.toml"
        )
        let script = "echo $CUDA_VISIBLE_DEVICES $BELFRY_GPU_DEVICES $BELFRY_FAST_DISK_DEVICES"
        let needs = ["run", "--need", "gpu=2", "--need", "fast-disk=1", "--", "sh", "-c", script]
        let ran = try await belfry(needs, sandbox)
        #expect(ran.output == "GPU-b,GPU-c GPU-b,GPU-c /a\n", "\(ran.errors)")
        let none = try await sandbox.belfry("run", "--", "sh", "-c", "echo cards: $CUDA_VISIBLE_DEVICES")
        #expect(none.output == "cards:\n")
        try FileManager.default.removeItem(atPath: String(sandbox.environment["PATH"]!.prefix { $0 != ":" }))
    }
}
