// belfry list, and belfry alone: how the tasks stand.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists tasks, newest first."
    )

    @Option(help: "Only these: pending, processing, completed, failed, cancelled; several with commas.")
    var status: String?
    @Option(help: "Only this feature's.") var feature: String?
    @Option(help: "Only those with this label.") var label: String?
    @Option(help: "Only this batch's, by its id.") var batch: String?
    @Option(name: [.customShort("n"), .long], help: ArgumentHelp("At most so many.", valueName: "n"))
    var limit = 50
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "Colours: auto, always or never.") var color = ColorChoice.auto

    func validate() throws {
        guard limit > 0 else { throw ValidationError("-n takes a number above 0, not '\(limit)'.") }
    }

    func run() throws {
        let session = Session()
        let page = try pages(session)
        if json { return Output.json(page) }
        TaskList.print(page, session, color: color.isOn(for: 1, environment: session.environment))
        if page["nextCursor"] != nil { Output.note("There are more: belfry list -n \(limit * 2)") }
    }

    /// The hub hands out up to 1000 tasks at once; together they look like one answer.
    private func pages(_ session: Session) throws -> JSONValue {
        var tasks: [JSONValue] = []
        var answer: JSONObject = [:]
        repeat {
            let page = try session.ask(
                "GET",
                path(after: answer["nextCursor"]?.string, left: limit - tasks.count)
            )
            tasks += page["tasks"]?.array ?? []
            let first = answer["asOf"]
            answer = page.object ?? [:]
            answer.set("asOf", first ?? page["asOf"])
        } while tasks.count < limit && answer["nextCursor"] != nil
        answer["tasks"] = .array(tasks)
        return .object(answer)
    }

    private func path(after cursor: String?, left: Int) -> String {
        URLText.make(
            "/v1/tasks",
            [
                ("status", status), ("feature", feature), ("label", label), ("batch", batch),
                ("limit", String(min(left, 1000))), ("cursor", cursor),
            ]
        )
    }
}

struct SummaryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summary",
        abstract: "Unfinished tasks and the last day's.",
        shouldDisplay: false
    )

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let session = Session()
        let yesterday = SystemWallClock().now.adding(.seconds(-86_400))
        let path = URLText.make("/v1/tasks", [("activeSince", yesterday.description), ("limit", "20")])
        let page = try session.ask("GET", path)
        if json { return Output.json(page) }
        TaskList.print(
            page,
            session,
            color: ColorChoice.auto.isOn(for: 1, environment: session.environment)
        )
        if page["nextCursor"] != nil { Output.note("There are more: belfry list") }
    }
}

/// Tasks as a table.
enum TaskList {
    static func print(_ page: JSONValue, _ session: Session, color: Bool) {
        let rows = page["tasks"]?.array ?? []
        let tasks = rows.compactMap { try? BackgroundTask(json: $0) }
        let reasons = rows.map { $0["waiting"]?["text"]?.string }
        guard !tasks.isEmpty else {
            return Output.note(
                "No background tasks. Tasks will appear here when you start them: belfry run FEATURE key=value …"
            )
        }
        let hasHub = !tasks.contains { $0.status == .processing } || session.hasHub
        var table = Table(["#", "STATUS", "FEATURE", "DONE", "UPDATED", "TITLE"])
        for (task, reason) in zip(tasks, reasons) {
            let title = reason.map { "\(task.title)\(task.title.isEmpty ? "" : "  ")(\($0))" } ?? task.title
            table.add([
                String(task.number),
                hasHub || task.status != .processing
                    ? "\(symbol(task.status)) \(word(task))" : "○ interrupted",
                task.featureID, done(task),
                Format.ago(task.updatedAt), title,
            ])
        }
        table.print()
        if !hasHub {
            Output.note("No hub runs: what is interrupted goes on, or fails, when one starts: belfry add …")
        }
    }

    private static func word(_ task: BackgroundTask) -> String {
        if task.isCancelRequested { return "cancelling" }
        if task.isStashed { return "stashed" }
        if task.status == .pending, task.attempt > 0 { return "retrying" }
        return task.status.rawValue
    }

    private static func done(_ task: BackgroundTask) -> String {
        switch task.status {
        case .processing: Format.percent(task.progress)
        case .completed, .failed: task.duration.map { Format.duration($0.seconds) } ?? ""
        case .pending, .cancelled: ""
        }
    }

    static func symbol(_ status: TaskStatus) -> String {
        switch status {
        case .pending: "○"
        case .processing: "▶"
        case .completed: "✓"
        case .failed: "✗"
        case .cancelled: "◼"
        }
    }
}
