// belfry add: submit and go on.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct AddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Submits a task and prints its number and id.",
        usage: """
            belfry add FEATURE key=value …
            belfry add -- COMMAND ARG…
            belfry add FEATURE key=value … --then FEATURE image='${task.result.path}' …
            """
    )

    @OptionGroup var options: SubmissionOptions
    @Flag(help: "Print the whole task as JSON.") var json = false

    func run() throws {
        let session = Session()
        if !options.then.isEmpty { return try addChain(session) }
        let answer = try session.submit("POST", "/v1/tasks", body: try options.submission(session)).answer
        if json { return Output.json(answer) }
        try Self.printName(of: answer)
    }

    /// `add` without options, past the parser.
    static func add(_ plain: PlainSubmission) throws {
        let session = Session()
        let body = JSONValue.object(try plain.submission(session))
        try printName(of: session.submit("POST", "/v1/tasks", body: body).answer)
    }

    private func addChain(_ session: Session) throws {
        let body: JSONValue = ["tasks": .array(try options.chain(session))]
        let answer = try session.submit("POST", "/v1/batches", body: body).answer
        if json { return Output.json(answer) }
        for task in answer["tasks"]?.array ?? [] { try Self.printName(of: task) }
    }

    private static func printName(of task: JSONValue) throws {
        let reader = JSONReader(task, what: "task")
        Output.line("\(try reader.int("number"))\t\(try reader.string("id"))")
    }
}
