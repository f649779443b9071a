// belfry wait: until tasks are done.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Waits until tasks are final; without names, until all are.",
        discussion: """
            The exit status is 0 when every task completed, 1 when one failed or was cancelled. Without names, what is \
            put aside (belfry stash) is not waited for.
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
        try Self.wait(tasks.isEmpty ? try Self.unfinished(session) : try session.names(tasks), session)
    }

    /// Waits for tasks by their names.
    ///
    /// - Throws: `ExitCode` 1 when one did not complete.
    static func wait(_ names: [String], _ session: Session) throws {
        var failed = 0
        for name in names {
            let id = try session.task(name).id
            do { try TaskFollower(session: session, isQuiet: true).followUnlessFinal(id) } catch let error
                as BelfryError where error.code == .noHub
            {
                throw BelfryError(
                    .noHub,
                    "No hub is running, so #\(name) will not end.",
                    fix: "Submitting a task starts one."
                )
            }
            if try session.task(id.rawValue).status != .completed { failed += 1 }
        }
        guard failed > 0 else { return }
        Output.note("belfry: \(failed) of \(Format.tasks(Int64(names.count))) did not complete")
        throw ExitCode(ExitStatus.failure)
    }

    /// The ids of the tasks that are not final; those that were put aside are left out.
    static func unfinished(_ session: Session, where isMeant: (JSONValue) -> Bool = { _ in true }) throws
        -> [String]
    {
        var names: [String] = []
        var cursor: String?
        repeat {
            let path = URLText.make(
                "/v1/tasks",
                [("status", "pending,processing"), ("limit", "1000"), ("cursor", cursor)]
            )
            let page = try session.ask("GET", path)
            names += (page["tasks"]?.array ?? []).filter { $0["stashed"]?.bool != true && isMeant($0) }
                .compactMap { $0["id"]?.string }
            cursor = page["nextCursor"]?.string
        } while cursor != nil
        return names
    }
}
