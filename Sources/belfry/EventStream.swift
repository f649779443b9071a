// Reads the hub's event stream line by line and goes on where it stopped when the hub was away.

import BelfryAPI
import BelfryCore
import Glibc

/// The event stream, across restarts of the hub, without a gap or a repeat.
struct EventStream {
    enum Line {
        case event(EventRecord)
        case progress(ProgressUpdate)
        case gap(EventGap)
    }

    enum Next { case goOn, stop }

    let session: Session
    var taskID: TaskID?
    var withProgress = false
    /// Begin after this event.
    var cursor: EventCursor?
    /// Begin with so many of the last events when there is no cursor: a number or `all`.
    var last: String?
    /// Whether to wait for a hub that went away.
    var retries = true

    /// Hands over lines until `body` says stop. Follows for ever otherwise.
    mutating func read(_ body: (Line) throws -> Next) throws {
        var failures = 0
        while true {
            do {
                let stream = try session.client.open(
                    "GET",
                    path(follow: true),
                    accept: "application/x-ndjson"
                )
                if failures > 0 { Output.note("belfry: the hub is back") }
                failures = 0
                if try pass(stream, to: body) == .stop { return }
                // The stream ends when the hub shuts down.
            } catch let error as BelfryError where error.code == .noHub {
                guard retries else { throw error }
            }
            failures += 1
            if failures == 1 {
                // How its hub left a task is in the store: it may be over, and no hub be needed.
                if taskID != nil, (try? readOnce(body)) == .stop { return }
                Output.note("belfry: the hub is away; waiting for it")
            }
            wait(failures)
        }
    }

    /// Hands over what is there, from the hub or, when none runs, from the store.
    @discardableResult
    mutating func readOnce(_ body: (Line) throws -> Next) throws -> Next {
        do {
            let stream = try session.client.open("GET", path(follow: false), accept: "application/x-ndjson")
            return try pass(stream, to: body)
        } catch let error as BelfryError where error.code == .noHub {
            let bytes = try OfflineHub(session: session).answer("GET", path(follow: false))
            for line in bytes.split(separator: 0x0A) where try pass(Array(line), to: body) == .stop {
                return .stop
            }
            return .goOn
        }
    }

    private func path(follow: Bool) -> String {
        URLText.make(
            "/v1/events",
            [
                ("follow", follow ? nil : "false"), ("progress", withProgress ? "true" : nil),
                ("task", taskID?.rawValue), ("after", cursor?.description),
                ("last", cursor == nil ? last : nil),
            ]
        )
    }

    private mutating func pass(_ stream: HubStream, to body: (Line) throws -> Next) throws -> Next {
        while let bytes = try stream.nextLine() {
            if try pass(bytes, to: body) == .stop { return .stop }
        }
        return .goOn
    }

    private mutating func pass(_ bytes: [UInt8], to body: (Line) throws -> Next) throws -> Next {
        guard let json = try? JSONValue(parsing: bytes), let type = json["type"]?.string else { return .goOn }
        if type == "task.progress" { return try body(.progress(try ProgressUpdate(json: json))) }
        if type == "gap" {
            let gap = EventGap(
                epoch: json["epoch"]?.string ?? "",
                from: json["from"]?.int ?? 0,
                to: json["to"]?.int ?? 0,
                reason: json["reason"]?.string.flatMap(EventGap.Reason.init) ?? .pruned
            )
            cursor = EventCursor(epoch: gap.epoch, position: gap.to)
            return try body(.gap(gap))
        }
        guard let place = json["id"]?.string.flatMap({ EventCursor($0) }) else { return .goOn }
        // A kind of a newer hub is passed over, its place is not.
        guard let kind = TaskEvent.Kind(rawValue: type) else {
            cursor = place
            return .goOn
        }
        let id = json["task"]?["id"]?.string.flatMap { TaskID($0) }
        let next = try body(.event(EventRecord(cursor: place, kind: kind, taskID: id, json: bytes)))
        // After the line is out: whoever stops in between gets it again rather than never.
        cursor = place
        return next
    }

    /// 0.1 s, doubling up to 2 s, each shortened by up to a third at random.
    private func wait(_ failures: Int) {
        let full = min(100_000 << min(failures - 1, 5), 2_000_000)
        usleep(UInt32(full - Int.random(in: 0...(full / 3))))
    }
}
