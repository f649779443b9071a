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
        do {
            let stream = try session.client.open("GET", path)
            while let bytes = try stream.next() { Output.bytes(bytes) }
        } catch let error as BelfryError where error.code == .noHub {
            Output.bytes(try OfflineHub(session: session).answer("GET", path))
        }
    }
}

/// Copies a task's log to stdout until the task is final.
struct LogFollower {
    let session: Session

    func follow(_ task: BackgroundTask) throws {
        let stream = try session.client.open("GET", "/v1/tasks/\(task.id)/log?follow=true")
        while let bytes = try stream.next() { Output.bytes(bytes) }
        // The log ends with its attempt; the outcome is committed a moment later.
        try TaskFollower(session: session, isQuiet: true).followUnlessFinal(task.id)
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
