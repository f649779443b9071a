// Schedules as people and scripts use them: real ticks, real restarts, and an environment that nobody is shown.

import BelfryAPI
import BelfryCore
import DesktopTesting
import FoundationEssentials
import Glibc
import Testing

@Suite("Schedules", .timeLimit(.minutes(3)))
struct ScheduleTests {
    private func made(_ sandbox: Sandbox) async throws -> Int64 {
        try await sandbox.belfry("schedule", "show", "beat").json["made"]?.int ?? 0
    }

    /// Waits until the schedule has made more tasks than now.
    private func waitForTick(_ sandbox: Sandbox) async throws {
        let before = try await made(sandbox)
        try await eventually("a tick") { try await made(sandbox) > before ? true : nil }
    }

    @Test(
        "an interval makes a task each second, also after a crash and a restart of the hub, until it is held"
    )
    func ticks() async throws {
        let sandbox = try Sandbox()
        let words = [
            "schedule", "add", "beat", "--every", "1s", "--title", "beat", "--", "sh", "-c", "echo $SECRET",
        ]
        let added = try await sandbox.run(
            Sandbox.programs + "/belfry",
            words,
            adding: ["SECRET": "opensesame"]
        )
        #expect(added.status == 0, "\(added.errors)")
        #expect(added.output.hasPrefix("beat comes next at "))
        try await waitForTick(sandbox)
        try await sandbox.killHub()
        try sandbox.startHub()
        try await waitForTick(sandbox)
        #expect(try await sandbox.belfry("schedule", "pause", "beat").output == "beat is paused\n")
        #expect(try await sandbox.belfry("schedule").output.contains("paused"))
        let held = try await made(sandbox)
        #expect(try await sandbox.belfry("wait").status == 0)

        // Run by hand: the environment of its making is used, and no answer of the hub shows it.
        let ran = try await sandbox.belfry("schedule", "run", "beat")
        let number = String(ran.output.prefix { $0 != "\t" })
        #expect(try await sandbox.belfry("wait", number).status == 0)
        #expect(try await sandbox.belfry("log", number).output == "opensesame\n")
        #expect(try await made(sandbox) == held)
        var answers = ""
        for words in [
            ["schedule", "show", "beat"], ["schedule", "list", "--json"], ["schedule"],
            ["show", number, "--json"],
            ["list", "--json"], ["tail", "-n", "all", "--no-follow", "--json"], ["status", "--json"],
        ] {
            let ran = try await sandbox.run(Sandbox.programs + "/belfry", words)
            #expect(ran.status == 0, "\(ran.errors)")
            answers += ran.output + ran.errors
        }
        answers += try String(contentsOfFile: sandbox.places.hubLog, encoding: .utf8)
        answers += try String(contentsOfFile: sandbox.places.eventLog, encoding: .utf8)
        #expect(!answers.contains("opensesame"))
        #expect(try await sandbox.belfry("show", number).output.contains("schedule    beat"))

        #expect(try await sandbox.belfry("schedule", "resume", "beat").output == "beat goes on\n")
        try await waitForTick(sandbox)
        #expect(try await sandbox.belfry("schedule", "remove", "beat").output == "beat is removed\n")
        #expect(try await sandbox.belfry("schedule", "list", "--json").json["schedules"] == [])
        #expect(
            try await sandbox.belfry("list", "--json").json["tasks"]?.array?.isEmpty == false,
            "its tasks stay"
        )
    }

    @Test("list and show have the rule, the zone and the next times")
    func shown() async throws {
        let sandbox = try Sandbox(["TZ": "Europe/Berlin"])
        let picture = ["text-to-image", "prompt=x", "--title", "sunrise"]
        let words =
            ["schedule", "add", "morning", "--cron", "0 7 * * mon-fri", "--catch-up", "skip"] + picture
        let added = try await sandbox.run(Sandbox.programs + "/belfry", words)
        #expect(added.status == 0, "\(added.errors)")
        let list = try await sandbox.belfry("schedule")
        for word in ["morning", "0 7 * * mon-fri", "Europe/Berlin", "sunrise"] {
            #expect(list.output.contains(word), "\(list.output)")
        }
        let shown = try await sandbox.belfry("schedule", "show", "morning").json
        #expect(shown["next"]?.array?.count == 3)
        #expect(shown["catchUp"] == "skip")
        #expect(shown["task"]?["params"]?["prompt"] == "x")
        let twice = try await sandbox.run(Sandbox.programs + "/belfry", words)
        #expect(twice.status == 1)
        let close = try await sandbox.belfry("schedule", "show", "mornin")
        #expect(close.errors.contains("did you mean 'morning'?"), "\(close.errors)")
        try await sandbox.belfry("stop")
        #expect(try await sandbox.belfry("schedule").output.contains("morning"), "also when no hub runs")
        #expect(sandbox.hubProcess == nil)
    }

    @Test(
        "rules that cannot be are refused with the reason, and make no schedule",
        arguments: [
            (["--cron", "61 * * * *"], "61"), (["--cron", "0 0 30 2 *"], "never"),
            (["--cron", "@reboot"], "@reboot"),
            (["--every", "0s"], "1 second to 10 years"), (["--every", "soon"], "soon"),
            (["--cron", "* * * * *", "--every", "1h"], "either"),
            ([], "either"), (["--cron", "@daily", "--zone", "Mars/Base"], "Mars/Base"),
            (["--every", "1h", "--catch-up", "maybe"], "skip, once or all"),
            (["--every", "1h", "--at", "22:30"], "no times of day"),
            (["--every", "1h", "--id", "0198c0de-7a3b-7cc1-9d2f-0123456789ab"], "no id"),
        ]
    )
    func refused(_ rule: [String], _ words: String) async throws {
        let sandbox = try Sandbox()
        let line = ["schedule", "add", "x"] + rule + ["--", "true"]
        let ran = try await sandbox.run(Sandbox.programs + "/belfry", line)
        #expect(ran.status == 64, "\(ran.output)")
        #expect(ran.errors.contains(words), "\(ran.errors)")
        #expect(try await sandbox.belfry("schedule", "list", "--json").json["schedules"] == [])
    }
}
