// The tables in Docs are read and held against the code: what they promise is what happens.

import BelfryCore
import FoundationEssentials
import Testing

@Suite("Docs")
struct DocsTests {
    /// The rows of the table whose first column is called `name`, each cell without its backticks.
    private func rows(of name: String, in file: String) throws -> [[String]] {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try String(contentsOfFile: "\(root)/Docs/\(file)", encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("| \(name) |") }, "no table '\(name)'")
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false).map {
                var cell = String($0)
                cell.removeAll { $0 == "`" }
                while cell.first == " " { cell.removeFirst() }
                while cell.last == " " { cell.removeLast() }
                return cell
            }
        }
    }

    @Test("Desktop.md names tests for each of its 36 points, and each of them is there")
    func popups() throws {
        let rows = try rows(of: "#", in: "Desktop.md")
        #expect(rows.map { $0[0] } == (1...36).map { "\($0)" })
        let suites = try suites()
        for row in rows {
            var hasNumber = false
            for test in row[2].split(separator: "<br>") {
                let parts = test.split(separator: " ", maxSplits: 1).map(String.init)
                let source = try #require(suites[parts[0]], "there is no suite \(parts[0])")
                let isThere = ["@Test(\(parts[1])", "@Test(\n        \(parts[1])"].contains(
                    where: source.contains
                )
                #expect(isThere, "there is no test \(parts[1]) in \(parts[0])")
                let words = parts[1].dropFirst().split(separator: " ")
                hasNumber = hasNumber || words.contains { $0 == "\(row[0])." }
            }
            #expect(hasNumber, "no test of \(row[0]) has its number")
        }
    }

    @Test("Reliability.md names tests for each promise and each row, and each of them is there")
    func reliability() throws {
        let promises = try rows(of: "promise", in: "Reliability.md")
        let rows = try rows(of: "#", in: "Reliability.md")
        #expect(promises.count == 9)
        #expect(
            rows.map { $0[0] } == [
                "1", "2", "3", "4", "5", "13", "14", "15", "16", "17", "19", "25", "28", "34", "35",
            ]
        )
        try expectTests(promises.dropLast().map { $0[1] } + rows.map { $0[2] })
    }

    @Test("PluginProtocol.md names tests for each rule of exec/1, and each of them is there")
    func failureRules() throws {
        let rows = try rows(of: "rule", in: "PluginProtocol.md")
        #expect(rows.count == 11)
        try expectTests(rows.map { $0[2] })
    }

    /// Each of `cells` must name tests that are there: suites and titles, with `<br>` between them.
    private func expectTests(_ cells: [String]) throws {
        let suites = try suites()
        for cell in cells {
            let tests = cell.split(separator: "<br>")
            #expect(!tests.isEmpty)
            for test in tests {
                let parts = test.split(separator: " ", maxSplits: 1).map(String.init)
                try #require(parts.count == 2, "no test in '\(test)'")
                let source = try #require(suites[parts[0]], "there is no suite \(parts[0])")
                let isThere = ["Test(", "StoreCheck("].contains { word in
                    ["\(word)\(parts[1])", "\(word)\n        \(parts[1])"].contains(where: source.contains)
                }
                #expect(isThere, "there is no test \(parts[1]) in \(parts[0])")
            }
        }
    }

    /// The sources of all suites, which are named as their files, and of the checks that every store passes.
    private func suites() throws -> [String: String] {
        let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let files = try #require(FileManager.default.subpathsOfDirectory(atPath: tests) as [String]?)
        var suites: [String: String] = [:]
        for file in files where file.hasSuffix("Tests.swift") {
            let name = String(file.split(separator: "/").last ?? "").dropLast(".swift".count)
            suites[String(name), default: ""] += try String(
                contentsOfFile: "\(tests)/\(file)",
                encoding: .utf8
            )
        }
        let checks =
            "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
            + "/Sources/BelfryTesting/Conformance"
        for file in try FileManager.default.contentsOfDirectory(atPath: checks) {
            suites["StoreConformance", default: ""] += try String(
                contentsOfFile: "\(checks)/\(file)",
                encoding: .utf8
            )
        }
        return suites
    }

    @Test("Events.md lists every type of event, and no other")
    func eventTypes() throws {
        #expect(
            try rows(of: "type", in: "Events.md").map { $0[0] } == TaskEvent.Kind.allCases.map(\.rawValue)
        )
    }

    @Test("Events.md lists the fields that every event has")
    func commonFields() throws {
        let event = try event(
            .added,
            from: Example.task().applying(.requestCancel, at: Example.now).events[0]
        )
        let listed = try rows(of: "field", in: "Events.md").map { $0[0] }
        #expect(listed == event.keys.filter { $0 != "task" } + ["task or batch"])
    }

    @Test("Events.md lists the fields that each type adds")
    func addedFields() throws {
        let running = try Example.task(.processing)
        let last = try running.applying(.fail(Example.failure, retryAfter: .zero), at: Example.later)
        let drafts: [TaskEvent.Draft] = try [
            .init(.added, task: TaskSummary(Example.task())),
            Example.task().applying(.claim(by: Example.worker, lease: Example.lease), at: Example.now).events[
                0
            ],
            running.applying(.fail(Example.retryable, retryAfter: .seconds(1)), at: Example.later).events[0],
            Example.task(.processing) { $0.onInterrupt = .rerun }.applying(.interrupt, at: Example.later)
                .events[0],
            running.applying(.requestCancel, at: Example.later).events[0],
            running.applying(.complete(TaskResult(value: 1)), at: Example.later).events[0],
            last.events[0],
            running.applying(.confirmCancel, at: Example.later).events[0],
            last.task.applying(.retry(attempts: 1), at: Example.later).events[0],
            running.applying(.snooze(delay: .seconds(1), message: "Busy."), at: Example.later).events[0],
            Example.task().applying(.edit(TaskEdit(), turn: nil), at: Example.later).events[0],
            Example.task().applying(.stash, at: Example.later).events[0],
            Example.task { $0.isStashed = true }.applying(.release, at: Example.later).events[0],
        ]
        let common = ["schema", "position", "id", "time", "type", "task"]
        let rows = try rows(of: "type", in: "Events.md")
        for draft in drafts {
            let row = try #require(rows.first { $0[0] == draft.kind.rawValue })
            let listed = row[2].prefix { $0 != "w" || !row[2].hasSuffix("when it was running") }
                .split(separator: ",").map { $0.filter { $0 != " " } }
            let fields = try event(draft.kind, from: draft).keys.filter { !common.contains($0) }
            #expect(listed.sorted() == fields.sorted(), "\(draft.kind.rawValue)")
        }
    }

    private func event(_ kind: TaskEvent.Kind, from draft: TaskEvent.Draft) throws -> JSONObject {
        let cursor = EventCursor(epoch: "epoch", position: 1)
        return try #require(TaskEvent(cursor: cursor, time: Example.now, draft: draft).json.object)
    }

    @Test("States.md: every row of the table is what the transition does")
    func states() throws {
        let running = try Example.task(.processing)
        let interruptible = try Example.task(.processing) { $0.onInterrupt = .rerun }
        let cancelling = try running.applying(.requestCancel, at: Example.now).task
        var held = Example.task()
        held.holdCount = 1
        let cases: [(from: [BackgroundTask], action: TaskAction)] = [
            ([Example.task()], .claim(by: Example.worker, lease: Example.lease)),
            ([running], .complete(TaskResult())),
            ([running], .fail(Example.retryable, retryAfter: .seconds(1))),
            ([running], .fail(Example.failure, retryAfter: .zero)),
            ([Example.task()], .requestCancel),
            ([running], .requestCancel),
            ([cancelling], .confirmCancel),
            ([interruptible], .interrupt),
            ([try Example.task(.processing) { $0.onInterrupt = .fail }], .interrupt),
            ([cancelling], .interrupt),
            (
                try [TaskStatus.completed, .failed, .cancelled].map { try Example.task($0) },
                .retry(attempts: 1)
            ),
            ([running], .snooze(delay: .seconds(1), message: nil)),
            ([cancelling], .snooze(delay: .seconds(1), message: nil)),
            ([held], .dependencyDone),
            ([held], .dependencyFailed(Example.failure)),
            ([Example.task(), held], .expire),
            ([Example.task(), held], .stash),
            ([Example.task { $0.isStashed = true }], .release),
            ([Example.task(), held], .edit(TaskEdit(), turn: nil)),
        ]
        let rows = try rows(of: "action", in: "States.md")
        try #require(rows.count == cases.count)
        for (row, test) in zip(rows, cases) {
            for task in test.from {
                let transition = try task.applying(test.action, at: Example.later)
                #expect(
                    row[1] == "a final state" ? task.status.isFinal : row[1].hasPrefix(task.status.rawValue),
                    "\(row)"
                )
                #expect(row[2].hasPrefix(transition.task.status.rawValue), "\(row)")
                #expect(transition.events.map(\.kind.rawValue) == (row[3].isEmpty ? [] : [row[3]]), "\(row)")
            }
        }
    }
}
