// belfry wait: until tasks are done.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink

struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Waits until tasks are final; without names, until all are.",
        discussion: """
            The exit status is 0 when every task completed, 1 when one failed or was cancelled. Without names, what is \
            put aside (belfry stash), and what comes after that, is not waited for; stderr names it.
            """
    )

    @Argument(help: "Numbers, ids, ranges such as 12-20, or last.") var tasks: [String] = []
    @Option(
        help: ArgumentHelp(
            "When nothing is left to do: suspend, poweroff, or a command for the shell. Ctrl-C, or a task that is submitted meanwhile, calls it off.",
            valueName: "suspend|poweroff|CMD"
        )
    )
    var whenDone: String?
    @Option(
        help: ArgumentHelp("With --when-done: how long it can still be called off.", valueName: "duration")
    )
    var grace = "30s"

    func validate() throws {
        guard tasks.isEmpty || whenDone == nil else {
            throw ValidationError("--when-done waits for everything; it takes no tasks.")
        }
        _ = try Durations.seconds(grace, "--grace")
    }

    func run() throws {
        let session = Session()
        if let whenDone {
            return try WhenDone(
                session: session,
                action: whenDone,
                grace: try Durations.seconds(grace, "--grace")
            ).run()
        }
        guard tasks.isEmpty else { return try Self.wait(try session.names(tasks), session) }
        let (ended, staying) = try Self.waitForAll(session)
        Self.tell(staying)
        try Self.report(ended, session)
    }

    /// Waits for tasks by their names.
    ///
    /// - Throws: `ExitCode` 1 when one did not complete.
    static func wait(_ names: [String], _ session: Session) throws {
        for name in names { try follow(try session.task(name), session) }
        try report(names, session)
    }

    private static func follow(_ task: BackgroundTask, _ session: Session) throws {
        do { try TaskFollower(session: session, isQuiet: true).followUnlessFinal(task.id) } catch let error
            as BelfryError where error.code == .noHub
        {
            throw BelfryError(
                .noHub,
                "No hub is running, so #\(task.number) will not end.",
                fix: "Submitting a task starts one."
            )
        }
    }

    /// - Throws: `ExitCode` 1 when one of `names` did not complete.
    private static func report(_ names: [String], _ session: Session) throws {
        let failed = try names.count { try session.task($0).status != .completed }
        guard failed > 0 else { return }
        Output.note("belfry: \(failed) of \(Format.tasks(Int64(names.count))) did not complete")
        throw ExitCode(ExitStatus.failure)
    }

    /// Waits for the tasks that are there now, as far as they end by themselves.
    ///
    /// - Returns: the ids of those that ended, and what is left: put aside, or after something that is.
    static func waitForAll(_ session: Session, where isMeant: (JSONValue) -> Bool = { _ in true }) throws -> (
        ended: [String], staying: [JSONValue]
    ) {
        let all = try open(session, where: isMeant).compactMap { $0["id"]?.string }
        let meant = Set(all)
        while true {
            let open = try open(session) { meant.contains($0["id"]?.string ?? "") }
            var able = open.filter(canEnd)
            for task in open where able.isEmpty {
                able += [try first(before: task, session)].compactMap { $0 }
            }
            guard !able.isEmpty else {
                let left = Set(open.compactMap { $0["id"]?.string })
                return (all.filter { !left.contains($0) }, open)
            }
            for task in able { try follow(try BackgroundTask(json: task), session) }
        }
    }

    /// What ends by itself and has to end before `task` can; nil when it comes after something put aside.
    private static func first(before task: JSONValue, _ session: Session) throws -> JSONValue? {
        if canEnd(task) { return task }
        guard task["stashed"]?.bool != true, let id = task["id"]?.string else { return nil }
        var first: JSONValue?
        let edges = try session.ask("GET", "/v1/tasks/\(id)")["dependencies"]?.array ?? []
        for edge in edges where edge["satisfied"]?.bool != true {
            let earlier = try session.ask("GET", "/v1/tasks/\(edge["id"]?.string ?? "")")
            guard let next = try Self.first(before: earlier, session) else { return nil }
            first = first ?? next
        }
        return first
    }

    /// What comes after others is looked at again when they are done: it may come after something that was put
    /// aside.
    static func canEnd(_ task: JSONValue) -> Bool {
        task["stashed"]?.bool != true && task["waiting"]?["for"]?.string != "dependency"
    }

    /// Names what is not waited for.
    static func tell(_ staying: [JSONValue]) {
        guard !staying.isEmpty else { return }
        let names = staying.reversed().prefix(10).map { task in
            "#\(task["number"]?.int ?? 0)" + (task["waiting"]?["text"]?.string.map { " (\($0))" } ?? "")
        }
        let rest = staying.count > 10 ? " …" : ""
        let word = staying.count == 1 ? "stays" : "stay"
        Output.note(
            Terminal.visible(
                "belfry: \(Format.tasks(Int64(staying.count))) \(word): \(names.joined(separator: ", "))\(rest)"
            )
        )
    }

    /// The tasks that are not final, newest first, as the list has them.
    static func open(_ session: Session, where isMeant: (JSONValue) -> Bool = { _ in true }) throws
        -> [JSONValue]
    {
        var tasks: [JSONValue] = []
        var cursor: String?
        repeat {
            let path = URLText.make(
                "/v1/tasks",
                [("status", "pending,processing"), ("limit", "1000"), ("cursor", cursor)]
            )
            let page = try session.ask("GET", path)
            tasks += (page["tasks"]?.array ?? []).filter(isMeant)
            cursor = page["nextCursor"]?.string
        } while cursor != nil
        return tasks
    }
}
