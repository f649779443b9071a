// belfry cancel, retry and clear: what changes tasks that are there.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels tasks: pending ones at once, running ones as soon as they stop."
    )

    @Argument(help: "Numbers, ids, ranges such as 12-20, or last.") var tasks: [String]

    func run() throws {
        try Change.each(tasks) { session, name in
            let answer = try session.client.send("POST", "/v1/tasks/\(URLText.encode(name))/cancel")
            return answer["status"]?.string == "processing" ? "is being cancelled" : "cancelled"
        }
    }
}

struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Runs finished tasks again, each with a new budget of attempts."
    )

    @Argument(help: "Numbers, ids, ranges such as 12-20, or last.") var tasks: [String]

    func run() throws {
        try Change.each(tasks) { session, name in
            let path = "/v1/tasks/\(URLText.encode(name))"
            let task = try session.task(name)
            let context = session.context(withEnvironment: task.featureID == "shell")
            _ = try session.submit("POST", path + "/retry", body: ["context": context.json])
            return "is pending again"
        }
    }
}

struct ClearCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Removes completed tasks with their result files and logs."
    )

    @Argument(help: "Only these: numbers, ids, ranges such as 12-20.") var tasks: [String] = []
    @Flag(help: "Failed and cancelled tasks as well.") var all = false
    @Flag(help: "Do not ask.") var yes = false
    @Flag(help: "Only say how many there are.") var dryRun = false

    func run() throws {
        let session = Session()
        let statuses: [JSONValue] =
            all || !tasks.isEmpty ? ["completed", "failed", "cancelled"] : ["completed"]
        if dryRun {
            let count = try count(session, statuses.compactMap(\.string))
            return Output.line("\(count) tasks would be removed, with their result files and logs")
        }
        if !yes, !(try Confirmation.ask("Remove tasks with their result files and logs?")) {
            throw ExitCode(ExitStatus.failure)
        }
        var filter: JSONObject = ["statuses": .array(statuses)]
        if !tasks.isEmpty { filter["tasks"] = .array(try session.names(tasks).map { .string($0) }) }
        let answer = try session.ask(
            "POST",
            "/v1/tasks:bulk",
            body: ["action": "remove", "filter": .object(filter)]
        )
        Output.line("\(answer["removed"]?.int ?? 0) tasks removed")
    }

    private func count(_ session: Session, _ statuses: [String]) throws -> Int {
        if !tasks.isEmpty {
            return try session.names(tasks).filter { try session.task($0).status.isFinal }.count
        }
        let counts = try session.ask("GET", "/v1/status")["tasks"]
        return statuses.reduce(0) { $0 + Int(counts?[$1]?.int ?? 0) }
    }
}

enum Change {
    /// Does one thing to each named task; one that cannot be changed does not stop the others.
    static func each(_ tasks: [String], _ change: (Session, String) throws -> String) throws {
        let session = Session()
        var lastError: BelfryError?
        for name in try session.names(tasks) {
            do { Output.line("#\(name) \(try change(session, name))") } catch let error as BelfryError {
                if let lastError { Output.error(lastError) }
                lastError = error
            }
        }
        if let lastError { throw lastError }
    }
}
