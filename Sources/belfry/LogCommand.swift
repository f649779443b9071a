// belfry log: what a task's program wrote.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Prints what a task wrote to its log."
    )

    @Argument(help: "A number, an id, or last.") var task: String
    @Flag(name: .shortAndLong, help: "Follow until the attempt ends.") var follow = false
    @Option(help: "Which attempt; the latest by itself.") var attempt: Int?

    func run() throws {
        let session = Session()
        let path = URLText.make(
            "/v1/tasks/\(URLText.encode(task))/log",
            [("attempt", attempt.map(String.init)), ("follow", follow ? "true" : nil)]
        )
        if follow { ReaderWatch.start() }
        do {
            let stream = try session.client.open("GET", path)
            while let bytes = try stream.next() { Output.bytes(bytes) }
        } catch let error as BelfryError where error.code == .noHub {
            Output.bytes(try OfflineHub(session: session).answer("GET", path))
        }
    }
}

/// Copies a task's log to stdout, attempt after attempt, until the task is final. Survives a restart
/// of the hub.
struct LogFollower {
    let session: Session
    private var attempt = 1
    /// How much of this attempt's log is out.
    private var offset = 0
    private var events: EventStream

    /// - Parameter cursor: from before the task was there.
    init(session: Session, taskID: TaskID, after cursor: EventCursor?) {
        self.session = session
        events = EventStream(session: session)
        events.taskID = taskID
        events.cursor = cursor
    }

    mutating func follow(_ task: BackgroundTask) throws {
        while true {
            let isWhole = try copy(task.id)
            // The log ends with its attempt; the outcome is committed a moment later.
            let now = try waitForOutcome()
            if !isWhole { _ = try copy(task.id) }
            guard let now, !now.status.isFinal else { return }
            attempt = now.attempt
            offset = 0
        }
    }

    /// - Returns: whether the log was read to its end: the hub may go away before that.
    private mutating func copy(_ id: TaskID) throws -> Bool {
        var known = offset
        do {
            let path = "/v1/tasks/\(id)/log?follow=true&attempt=\(attempt)"
            let stream = try session.client.open("GET", path)
            while let bytes = try stream.next() {
                let new = bytes.dropFirst(known)
                known = max(0, known - bytes.count)
                Output.bytes(Array(new))
                offset += new.count
            }
            return true
        } catch let error as BelfryError where error.code == .noHub {
            return false
        }
    }

    /// Reads events until the task is final or its next attempt has begun.
    private mutating func waitForOutcome() throws -> TaskSummary? {
        var task: TaskSummary?
        let attempt = attempt
        try events.read { line in
            guard case .event(let record) = line, let summary = try record.event().task else { return .goOn }
            task = summary
            return summary.status.isFinal || summary.attempt > attempt ? .stop : .goOn
        }
        return task
    }
}

extension TaskFollower {
    func followUnlessFinal(_ id: TaskID) throws {
        let stream = try session.client.open("GET", "/v1/tasks/\(id)")
        let cursor = stream.header("belfry-cursor").flatMap { EventCursor($0) }
        let task = try BackgroundTask(json: try Session.parse(try stream.readAll()))
        if !task.status.isFinal { try follow(task, after: cursor) }
    }
}
