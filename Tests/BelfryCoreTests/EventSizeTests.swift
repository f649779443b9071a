// Events stay within 4 KiB, so that a reader can hold many and a plugin never gets a surprise.

import BelfryCore
import Testing

@Suite("The size of events")
struct EventSizeTests {
    private static let odd = [
        "a", "\u{1}", "\"", "\\", "\u{7F}", "\n", "\u{E9}", "\u{1F5FC}", "e\u{301}\u{302}\u{303}",
    ]

    /// A task with every text as long as a submission may make it.
    private func largest(of piece: String, _ status: TaskStatus) throws -> BackgroundTask {
        let size = piece.utf8.count
        func text(_ bytes: Int) -> String { String(repeating: piece, count: bytes / size) }
        var task = try Example.task(status) { new in
            new.featureID = text(128)
            new.title = text(800)
            new.userID = text(128)
            new.origin = text(255)
            new.labels = Array(repeating: text(64), count: 16)
            new.batchID = Example.batchID
            new.notify = .outcome
        }
        (task.number, task.revision, task.attempt, task.maxAttempts) = (.max, .max, .max, .max)
        task.progress = 33.333333333333336
        return task
    }

    private func size(_ draft: TaskEvent.Draft) -> Int {
        let cursor = EventCursor(epoch: "abcd1234", position: .max)
        return EventRecord(TaskEvent(cursor: cursor, time: Example.now, draft: draft)).json.count
    }

    @Test("no event is larger than 4 KiB, whatever its texts are made of", arguments: odd)
    func bounded(_ text: String) throws {
        let long = String(repeating: text, count: 20_000)
        var draft = TaskEvent.Draft(.retrying, task: TaskSummary(try largest(of: text, .pending)))
        #expect(size(draft) <= 4096)
        draft.error = TaskFailure(long, long, fix: long, isRetryable: true, logTail: long)
        (draft.duration, draft.notBefore) = (.milliseconds(Int64.max / 2), Example.now)
        #expect(size(draft) <= 4096)
        draft.error = nil
        draft.result = TaskResult(
            value: .string(String(long.prefix(300))),
            artifacts: Array(repeating: .init(uri: "file:///" + long, mime: long, size: .max), count: 9)
        )
        #expect(size(draft) <= 4096)
        draft.result?.artifacts = Array(
            repeating: .init(uri: "file:///" + String(long.prefix(500)), mime: "image/png", size: .max),
            count: 4
        )
        #expect(size(draft) <= 4096)
        var batch = TaskBatch(id: Example.batchID, title: long, total: .max, createdAt: Example.now)
        (batch.completed, batch.failed, batch.cancelled) = (.max, .max, .max)
        #expect(size(.init(.batchFinished, batch: batch)) <= 4096)
    }

    @Test("an event that was shortened still is an event, and keeps what fits")
    func shortened() throws {
        let task = try largest(of: "\u{1}", .completed)
        var draft = TaskEvent.Draft(.completed, task: TaskSummary(task))
        let artifact = TaskResult.Artifact(uri: "file:///home/ada/a.png", mime: "image/png", size: 12)
        let large = TaskResult.Artifact(uri: "file:///" + String(repeating: "a", count: 4000))
        draft.result = TaskResult(value: ["seed": 7], artifacts: [artifact, large])
        let cursor = EventCursor(epoch: "abcd1234", position: 1)
        let record = EventRecord(TaskEvent(cursor: cursor, time: Example.now, draft: draft))
        let event = try record.event()
        #expect(event.task?.id == task.id)
        #expect(event.task?.title.hasSuffix("\u{2026}") == true)
        #expect(event.draft.result == TaskResult(value: ["seed": 7], artifacts: [artifact]))
        #expect(EventRecord(event).json == record.json)
    }

    @Test("an ordinary event is written whole")
    func whole() throws {
        let task = try Example.task(.pending) { $0.title = String(repeating: "a", count: 800) }
        let event = TaskEvent(
            cursor: EventCursor(epoch: "e", position: 1),
            time: Example.now,
            draft: .init(.added, task: TaskSummary(task))
        )
        #expect(EventRecord(event).json == event.json.encoded)
        #expect(try EventRecord(event).event().task?.title.count == 800)
    }
}
