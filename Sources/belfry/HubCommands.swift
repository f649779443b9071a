// belfry status, stop and sink: the hub itself.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "Shows how the hub is.")

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let session = Session()
        let status = try session.client.send("GET", "/v1/status")
        if json { return Output.json(status) }
        func line(_ name: String, _ text: String) {
            Output.line(
                name + String(repeating: " ", count: max(1, 10 - name.count)) + text,
                isBuffered: true
            )
        }
        line(
            "hub",
            "\(status["version"]?.string ?? "?")  process \(status["pid"]?.int ?? 0), up since \(status["startedAt"]?.string ?? "?")"
        )
        line("socket", session.places.socket)
        line(
            "store",
            "\(status["store"]?["path"]?.string ?? "?")  (\(status["store"]?["engine"]?.string ?? "?"))"
        )
        let tasks = TaskStatus.allCases.map { "\(status["tasks"]?[$0.rawValue]?.int ?? 0) \($0.rawValue)" }
        line("tasks", tasks.joined(separator: ", "))
        line(
            "slots",
            "\(status["worker"]?["running"]?.int ?? 0) of \(status["worker"]?["concurrency"]?.int ?? 0) in use"
        )
        line(
            "events",
            "\(status["store"]?["newest"]?.int ?? 0), epoch \(status["store"]?["epoch"]?.string ?? "?")"
        )
        for problem in status["store"]?["problems"]?.array ?? [] {
            line("problem", problem["message"]?.string ?? "")
            line("fix", problem["fix"]?.string ?? "")
        }
        for sink in status["sinks"]?.array ?? [] {
            line(
                "sink",
                "\(sink["name"]?.string ?? "")  \(sink["condition"]?.string ?? ""), lag \(sink["lag"]?.text ?? "unknown")"
            )
        }
        for warning in status["warnings"]?.array ?? [] { line("warning", warning.string ?? "") }
        Output.flush()
    }
}

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Ends the hub gracefully; unfinished tasks go on when it is back.",
        discussion: """
            Running tasks have worker.drain_seconds (10) to end. What is cut off then runs again when the hub is back; \
            a command only if it was submitted with --rerun, else it fails with the code interrupted.
            """
    )

    func run() throws {
        let session = Session()
        let hub: Int32
        do {
            let answer = try session.client.open("POST", "/v1/stop")
            hub = answer.hubProcess
            _ = try answer.readAll()
        } catch let error as BelfryError where error.code == .noHub {
            return Output.note("No hub is running.")
        }
        waitForEnd(of: hub, lock: session.places.runtime + "/hub.lock")
        Output.note("The hub has ended.")
    }

    /// Returns when the hub's lock is free, or another hub has it already.
    private func waitForEnd(of hub: Int32, lock: String) {
        let descriptor = open(lock, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 64)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let count = max(0, pread(descriptor, &buffer, buffer.count, 0))
            let owner = String(decoding: buffer[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
            // A wait in the kernel would go on with the next hub that takes the lock.
            if Int32(owner) != hub { return }
            usleep(10_000)
        }
    }
}

struct SinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink",
        abstract: "Where events go, and how far each has got.",
        subcommands: [
            SinkListCommand.self, SinkParkedCommand.self, SinkReplayCommand.self, SinkTestCommand.self,
        ],
        defaultSubcommand: SinkListCommand.self
    )
}

struct SinkListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the sinks.")

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let answer = try Session().client.send("GET", "/v1/sinks")
        if json { return Output.json(answer) }
        var table = Table(["SINK", "STATE", "LAG", "PARKED", "REMARKS"])
        for sink in answer["sinks"]?.array ?? [] {
            table.add([
                sink["name"]?.string ?? "", sink["condition"]?.string ?? "", sink["lag"]?.text ?? "",
                sink["parked"]?.text ?? "", sink["lastError"]?.string ?? sink["remark"]?.string ?? "",
            ])
        }
        table.print()
    }
}

struct SinkTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Has a sink show what it can do: each kind of popup, or one event through an observer.",
        discussion: """
            An observer, such as webhook or ntfy, is handed the event of a task that never was, and does with it what it \
            does with real ones; what it answers is printed. Exit status 1 when the event did not arrive.

            It starts the hub when none runs.
            """
    )

    @Argument(help: "The sink's name, such as desktop or webhook.") var sink: String
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let (answer, _) = try Session().submit("POST", "/v1/sinks/\(URLText.encode(sink))/test", body: [:])
        if json { Output.json(answer) }
        if let outcome = answer["outcome"]?.string { return try tell(outcome, answer) }
        if !json { showDesktop(answer) }
    }

    private func showDesktop(_ answer: JSONValue) {
        let server = answer["server"] ?? [:]
        let names = ["name", "version", "vendor"].compactMap { server[$0]?.string }.filter { !$0.isEmpty }
        Output.line(Terminal.visible("server  \(names.joined(separator: ", "))"))
        for shown in answer["shown"]?.array ?? [] { Output.line("shown   \(shown.string ?? "")") }
        for ability in answer["abilities"]?.array ?? [] {
            let mark = ability["has"]?.bool == true ? "yes" : "no "
            Output.line("\(mark)     \(ability["what"]?.string ?? "")")
        }
    }

    /// What an observer made of its event.
    private func tell(_ outcome: String, _ answer: JSONValue) throws {
        let words = [
            "delivered": "took it", "rejected": "refused it",
            "retry": "could not deliver it, and would be given it again",
        ]
        let reason = answer["reason"]?.string.map { ": \($0)" } ?? ""
        let line = "\(sink) \(words[outcome] ?? "gave no answer")\(reason)"
        if !json { Output.line(Terminal.visible("\(answer["event"]?.string ?? "")  \(line)")) }
        if outcome != "delivered" { throw ExitCode(1) }
    }
}
