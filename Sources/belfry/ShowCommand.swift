// belfry show: everything about one task.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink

struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows everything about tasks."
    )

    @Argument(help: "Numbers, ids, ranges such as 12-20, or last.") var tasks: [String]
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        var isFirst = true
        try Change.each(tasks) { session, name in
            let answer = try session.ask("GET", "/v1/tasks/\(URLText.encode(name))")
            if json { return Output.json(answer) }
            if !isFirst { Output.line("") }
            isFirst = false
            try show(try BackgroundTask(json: answer), answer, session)
        }
    }

    private func show(_ task: BackgroundTask, _ answer: JSONValue, _ session: Session) throws {
        func field(_ name: String, _ text: String?) {
            guard let text, !text.isEmpty else { return }
            let padding = String(repeating: " ", count: max(0, 10 - name.count))
            Output.line("\(name)\(padding)  \(Terminal.visible(text))", isBuffered: true)
        }
        field("task", "#\(task.number)  \(task.id)")
        field("feature", task.featureID)
        field("title", task.title)
        let isDead = task.status == .processing && !session.hasHub
        field(
            "status",
            isDead
                ? "○ interrupted: no hub runs"
                : "\(TaskList.symbol(task.status)) \(task.status.rawValue)\(task.isCancelRequested ? ", cancelling" : "")"
        )
        if task.status == .processing {
            field("progress", "\(Format.percent(task.progress))  \(task.message ?? "")")
        }
        field("attempt", "\(task.attempt) of \(task.maxAttempts)")
        field("waits", answer["waiting"]?["text"]?.string)
        field("not before", task.notBefore?.description)
        field("deadline", task.deadline?.description)
        let earlier = (answer["dependencies"]?.array ?? []).map {
            "#\($0["number"]?.int ?? 0) (\($0["status"]?.string ?? "")\($0["removed"]?.bool == true ? ", cleared" : ""))"
        }
        field("after", earlier.joined(separator: ", "))
        if task.group != TaskGroup.standard { field("group", task.group) }
        if task.priority != 0 { field("priority", String(task.priority)) }
        field("needs", task.needs.text)
        field("schedule", task.options.schedule)
        field("labels", task.labels.joined(separator: ", "))
        field("batch", task.batchID?.rawValue)
        field("created", "\(task.createdAt)  (\(Format.ago(task.createdAt)))")
        field("started", task.startedAt?.description)
        field("finished", task.finishedAt?.description)
        field("took", task.duration.map { Format.duration($0.seconds) })
        field("params", task.params.text)
        for artifact in task.result?.artifacts ?? [] {
            field(
                "result",
                Format.path(artifact.uri) + (artifact.size.map { "  (\(Format.size($0)))" } ?? "")
            )
        }
        field("value", task.result?.value?.text)
        field("error", task.error.map { "\($0.code): \($0.message)" })
        field("fix", task.error?.fix)
        try showAttempts(of: task, session, field)
        Output.flush()
    }

    private func showAttempts(of task: BackgroundTask, _ session: Session, _ field: (String, String?) -> Void)
        throws
    {
        guard task.attempt > 1 else { return }
        let answer = try session.ask("GET", "/v1/tasks/\(task.id)/attempts")
        for attempt in answer["attempts"]?.array ?? [] {
            let number = attempt["number"]?.int ?? 0
            let outcome = attempt["outcome"]?.string ?? "running"
            let error = attempt["error"]?["message"]?.string.map { ": \($0)" } ?? ""
            field(" \(number)", "\(attempt["startedAt"]?.string ?? "")  \(outcome)\(error)")
        }
    }
}
