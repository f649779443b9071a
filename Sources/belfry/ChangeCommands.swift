// belfry cancel, retry and clear: what changes tasks that are there.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink

/// Which tasks a command means, when they are not named.
struct TaskSelection: ParsableArguments {
    @Argument(help: "Numbers, ids, ranges such as 12-20, or last.") var tasks: [String] = []
    @Option(help: "Of this batch, by its id.") var batch: String?
    @Option(help: "Of this feature.") var feature: String?
    @Option(help: "With this label.") var label: String?

    func validate() throws {
        guard tasks.isEmpty || !isFiltered else {
            throw ValidationError("Give either tasks, or --batch, --feature and --label to choose them.")
        }
    }

    var isFiltered: Bool { batch != nil || feature != nil || label != nil }

    /// The filter of a bulk request.
    var filter: JSONObject {
        var object = JSONObject()
        object.set("batch", batch.map { .string($0) })
        object.set("feature", feature.map { .string($0) })
        object.set("label", label.map { .string($0) })
        return object
    }

    /// The filter for a look at what would be changed, which names tasks too.
    func filter(_ session: Session) throws -> JSONObject {
        guard !tasks.isEmpty else { return filter }
        return ["tasks": .array(try session.names(tasks).map { .string($0) })]
    }
}

struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels tasks: pending ones at once, running ones as soon as they stop."
    )

    @OptionGroup var selection: TaskSelection
    @Flag(help: "Everything that is not final.") var all = false
    @Flag(help: "Only say how many it would be tried with.") var dryRun = false

    func validate() throws {
        guard !selection.tasks.isEmpty || selection.isFiltered || all else {
            throw ValidationError("Name tasks, or choose them with --batch, --feature, --label or --all.")
        }
        guard selection.tasks.isEmpty || !all else {
            throw ValidationError("Give either tasks or --all.")
        }
    }

    func run() throws {
        if selection.tasks.isEmpty || dryRun {
            return try Change.many("cancel", selection, "cancelled", isDryRun: dryRun)
        }
        try Change.each(selection.tasks) { session, name in
            let answer = try session.ask("POST", "/v1/tasks/\(URLText.encode(name))/cancel")
            return (answer, answer["status"]?.string == "processing" ? "is being cancelled" : "cancelled")
        }
    }
}

struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Runs finished tasks again, each with a new budget of attempts.",
        discussion: """
            Without names it is what failed: all of it with --failed, or that of a batch, a feature or a label. What \
            came after a task and failed with it comes back with it. One that may not be retried, such as a unique \
            one while another does the same, is told of and left as it is.
            """
    )

    @OptionGroup var selection: TaskSelection
    @Flag(help: "Everything that failed.") var failed = false
    @Flag(help: "Only say how many it would be tried with.") var dryRun = false

    func validate() throws {
        guard !selection.tasks.isEmpty || selection.isFiltered || failed else {
            throw ValidationError("Name tasks, or choose them with --failed, --batch, --feature or --label.")
        }
        guard selection.tasks.isEmpty || !failed else {
            throw ValidationError("Give either tasks or --failed.")
        }
    }

    func run() throws {
        if selection.tasks.isEmpty || dryRun {
            return try Change.many("retry", selection, "retried", isDryRun: dryRun, startsHub: true)
        }
        try Change.each(selection.tasks) { session, name in
            let path = "/v1/tasks/\(URLText.encode(name))"
            let task = try session.task(name)
            let context = try session.context(withEnvironment: task.featureID == "shell")
            let answer = try session.submit("POST", path + "/retry", body: ["context": context.json]).answer
            return (answer, "is pending again")
        }
    }
}

