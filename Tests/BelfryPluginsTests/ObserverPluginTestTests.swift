// What authors of observers are told, before a hub sees their plugin.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import Glibc
import PythonTesting
import Testing

@testable import BelfryPlugins

@Suite("The author of an observer is told", .timeLimit(.minutes(1)))
struct ObserverTestTests {
    private let directory: TestDirectory

    init() throws {
        signal(SIGPIPE, SIG_IGN)
        directory = try TestDirectory()
    }

    /// No time passes: however slow the machine is, nobody is late.
    private static var still: Clocks { Clocks(lease: ManualLeaseClock()) }

    private static let position = "p=${line#*'\"position\":'}; p=${p%%,*}"

    private func write(_ script: String, _ events: JSONValue = ["completed", "failed"]) throws {
        try directory.write("#!/bin/sh\n" + script, to: "probe/main.sh", mode: 0o755)
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "observer", "events": events,
            "runner": ["protocol": "observer/1", "command": "${plugin_dir}/main.sh"],
        ]
        try directory.write(manifest.text, to: "probe/plugin.json")
    }

    /// Tests an observer that does `body` with each line that has a position, which is in `$p`.
    private func test(
        _ body: String,
        _ events: JSONValue = ["completed", "failed"],
        after: String = "",
        timeout: Double = 30,
        clocks: Clocks = still
    ) async throws -> PluginTestReport {
        try write(
            """
            while read -r line; do
                case $line in *'"position":'*) ;; *) continue ;; esac
                \(Self.position)
                \(body)
            done
            \(after)
            """,
            events
        )
        return try await directory.test("probe", clocks: clocks) { $0.timeout = .seconds(timeout) }
    }

    @Test("that all is well: it answers each kind that it hears, and goes on after a gap")
    func sound() async throws {
        let report = try await test("echo \"$line\" >> \"${0%/*}/heard\"; echo ::ack $p", ["*"])
        #expect(report.failures == 0 && report.skipped == 0 && report.warnings == 0, "\(report)")
        #expect(report.cases.count == TaskEvent.Kind.allCases.count + 3)
        let heard = try String(contentsOfFile: directory.path + "/probe/heard", encoding: .utf8)
        let kinds = try heard.split(separator: "\n").map {
            try TaskEvent(json: JSONValue(parsing: String($0))).kind
        }
        #expect(kinds == TaskEvent.Kind.allCases + [.batchFinished])
    }

    @Test("that it refuses a sample: a warning with the reason")
    func refusals() async throws {
        let report = try await test("[ $p = 1 ] && echo ::retry 1 30 it rains || echo ::reject $p too odd")
        #expect(report.failures == 0 && report.warnings == 3, "\(report)")
        #expect(
            report.outcome("answers task.completed")
                == .warned("it asked for the sample again: it rains", fix: nil)
        )
        #expect(report.outcome("answers task.failed") == .warned("it rejected the sample: too odd", fix: nil))
    }

    @Test("that it answers nothing, with what it said instead")
    func silence() async throws {
        let report = try await test("echo done $p", timeout: 1)
        let why = "it answered nothing for 1 s; what was not understood began with: done 1"
        #expect(try report.failure("answers task.completed") == why, "\(report)")
        #expect(try report.failure("says only lines")?.hasSuffix("done 1") == true)
        #expect(report.outcome("ends with") == .skipped("it had ended before"))
    }

    @Test("that it crashes, with its last words")
    func crash() async throws {
        let report = try await test("echo oh no >&2; exit 3")
        #expect(
            try report.failure("answers task.completed")
                == "it ended with status 3 while it had event 1: oh no"
        )
    }

    @Test("that a gap is no event")
    func gap() async throws {
        try write("while read -r line; do \(Self.position); [ $p -gt 0 ] || exit 1; echo ::ack $p; done")
        let report = try await directory.test("probe", clocks: Self.still) { $0.timeout = .seconds(30) }
        #expect(try report.failure("answers") == nil)
        #expect(
            try report.failure("goes on after a gap")?.contains("it ended with status") == true,
            "\(report)"
        )
    }

    @Test("that it stays when its input has ended")
    func stays() async throws {
        let report = try await test("echo ::ack $p", after: "sleep 600", clocks: Clocks())
        #expect(
            try report.failure("ends with the end of its input")
                == "it was still there 2.0 s later and got SIGTERM"
        )
    }

    @Test("what it says to lines of the event log, and which line is none")
    func run() async throws {
        try write("while read -r line; do \(Self.position); echo ::ack $p; done")
        func trial() throws -> ObserverTrial {
            ObserverTrial(
                try directory.plugin("probe"),
                launcher: Attempts.launcher,
                environment: ["PATH": "/usr/bin:/bin"]
            )
        }
        let event = SampleEvents().record(.started, at: 77)
        var answers: [String] = []
        let isDone = try await trial().run([String(decoding: event.json, as: UTF8.self)]) {
            answers.append("\($0) \($1) \($2)")
        }
        #expect(isDone && answers == ["task.started 77 ack"])
        let error = await #expect(throws: BelfryError.self) {
            _ = try await trial().run(["{}"]) { _, _, _ in }
        }
        #expect(error?.code == .invalidRequest)
    }
}
