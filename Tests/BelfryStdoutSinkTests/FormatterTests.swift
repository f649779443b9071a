// The lines that people read, as they look.

import BelfryCore
import Testing

@testable import BelfryStdoutSink

@Suite("Event lines")
struct FormatterTests {
    private let formatter = EventFormatter(isColored: false, isUTC: true)

    private func task(_ change: (inout BackgroundTask) -> Void = { _ in }) -> TaskSummary {
        var new = NewTask(featureID: "text-to-image")
        new.title = "A lighthouse at dusk"
        new.maxAttempts = 3
        let now = Timestamp(milliseconds: 1_767_225_600_000)
        let id = TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab")
        var task = BackgroundTask(new, id: id, number: 12, at: now)
        change(&task)
        return TaskSummary(task)
    }

    private func event(
        _ kind: TaskEvent.Kind,
        task: TaskSummary? = nil,
        batch: TaskBatch? = nil,
        change: (inout TaskEvent.Draft) -> Void = { _ in }
    ) -> TaskEvent {
        var draft = TaskEvent.Draft(kind, task: batch == nil ? task ?? self.task() : nil, batch: batch)
        change(&draft)
        return TaskEvent(
            cursor: EventCursor(epoch: "e1", position: 4),
            time: Timestamp(milliseconds: 1_767_225_661_000),
            draft: draft
        )
    }

    @Test("every kind of event is one line that says what matters")
    func lines() {
        var batch = TaskBatch(
            id: BatchID(stored: "0198c0de-0000-7000-8000-000000abcdef"),
            title: "Four seasons",
            total: 4,
            createdAt: Timestamp(milliseconds: 0)
        )
        batch.completed = 3
        batch.failed = 1
        let failure = TaskFailure("busy", "The server is busy.", fix: "Wait.", isRetryable: true)
        let events = [
            event(.added), event(.started, task: task { $0.attempt = 1 }),
            event(.started, task: task { $0.attempt = 2 }),
            event(.retrying, task: task { $0.attempt = 1 }) { draft in
                draft.error = failure
                draft.notBefore = Timestamp(milliseconds: 1_767_225_666_000)
            },
            event(.interrupted), event(.cancelRequested),
            event(.completed) { draft in
                draft.duration = .milliseconds(12_340)
                draft.result = TaskResult(artifacts: [TaskResult.Artifact(uri: "file:///tmp/a%20b.png")])
            },
            event(.failed) { draft in
                draft.duration = .seconds(75)
                draft.error = failure
            },
            event(.cancelled), event(.retried), event(.removed), event(.batchAdded, batch: batch),
            event(.batchFinished, batch: batch),
        ]
        let expected = """
            00:01:01  #12 text-to-image     ○ added        A lighthouse at dusk
            00:01:01  #12 text-to-image     ▶ started      A lighthouse at dusk
            00:01:01  #12 text-to-image     ▶ started      attempt 2  A lighthouse at dusk
            00:01:01  #12 text-to-image     ↻ retrying     in 5.0 s, after attempt 1 of 3: The server is busy.
            00:01:01  #12 text-to-image     ↻ interrupted  A lighthouse at dusk
            00:01:01  #12 text-to-image     ◼ cancelling   A lighthouse at dusk
            00:01:01  #12 text-to-image     ✓ completed    12.3 s  A lighthouse at dusk → /tmp/a b.png
            00:01:01  #12 text-to-image     ✗ failed       1 min 15 s  The server is busy.  (Wait.)
            00:01:01  #12 text-to-image     ◼ cancelled    A lighthouse at dusk
            00:01:01  #12 text-to-image     ○ retried      A lighthouse at dusk
            00:01:01  #12 text-to-image     − removed      A lighthouse at dusk
            00:01:01  batch abcdef          ○ added        4 tasks, 1 failed  Four seasons
            00:01:01  batch abcdef          ✓ finished     4 tasks, 1 failed  Four seasons
            """
        #expect(events.map { formatter.line($0) }.joined(separator: "\n") == expected)
    }

    @Test("control characters, line breaks and direction marks cannot play with the terminal")
    func hostile() {
        let evil = "a\u{1B}[31mb\nc\u{202E}d\u{0}e\u{9B}f"
        let line = formatter.line(event(.added, task: task { $0.title = evil }))
        let bad = line.unicodeScalars.filter {
            $0.properties.generalCategory == .control || $0.properties.generalCategory == .format
        }
        #expect(bad.isEmpty, "\(line.debugDescription)")
        #expect(line.contains("b"))
    }

    @Test("colours are there only when asked for")
    func colours() {
        #expect(!formatter.line(event(.failed)).contains("\u{1B}"))
        let colored = EventFormatter(isColored: true, isUTC: true).line(event(.failed))
        #expect(colored.contains("\u{1B}[31m✗ failed"))
    }
}
