// belfry edit, move, stash and release: what is done about tasks that wait.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct EditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Changes a pending task.",
        usage: "belfry edit TASK [key=value …] [options]",
        discussion:
            "What is not named stays as it is. --within counts from now; --need gpu=0 takes a need away."
    )

    @Argument(help: "A number, an id, or last.") var task: String
    @Argument(help: ArgumentHelp("Parameters that change; the others stay.", valueName: "key=value"))
    var arguments: [String] = []
    @Option(help: "What the task is called in lists and popups.") var title: String?
    @OptionGroup var settings: TaskSettings
    @Flag(help: "Start as soon as it can, whatever time was set.") var now = false
    @Flag(help: "Print the task as JSON.") var json = false

    func validate() throws {
        for argument in arguments where !argument.contains("=") {
            throw ValidationError("'\(argument)' is not of the form key=value.")
        }
        guard !now || (settings.at == nil && settings.delay == nil) else {
            throw ValidationError("Give either --now, or a time with --at or --delay.")
        }
    }

    func run() throws {
        let session = Session()
        try GroupNote.tell(of: settings.group, session)
        var body = try settings.members()
        body.set("title", title.map { .string($0) })
        if now { body["notBefore"] = .null }
        if !arguments.isEmpty { body["arguments"] = .array(arguments.map(SubmissionOptions.pair)) }
        guard !body.isEmpty else {
            throw ValidationError("Say what is to change, such as --priority 5 or key=value.")
        }
        let isCommand = try session.task(task).featureID == "shell"
        body["context"] = try session.context(withEnvironment: isCommand).json
        let answer = try session.ask(
            "PATCH",
            "/v1/tasks/\(URLText.encode(task))",
            body: .object(body)
        )
        if json { return Output.json(answer) }
        Output.line("#\(answer["number"]?.int ?? 0) is changed")
    }
}

struct MoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move",
        abstract: "Puts pending tasks before all others of their priority.",
        discussion: "To put one before tasks of higher priority too: belfry edit TASK --priority N"
    )

    @Argument(help: "Numbers, ids, ranges such as 12-20, or last.") var tasks: [String]

    func run() throws {
        // The last to be moved is the first: so that they keep their order.
        try Change.each(try Session().names(tasks).reversed()) { session, name in
            (try session.ask("POST", "/v1/tasks/\(URLText.encode(name))/front"), "is next")
        }
    }
}

struct StashCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stash",
        abstract: "Puts pending tasks aside until they are released."
    )

    @Argument(help: "Numbers, ids, ranges such as 12-20, or last.") var tasks: [String]

    func run() throws {
        try Change.each(tasks) { session, name in
            (try session.ask("POST", "/v1/tasks/\(URLText.encode(name))/stash"), "is put aside")
        }
    }
}

struct ReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Lets stashed tasks go."
    )

    @Argument(help: "Numbers, ids, ranges such as 12-20, or last.") var tasks: [String]

    func run() throws {
        try Change.each(tasks) { session, name in
            (
                try session.submit("POST", "/v1/tasks/\(URLText.encode(name))/release", body: [:]).answer,
                "may start"
            )
        }
    }
}
