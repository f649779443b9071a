// belfry group, pause and resume: limits that tasks share, and holding many of them at once.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink

/// What the group commands send.
enum GroupChange {
    static func send(_ name: String, _ change: JSONValue) throws -> JSONValue {
        try Session().submit("PATCH", "/v1/groups/\(URLText.encode(name))", body: change).answer
    }

    static func set(_ names: [String], state: TaskGroup.State, _ word: String) throws {
        for name in names.isEmpty ? [TaskGroup.all] : names {
            _ = try send(name, ["state": .string(state.rawValue)])
            Output.line(name == TaskGroup.all ? "everything is \(word)" : "the group \(name) is \(word)")
        }
    }
}

struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Starts nothing new; what runs goes on. It stays so when the hub restarts."
    )

    @Argument(help: "Only these groups.") var groups: [String] = []

    func run() throws { try GroupChange.set(groups, state: .paused, "paused") }
}

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Starts tasks again after a pause."
    )

    @Argument(help: "Only these groups.") var groups: [String] = []

    func run() throws { try GroupChange.set(groups, state: .open, "running") }
}

struct GroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "Groups of tasks: parallel limits, pausing, draining.",
        discussion: """
            A group is there as soon as a task names it: belfry add --group gpu … says so when it is new.
            The group '*' is all of them: belfry pause holds it, belfry resume opens it.
            """,
        subcommands: [
            GroupListCommand.self, GroupSetCommand.self, GroupPauseCommand.self, GroupResumeCommand.self,
            GroupDrainCommand.self, GroupRemoveCommand.self,
        ],
        defaultSubcommand: GroupListCommand.self
    )
}

struct GroupListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the groups.")

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let answer = try Session().ask("GET", "/v1/groups")
        if json { return Output.json(answer) }
        var table = Table(["GROUP", "STATE", "SLOTS", "IN USE"])
        for group in answer["groups"]?.array ?? [] {
            let name = group["name"]?.string ?? ""
            table.add([
                name == TaskGroup.all ? "* (all)" : name, group["state"]?.string ?? "",
                group["slots"]?.int.map { String($0) } ?? "no limit", group["used"]?.text ?? "0",
            ])
        }
        table.print()
    }
}

struct GroupSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Sets a group's parallel limit.",
        aliases: ["add"]
    )

    @Argument(help: "The group.") var name: String
    @Option(help: ArgumentHelp("Slots for its tasks at once; 0 takes the limit away.", valueName: "n"))
    var slots: Int

    func run() throws {
        let answer = try GroupChange.send(name, ["slots": slots == 0 ? .null : .int(Int64(slots))])
        let slots = answer["slots"]?.int.map { $0 == 1 ? "1 slot" : "\($0) slots" } ?? "no limit"
        Output.line("the group \(name) has \(slots)")
    }
}

struct GroupPauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Starts nothing new of a group; what runs goes on."
    )

    @Argument(help: "The groups.") var names: [String]

    func run() throws { try GroupChange.set(names, state: .paused, "paused") }
}

struct GroupResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Opens a group again after a pause or a drain."
    )

    @Argument(help: "The groups.") var names: [String]

    func run() throws { try GroupChange.set(names, state: .open, "running") }
}

struct GroupDrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Takes no new tasks into a group, and lets those that are there run to their end.",
        discussion: """
            belfry group resume opens it again. What is put aside (belfry stash), and what comes after that, stays: \
            --wait names it on stderr and ends with the exit status 1.
            """
    )

    @Argument(help: "The group.") var name: String
    @Flag(help: "Return when the last one that can end by itself is final.") var wait = false

    func run() throws {
        try GroupChange.set([name], state: .draining, "draining")
        guard wait else { return }
        let (_, staying) = try WaitCommand.waitForAll(Session()) { $0["group"]?.string == name }
        guard !staying.isEmpty else { return }
        WaitCommand.tell(staying)
        throw ExitCode(ExitStatus.failure)
    }
}

struct GroupRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Forgets groups that no task waits or runs in: their limits and whether they are open.",
        aliases: ["rm"]
    )

    @Argument(help: "The groups.") var names: [String]

    func run() throws {
        let session = Session()
        for name in names {
            _ = try session.ask("DELETE", "/v1/groups/\(URLText.encode(name))")
            Output.line("the group \(name) is removed")
        }
    }
}

/// Tells who submits to a group that nobody knows: it may be misspelt.
enum GroupNote {
    static func tell(of name: String?, _ session: Session) throws {
        guard let name, name != TaskGroup.standard else { return }
        let known = (try session.ask("GET", "/v1/groups")["groups"]?.array ?? []).compactMap {
            $0["name"]?.string
        }
        guard !known.contains(name) else { return }
        let hint = NameSuggestion.closest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
        Output.note(Terminal.visible("belfry: '\(name)' is a new group\(hint)"))
    }
}
