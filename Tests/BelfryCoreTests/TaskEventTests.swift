// The JSON form of events is a promise to everyone who reads the log: it is pinned here line by line.

import BelfryCore
import Testing

@Suite("Events as JSON")
struct TaskEventTests {
    private static let prefix =
        #"{"schema":1,"position":42,"id":"abcd1234-42","time":"2026-01-01T00:00:00.000Z","#

    private static func summary(
        _ status: String,
        progress: Int = 0,
        attempt: Int,
        max: Int = 3,
        revision: Int
    ) -> String {
        #""task":{"id":"0198c0de-7a3b-7cc1-9d2f-0123456789ab","number":7,"featureId":"paint","#
            + #""title":"a lighthouse","userId":"","status":"\#(status)","progress":\#(progress),"#
            + #""attempt":\#(attempt),"maxAttempts":\#(max),"revision":\#(revision)}"#
    }

    private static func batch(_ completed: Int) -> String {
        #""batch":{"id":"0198c0de-0000-7000-8000-000000000001","title":"two","total":2,"completed":\#(completed),"#
            + #""failed":0,"cancelled":0,"createdAt":"2026-01-01T00:00:00.000Z"}"#
    }

    /// What the transitions make, and the line each event is.
    private static func golden() throws -> [(TaskEvent.Draft, String)] {
        let pending = try Example.task(.pending)
        let running = try Example.task(.processing)
        let result = TaskResult(
            value: ["seed": 7],
            artifacts: [.init(uri: "file:///a%20b.png", mime: "image/png", size: 12)]
        )
        let error =
            #""error":{"code":"exit_status","message":"The program ended with 1.","fix":"Look at its log.","#
        func draft(_ task: BackgroundTask, _ action: TaskAction) throws -> TaskEvent.Draft {
            try #require(try task.applying(action, at: Example.later).events.first)
        }
        var two = TaskBatch(id: Example.batchID, title: "two", total: 2, createdAt: Example.now)
        let batchAdded = TaskEvent.Draft(.batchAdded, batch: two)
        two.completed = 2
        return [
            (
                .init(.added, task: TaskSummary(pending)),
                #""type":"task.added","#
                    + summary("pending", attempt: 0, revision: 1) + "}"
            ),
            (
                try draft(pending, .claim(by: Example.worker, lease: Example.lease)),
                #""type":"task.started","#
                    + summary("processing", attempt: 1, revision: 2) + "}"
            ),
            (
                try draft(running, .fail(Example.retryable, retryAfter: .seconds(5))),
                #""type":"task.retrying","#
                    + summary("pending", attempt: 1, revision: 3) + "," + error + #""retryable":true},"#
                    + #""notBefore":"2026-01-01T00:00:06.500Z","durationSeconds":1.5}"#
            ),
            (
                try draft(running, .interrupt),
                #""type":"task.interrupted","#
                    + summary("pending", attempt: 1, max: 4, revision: 3) + #","durationSeconds":1.5}"#
            ),
            (
                try draft(running, .requestCancel),
                #""type":"task.cancelRequested","#
                    + summary("processing", attempt: 1, revision: 3) + "}"
            ),
            (
                try draft(running, .complete(result)),
                #""type":"task.completed","#
                    + summary("completed", progress: 100, attempt: 1, revision: 3)
                    + #","result":{"value":{"seed":7},"artifacts":[{"uri":"file:///a%20b.png","mime":"image/png","#
                    + #""size":12}]},"durationSeconds":1.5}"#
            ),
            (
                try draft(running, .fail(Example.failure, retryAfter: .zero)),
                #""type":"task.failed","#
                    + summary("failed", attempt: 1, revision: 3) + "," + error
                    + #""retryable":false},"durationSeconds":1.5}"#
            ),
            (
                try draft(running, .confirmCancel),
                #""type":"task.cancelled","#
                    + summary("cancelled", attempt: 1, revision: 3) + #","durationSeconds":1.5}"#
            ),
            (
                try draft(Example.task(.failed), .retry(attempts: 1)),
                #""type":"task.retried","#
                    + summary("pending", attempt: 1, max: 2, revision: 4) + "}"
            ),
            (
                try draft(running, .snooze(delay: .seconds(30), message: "The server is busy.")),
                #""type":"task.snoozed","#
                    + summary("pending", attempt: 1, max: 4, revision: 3)
                    + #","error":{"code":"snoozed","message":"The server is busy.","retryable":false},"#
                    + #""notBefore":"2026-01-01T00:00:31.500Z","durationSeconds":1.5}"#
            ),
            (
                try draft(pending, .edit(TaskEdit(), turn: nil)),
                #""type":"task.edited","# + summary("pending", attempt: 0, revision: 2) + "}"
            ),
            (
                try draft(pending, .stash),
                #""type":"task.stashed","# + summary("pending", attempt: 0, revision: 2) + "}"
            ),
            (
                try draft(Example.task { $0.isStashed = true }, .release),
                #""type":"task.released","# + summary("pending", attempt: 0, revision: 2) + "}"
            ),
            (
                .init(.removed, task: TaskSummary(try Example.task(.completed))),
                #""type":"task.removed","#
                    + summary("completed", progress: 100, attempt: 1, revision: 3) + "}"
            ),
            (batchAdded, #""type":"batch.added","# + batch(0) + "}"),
            (.init(.batchFinished, batch: two), #""type":"batch.finished","# + batch(2) + "}"),
        ]
    }

    private func event(_ draft: TaskEvent.Draft) -> TaskEvent {
        TaskEvent(cursor: EventCursor(epoch: "abcd1234", position: 42), time: Example.now, draft: draft)
    }

    @Test("each kind of event has its golden line")
    func goldenLines() throws {
        let golden = try Self.golden()
        for (draft, line) in golden {
            #expect(event(draft).json.text == Self.prefix + line)
            #expect(EventRecord(event(draft)).json == Array((Self.prefix + line).utf8))
        }
        #expect(Set(golden.map(\.0.kind)) == Set(TaskEvent.Kind.allCases))
    }

    @Test("each kind of event reads back as it was")
    func roundTrip() throws {
        for (draft, _) in try Self.golden() {
            let event = event(draft)
            #expect(try TaskEvent(json: JSONValue(parsing: event.json.encoded)) == event)
            let record = EventRecord(event)
            #expect(try record.event() == event)
            #expect((record.cursor, record.kind, record.taskID) == (event.cursor, event.kind, event.task?.id))
        }
    }

    @Test("what is seldom set is written when it is")
    func optionalFields() throws {
        let task = try Example.task(.pending) { new in
            new.origin = "org.gnome.Photos"
            new.notify = .none
            new.labels = ["a", "b"]
            new.batchID = Example.batchID
            new.userID = "ada"
            new.title = "a \"quoted\" \\ title\nof two lines"
        }
        let event = event(.init(.added, task: TaskSummary(task)))
        let fields =
            #""userId":"ada","origin":"org.gnome.Photos","notify":"none","labels":["a","b"],"#
            + #""batchId":"0198c0de-0000-7000-8000-000000000001","status":"pending""#
        #expect(event.json.text.contains(fields))
        #expect(EventRecord(event).json == event.json.encoded)
        #expect(try TaskEvent(json: event.json) == event)
    }

    @Test("an event carries no params")
    func noParams() throws {
        let task = try Example.task(.pending) { $0.params = ["password": "hunter2"] }
        #expect(!event(.init(.added, task: TaskSummary(task))).json.text.contains("hunter2"))
    }

    @Test(
        "a line that is no event is refused with the field's name",
        arguments: [
            ("{}", "/id"), (#"{"id":"x"}"#, "/id"), (#"{"id":"e-1"}"#, "/type"),
            (#"{"id":"e-1","type":"task.x"}"#, "/type"),
            (#"{"id":"e-1","type":"task.added"}"#, "/time"),
            (#"{"id":"e-1","type":"task.added","time":"now"}"#, "/time"),
            (#"{"id":"e-1","type":"task.added","time":"2026-01-01T00:00:00Z","task":{"id":"1"}}"#, "/id"),
            (#"{"id":"e-1","type":"batch.added","time":"2026-01-01T00:00:00Z","batch":{}}"#, "/id"),
        ]
    )
    func refused(_ text: String, _ pointer: String) throws {
        let json = try JSONValue(parsing: text)
        let error = #expect(throws: BelfryError.self) { try TaskEvent(json: json) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.pointer == pointer)
    }

    @Test("fields of a later version are passed over")
    func unknownFields() throws {
        let event = event(.init(.added, task: TaskSummary(try Example.task(.pending))))
        var object = try #require(event.json.object)
        object["future"] = ["a": 1]
        #expect(try TaskEvent(json: .object(object)) == event)
    }
}
