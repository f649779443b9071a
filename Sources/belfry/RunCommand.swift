// belfry run: submit, watch to the end, print what came out.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Submits a task, follows it and prints the path of its result.",
        usage: """
            belfry run FEATURE key=value …
            belfry run -- COMMAND ARG…
            belfry run FEATURE key=value … --then FEATURE image='${task.result.path}' …
            """,
        discussion: """
            Ctrl-C stops following; the task goes on. A second Ctrl-C within two seconds cancels it.
            The exit status is 0 when the task completed, 1 when it failed or was cancelled.
            """
    )

    @OptionGroup var options: SubmissionOptions
    @Flag(help: "Print the finished task as JSON.") var json = false
    @Flag(name: .shortAndLong, help: "No progress, only the result.") var quiet = false

    func run() throws {
        let session = Session()
        if !options.then.isEmpty { return try runChain(session) }
        let submitted = try session.submit("POST", "/v1/tasks", body: try options.submission(session))
        let task = try BackgroundTask(json: submitted.answer)
        Detach.onInterrupt([task], session.client)
        if !quiet { WaitNote.tell(of: task, session) }
        if options.isCommand {
            var log = LogFollower(session: session, taskID: task.id, after: submitted.cursor)
            try log.follow(task)
        } else {
            let follower = TaskFollower(session: session, isQuiet: quiet)
            try follower.follow(task, after: submitted.cursor)
        }
        try Outcome.report(try session.task(task.id.rawValue), asJSON: json, showsValue: !options.isCommand)
    }

    /// Follows each task of the chain in turn; the last one's result is the result.
    private func runChain(_ session: Session) throws {
        let body: JSONValue = ["tasks": .array(try options.chain(session))]
        let submitted = try session.submit("POST", "/v1/batches", body: body)
        let names = (submitted.answer["tasks"]?.array ?? []).compactMap { $0["id"]?.string }
        let tasks = try names.map { try session.task($0) }
        Detach.onInterrupt(tasks, session.client)
        var ended: [BackgroundTask] = []
        for task in tasks {
            try follow(try session.task(task.id.rawValue), after: submitted.cursor, session)
            ended.append(try session.task(task.id.rawValue))
        }
        guard let outcome = Self.outcome(of: ended) else { return }
        try Outcome.report(outcome, asJSON: json, showsValue: outcome.featureID != "shell")
    }

    private func follow(_ task: BackgroundTask, after cursor: EventCursor?, _ session: Session) throws {
        // One that has ended already still has its log to show, unless it never ran.
        guard task.featureID == "shell", !task.status.isFinal || task.attempt > 0 else {
            return try TaskFollower(session: session, isQuiet: quiet).followUnlessFinal(task.id)
        }
        var log = LogFollower(session: session, taskID: task.id, after: cursor)
        try log.follow(task)
    }

    /// The last task of a chain; when it did not complete, the one that the chain broke at.
    private static func outcome(of chain: [BackgroundTask]) -> BackgroundTask? {
        guard let last = chain.last, last.status != .completed else { return chain.last }
        return chain.first { $0.status != .completed && $0.error?.code != "dependency_failed" } ?? last
    }
}

/// Tells who follows a task why it does not start.
enum WaitNote {
    static func tell(of task: BackgroundTask, _ session: Session) {
        guard let now = try? session.client.send("GET", "/v1/tasks/\(task.id)"),
            let reason = now["waiting"], reason["for"]?.string != "queue", let text = reason["text"]?.string
        else { return }
        Output.note("#\(task.number) waits: \(Terminal.visible(text))")
    }
}

/// What a finished task leaves on the terminal, and the exit status that goes with it.
enum Outcome {
    static func report(_ task: BackgroundTask, asJSON: Bool, showsValue: Bool) throws {
        if asJSON { Output.json(task.json) }
        switch task.status {
        case .completed where asJSON: break
        case .completed:
            let artifacts = task.result?.artifacts ?? []
            for artifact in artifacts { Output.line(Format.path(artifact.uri)) }
            if artifacts.isEmpty, showsValue, let value = task.result?.value { Output.json(value) }
        case .failed:
            Output.error(
                BelfryError(
                    BelfryError.Code(task.error?.code ?? "failed"),
                    "#\(task.number) \(task.featureID) failed: \(task.error?.message ?? "no reason was given")",
                    fix: task.error?.fix ?? "See its log: belfry log \(task.number)"
                )
            )
            throw ExitCode(ExitStatus.failure)
        case .cancelled:
            Output.note("belfry: #\(task.number) \(task.featureID) was cancelled")
            throw ExitCode(ExitStatus.failure)
        case .pending, .processing: break
        }
    }
}

/// Ctrl-C while following: the first detaches, a second within two seconds cancels.
///
/// A thread of its own waits for the signal, since the main one is blocked in reading.
enum Detach {
    private struct Watch {
        let tasks: [BackgroundTask]
        let client: HubClient
    }

    static func onInterrupt(_ tasks: [BackgroundTask], _ client: HubClient) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let watch = Unmanaged.passRetained(Box(Watch(tasks: tasks, client: client)))
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { pointer in
                if let pointer {
                    Detach.wait(Unmanaged<Box<Watch>>.fromOpaque(pointer).takeRetainedValue().value)
                }
                return nil
            },
            watch.toOpaque()
        )
        pthread_detach(thread)
    }

    private final class Box<Value> {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    private static func wait(_ watch: Watch) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        var received: Int32 = 0
        sigwait(&signals, &received)
        let names = watch.tasks.map { "#\($0.number)" }.joined(separator: ", ")
        let numbers = watch.tasks.map { String($0.number) }.joined(separator: " ")
        Output.note(
            "\n\(names) \(watch.tasks.count == 1 ? "goes" : "go") on in the background. Cancel it: belfry cancel \(numbers) (or Ctrl-C again now)"
        )
        var patience = timespec(tv_sec: 2, tv_nsec: 0)
        if sigtimedwait(&signals, nil, &patience) == SIGINT {
            for task in watch.tasks { _ = try? watch.client.send("POST", "/v1/tasks/\(task.id)/cancel") }
            Output.note("\(names) \(watch.tasks.count == 1 ? "is" : "are") being cancelled")
        }
        _exit(ExitStatus.interrupted)
    }
}
