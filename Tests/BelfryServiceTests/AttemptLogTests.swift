// What the program's own log says of attempts: every line names the task, its feature and the attempt.

import BelfryCore
import BelfryService
import BelfryTesting
import Logging
import Synchronization
import Testing

@Suite("The log of attempts", .timeLimit(.minutes(1)))
struct AttemptLogTests {
    @Test("every line about an attempt names the task, its feature and the attempt")
    func metadata() async throws {
        let log = RecordedLog()
        let feature = ClosureFeature("bad") { _, _ in throw TaskFailure("bad_input", "the secret is 42") }
        let task = Mutex<TaskID?>(nil)
        try await Harness.run(features: [feature, ClosureFeature("good")], logger: log.logger) { hub in
            let bad = try await hub.add("bad")
            task.withLock { $0 = bad.id }
            try await hub.event(.failed, of: bad.id)
            let good = try await hub.add("good")
            try await hub.event(.completed, of: good.id)
        }
        let lines = log.lines.filter { $0.message.contains("attempt") }
        #expect(
            lines.map(\.message) == [
                "an attempt begins", "an attempt ended", "an attempt begins", "an attempt ended",
            ]
        )
        let id = try #require(task.withLock { $0 })
        for line in lines.prefix(2) {
            #expect(line.metadata["task"] == "\(id)")
            #expect(line.metadata["feature"] == "bad")
            #expect(line.metadata["attempt"] == "1")
        }
        #expect(lines.allSatisfy { $0.level == .debug })
        #expect(lines[1].metadata["outcome"] == "failed")
        #expect(lines[1].metadata["code"] == "bad_input")
        #expect(lines[3].metadata["code"] == nil)
        #expect(lines[3].metadata["durationSeconds"].flatMap(Double.init) != nil)
        #expect(lines[3].metadata["outcome"] == "completed")
        #expect(!log.lines.contains { "\($0)".contains("secret") })
    }

    @Test("trouble with the outcome is told with the same names")
    func refused() async throws {
        let log = RecordedLog()
        var clocks = Clocks()
        clocks.sleep = { duration in
            if duration < .seconds(9) { return await Task.yield() }
            try await ContinuousClock().sleep(for: .seconds(3600))
        }
        let gate = Gate()
        let feature = ClosureFeature("long") { _, _ in
            try await gate.wait()
            return TaskResult()
        }
        // One slot: nothing is claimed while the first runs.
        try await Harness.run(features: [feature], clocks: clocks, concurrency: 1, logger: log.logger) {
            hub in
            let task = try await hub.add("long")
            try await hub.event(.started, of: task.id)
            hub.store.fail(.settle)
            let rescue = Rescue(alive: [], bootID: "other", leaseTime: .zero, isSoleOwner: true)
            _ = try hub.memory.rescue(rescue, at: hub.clocks.wall.now)
            _ = try await hub.service.cancel(task.id)
            gate.open()
        }
        let lines = log.lines.filter { $0.message.contains("outcome") }
        #expect(
            lines.map(\.message) == [
                "cannot record an outcome; trying again", "an outcome was refused",
            ]
        )
        for line in lines {
            #expect(line.metadata["feature"] == "long")
            #expect(line.metadata["attempt"] == "1")
            #expect(line.metadata["task"] != nil)
            #expect(line.metadata["error"] != nil)
        }
    }
}

/// Keeps what is logged.
final class RecordedLog: Sendable {
    struct Line: Sendable {
        var level: Logger.Level
        var message: String
        var metadata: [String: String]
    }

    private let kept = Mutex<[Line]>([])

    var lines: [Line] { kept.withLock { $0 } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(log: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
            let line = Line(
                level: event.level,
                message: "\(event.message)",
                metadata: all.mapValues { "\($0)" }
            )
            log.kept.withLock { $0.append(line) }
        }
    }
}
