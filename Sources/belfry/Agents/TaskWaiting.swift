// Waiting for a task in slices: clients of MCP give a call a minute or so, and a long job takes hours.

import BelfryAPI
import BelfryCore
import BelfryMCP
import Glibc
import Synchronization

/// Set by whoever cancels, read by a thread that works.
final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}

struct TaskWaiting {
    private let session: Session
    private let call: MCPToolCall
    private let stop: StopFlag
    private let clock = ContinuousClock()

    init(session: Session, call: MCPToolCall, stop: StopFlag) {
        self.session = session
        self.call = call
        self.stop = stop
    }

    func wait(_ arguments: ToolArguments) throws -> MCPToolResult {
        let path = try arguments.taskPath()
        let seconds = arguments["seconds"]?.double ?? 45
        let end = clock.now.advanced(by: .seconds(seconds))
        let stream = try session.openTask(path)
        var task = stream.task
        if try !isFinal(task), seconds > 0 {
            tellState(of: task)
            try follow(task, after: stream.cursor, until: end)
            task = try session.ask("GET", path)
        }
        return try isFinal(task) ? TaskFilesView.result(of: task) : unfinished(task)
    }

    private func isFinal(_ task: JSONValue) throws -> Bool { try BackgroundTask(json: task).status.isFinal }

    private func unfinished(_ task: JSONValue) -> MCPToolResult {
        // What was reported between the look and the listening was not heard.
        tellState(of: task)
        var object: JSONObject = ["done": false]
        for (key, value) in TaskView.full(task) { object[key] = value }
        object["next"] = "Call wait again with this task."
        return .object(object)
    }

    /// Reads the task's events until it is over, the time is, or somebody cancels. A hub that goes away meanwhile may
    /// come back; where none is, nothing would ever happen.
    private func follow(_ task: JSONValue, after cursor: String?, until end: ContinuousClock.Instant) throws {
        var cursor = cursor
        var wasThere = false
        while clock.now < end {
            do {
                if try read(task, &cursor, until: end) { return }
            } catch let error as BelfryError where error.code == .noHub {
                guard wasThere else {
                    throw BelfryError(
                        .noHub,
                        "No hub is running, so the task does not go on.",
                        fix: "Submitting a task starts one."
                    )
                }
            }
            wasThere = true
            usleep(100_000)
        }
    }

    /// - Returns: whether the task is over.
    private func read(_ task: JSONValue, _ cursor: inout String?, until end: ContinuousClock.Instant) throws
        -> Bool
    {
        let query = [("task", task["id"]?.string), ("progress", "true"), ("after", cursor)]
        let path = URLText.make("/v1/events", query)
        let stream = try session.client.open("GET", path, accept: "application/x-ndjson")
        while clock.now < end {
            if stop.isSet { throw CancellationError() }
            // Cancelling cannot reach a read that waits, so it never waits for long.
            guard stream.isReadable(within: min(.milliseconds(200), clock.now.duration(to: end))) else {
                continue
            }
            guard let line = try stream.nextLine() else { return false }
            guard let json = try? JSONValue(parsing: line) else { continue }
            if let place = json["id"]?.string { cursor = place }
            if isOver(json) { return true }
        }
        return false
    }

    private func isOver(_ json: JSONValue) -> Bool {
        if json["type"] == "task.progress" {
            tell(json["percent"]?.double, json["message"]?.string)
        }
        return (json["task"]?["status"]?.string).flatMap(TaskStatus.init)?.isFinal ?? false
    }

    private func tellState(of task: JSONValue) {
        if task["status"] == "processing" { tell(task["progress"]?.double, task["message"]?.string) }
    }

    private func tell(_ percent: Double?, _ message: String?) {
        call.progress(percent ?? 0, of: percent == nil ? nil : 100, message)
    }
}

extension Session {
    /// A task, and the event after which nothing about it is missed.
    func openTask(_ path: String) throws -> (task: JSONValue, cursor: String?) {
        do {
            let stream = try client.open("GET", path)
            let cursor = stream.header("belfry-cursor")
            return (try Self.parse(try stream.readAll()), cursor)
        } catch let error as BelfryError where error.code == .noHub { return (try ask("GET", path), nil) }
    }
}
