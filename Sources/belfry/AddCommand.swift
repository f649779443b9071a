// belfry add: submit and go on.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct AddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Submits a task and prints its number and id.",
        usage: "belfry add FEATURE key=value …\nbelfry add -- COMMAND ARG…"
    )

    @OptionGroup var options: SubmissionOptions
    @Flag(help: "Print the whole task as JSON.") var json = false

    func run() throws {
        let session = Session()
        let answer = try session.submit("POST", "/v1/tasks", body: try options.submission(session)).answer
        if json { return Output.json(answer) }
        let reader = JSONReader(answer, what: "task")
        Output.line("\(try reader.int("number"))\t\(try reader.string("id"))")
    }
}