struct ClearCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Removes completed tasks with their result files and logs."
    )

    @OptionGroup var selection: TaskSelection
    @Flag(help: "Failed and cancelled tasks as well.") var all = false
    @Option(help: "Only these: completed, failed, cancelled; several with commas.") var status: String?
    @Option(help: ArgumentHelp("Only what ended longer ago, such as 7d.", valueName: "duration"))
    var olderThan: String?
    @Option(help: ArgumentHelp("The newest so many stay.", valueName: "n")) var keep: Int?
    @Flag(help: "Do not ask.") var yes = false
    @Flag(help: "Only say how many there are.") var dryRun = false

    func run() throws {
        let session = Session()
        let filter = try filter(session)
        func ask(isDryRun: Bool) throws -> Int64 {
            let body: JSONValue = [
                "action": "remove", "filter": .object(filter), "dryRun": .bool(isDryRun),
            ]
            return try session.ask("POST", "/v1/tasks:bulk", body: body)["removed"]?.int ?? 0
        }
        if dryRun {
            return Output.line(
                "\(Format.tasks(try ask(isDryRun: true))) would be removed, with their result files and logs"
            )
        }
        if !yes, !(try Confirmation.ask("Remove tasks with their result files and logs?")) {
            throw ExitCode(ExitStatus.failure)
        }
        Output.line("\(Format.tasks(try ask(isDryRun: false))) removed")
    }

    private func filter(_ session: Session) throws -> JSONObject {
        var filter = selection.filter
        let named = status?.split(separator: ",").map { JSONValue.string(String($0)) }
        let everything: [JSONValue] = ["completed", "failed", "cancelled"]
        filter["statuses"] = .array(
            named ?? (all || !selection.tasks.isEmpty ? everything : ["completed"])
        )
        if !selection.tasks.isEmpty {
            filter["tasks"] = .array(try session.names(selection.tasks).map { .string($0) })
        }
        if let olderThan {
            let age = try Durations.seconds(olderThan, "--older-than")
            filter["finishedBefore"] = .string(SystemWallClock().now.adding(.seconds(-age)).description)
        }
        filter.set("keeping", keep.map { .int(Int64($0)) })
        return filter
    }
}

enum Change {
    /// Does one thing to all tasks that a filter finds.
    static func many(
        _ action: String,
        _ selection: TaskSelection,
        _ done: String,
        isDryRun: Bool,
        startsHub: Bool = false
    ) throws {
        let session = Session()
        let body: JSONValue = [
            "action": .string(action), "filter": .object(try selection.filter(session)),
            "dryRun": .bool(isDryRun),
        ]
        let answer =
            startsHub && !isDryRun
            ? try session.submit("POST", "/v1/tasks:bulk", body: body).answer
            : try session.ask("POST", "/v1/tasks:bulk", body: body)
        let count = Format.tasks(answer[done]?.int ?? 0)
        Output.line(isDryRun ? "\(count) would be \(done)" : "\(count) \(done)")
        guard let skipped = answer["skipped"]?.int, skipped > 0 else { return }
        Output.note("\(Format.tasks(skipped)) left as before:")
        let reasons = (answer["reasons"]?.array ?? []).compactMap(\.string)
        for reason in reasons { Output.note("  \(Terminal.visible(reason))") }
        if skipped > reasons.count { Output.note("  …") }
    }

    /// Changes each named task and says what was done: `change` gives the task, and that.
    static func each(
        _ tasks: [String],
        _ change: (Session, String) throws -> (task: JSONValue, what: String)
    ) throws {
        try each(tasks) { (session, name) -> Void in
            let (task, what) = try change(session, name)
            Output.line("#\(task["number"]?.int ?? 0) \(what)")
        }
    }

    /// Does one thing with each named task; one that cannot be had does not stop the others.
    static func each(_ tasks: [String], _ work: (Session, String) throws -> Void) throws {
        let session = Session()
        var lastError: BelfryError?
        for name in try session.names(tasks) {
            do { try work(session, name) } catch let error as BelfryError {
                if let lastError { Output.error(lastError) }
                lastError = error
            }
        }
        if let lastError { throw lastError }
    }
}
