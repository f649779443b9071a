// belfry schedule: tasks that are made again and again.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct ScheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "Tasks that are made again and again: by cron, or at an interval.",
        subcommands: [
            ScheduleListCommand.self, ScheduleAddCommand.self, ScheduleShowCommand.self,
            ScheduleRunCommand.self, SchedulePauseCommand.self, ScheduleResumeCommand.self,
            ScheduleRemoveCommand.self,
        ],
        defaultSubcommand: ScheduleListCommand.self
    )
}

struct ScheduleAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Makes a schedule.",
        usage: """
            belfry schedule add NAME --cron '0 7 * * mon-fri' FEATURE key=value …
            belfry schedule add NAME --every 15m -- COMMAND ARG…
            """,
        discussion: "The hub has to run when a tick comes; what becomes of missed ones, --catch-up says."
    )

    @Argument(help: "What the schedule is called.") var name: String
    @Option(
        help: ArgumentHelp("Five fields, or @hourly, @daily, @weekly, @monthly, @yearly.", valueName: "rule")
    )
    var cron: String?
    @Option(help: ArgumentHelp("An interval from now on, such as 15m or 1h30m.", valueName: "duration"))
    var every: String?
    @Option(help: ArgumentHelp("The time zone of --cron. Defaults to this machine's.", valueName: "zone"))
    var zone: String?
    @Option(
        help: ArgumentHelp("Missed ticks make no task, one task, or one each.", valueName: "skip|once|all")
    )
    var catchUp = "once"
    @OptionGroup var options: SubmissionOptions
    @Flag(help: "Print the schedule as JSON.") var json = false

    func validate() throws {
        guard (cron == nil) != (every == nil) else {
            throw ValidationError("Give either --cron RULE or --every DURATION.")
        }
        guard options.then.isEmpty else {
            throw ValidationError("A schedule makes one task; it takes no --then.")
        }
    }

    /// The rule as the API takes it: an interval in whole seconds, or in its own words such as `2 weeks`.
    private func rule() throws -> String {
        guard let every else { return cron ?? "" }
        guard let seconds = try? Durations.seconds(every, "--every") else { return "every \(every)" }
        guard seconds == seconds.rounded() else {
            throw ValidationError("--every takes whole seconds, not '\(every)'.")
        }
        return "every \(Int64(seconds))s"
    }

    func run() throws {
        let session = Session()
        var task = try options.submission(session).object ?? [:]
        // Each tick's task gets one of its own.
        if options.id == nil { task["id"] = nil }
        let body: JSONValue = [
            "name": .string(name), "rule": .string(try rule()),
            "zone": .string(zone ?? Zone.own(session.environment)), "catchUp": .string(catchUp),
            "task": .object(task),
        ]
        let answer = try session.submit("POST", "/v1/schedules", body: body).answer
        if json { return Output.json(answer) }
        Output.line("\(name) comes next at \(answer["next"]?.array?.first?.string ?? "no time")")
    }
}

struct ScheduleListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the schedules.")

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let answer = try Session().ask("GET", "/v1/schedules")
        if json { return Output.json(answer) }
        let schedules = answer["schedules"]?.array ?? []
        guard !schedules.isEmpty else {
            return Output.note(
                "No schedules. Make one: belfry schedule add NAME --cron '0 7 * * *' FEATURE …"
            )
        }
        var table = Table(["NAME", "RULE", "ZONE", "NEXT", "MADE", "MISSED", "TASK"])
        for schedule in schedules {
            let next = schedule["paused"]?.bool == true ? "paused" : schedule["next"]?.array?.first?.string
            let task = schedule["task"]
            let command = task?["params"]?["command"]?.array?.compactMap(\.string).joined(separator: " ")
            table.add([
                schedule["name"]?.string ?? "", schedule["rule"]?.string ?? "",
                schedule["zone"]?.string ?? "",
                next ?? "never", schedule["made"]?.text ?? "0", schedule["missed"]?.text ?? "0",
                task?["title"]?.string ?? command ?? task?["featureId"]?.string ?? "",
            ])
        }
        table.print()
    }
}

struct ScheduleShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows a schedule as JSON, with its next times and its last task."
    )

    @Argument(help: "The schedule.") var name: String

    func run() throws { Output.json(try Session().ask("GET", "/v1/schedules/\(URLText.encode(name))")) }
}

struct ScheduleRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Makes the schedule's task now; its ticks stay as they are."
    )

    @Argument(help: "The schedule.") var name: String

    func run() throws {
        let path = "/v1/schedules/\(URLText.encode(name))/run"
        let answer = try Session().submit("POST", path, body: [:]).answer
        Output.line("\(answer["number"]?.int ?? 0)\t\(answer["id"]?.string ?? "")")
    }
}

struct SchedulePauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "pause", abstract: "Holds schedules.")

    @Argument(help: "The schedules.") var names: [String]

    func run() throws { try ScheduleChange.each(names, "pause", "is paused") }
}

struct ScheduleResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Lets schedules go on. Ticks in between are not made up for."
    )

    @Argument(help: "The schedules.") var names: [String]

    func run() throws { try ScheduleChange.each(names, "resume", "goes on") }
}

struct ScheduleRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Removes schedules. Tasks that they made stay.",
        aliases: ["rm"]
    )

    @Argument(help: "The schedules.") var names: [String]

    func run() throws {
        let session = Session()
        for name in names {
            _ = try session.ask("DELETE", "/v1/schedules/\(URLText.encode(name))")
            Output.line("\(name) is removed")
        }
    }
}

enum ScheduleChange {
    static func each(_ names: [String], _ word: String, _ done: String) throws {
        let session = Session()
        for name in names {
            _ = try session.submit("POST", "/v1/schedules/\(URLText.encode(name))/\(word)", body: [:])
            Output.line("\(name) \(done)")
        }
    }
}
