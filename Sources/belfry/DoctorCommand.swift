// belfry doctor: what is wrong, and how to mend it.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Looks for what is wrong and says how to mend it.",
        discussion: "The exit status is 0 when nothing is wrong that keeps tasks from running."
    )

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let session = Session()
        var report = Report(isJSON: json)
        programs(session, &report)
        directories(session, &report)
        hub(session, &report)
        plugins(session, &report)
        if json { Output.json(["findings": .array(report.findings)]) }
        if report.isBad { throw ExitCode(ExitStatus.failure) }
    }

    private func programs(_ session: Session, _ report: inout Report) {
        let directory = HubStarter.programsDirectory(environment: session.environment)
        for name in ["belfryd", "belfry-launch"] {
            if let path = HubStarter.program(name, in: directory) {
                report.ok("\(name): \(path)")
            } else {
                report.bad(
                    "\(name) is not in \(directory)",
                    "install Belfry as a whole (make install), or set BELFRY_BIN_DIR"
                )
            }
        }
    }

    private func directories(_ session: Session, _ report: inout Report) {
        report.check("socket's directory: \(session.places.runtime)") { try session.places.prepareRuntime() }
        let isSet = ["BELFRY_RUNTIME_DIR", "XDG_RUNTIME_DIR"].contains {
            !session.environment[$0, default: ""].isEmpty
        }
        if !isSet {
            report.hint(
                "XDG_RUNTIME_DIR is not set; \(session.places.runtime) is used",
                "log in through a session manager, or set it"
            )
        }
        report.check("state: \(session.places.state)") {
            try session.places.prepareState()
            guard access(session.places.state, W_OK) == 0 else {
                throw BelfryError(
                    .notWritable,
                    "\(session.places.state) is not writable.",
                    fix: "make it yours: chown, chmod u+w"
                )
            }
        }
        var info = statvfs()
        if statvfs(session.places.state, &info) == 0 {
            let free = Int64(info.f_bavail) * Int64(info.f_frsize)
            let text = "free space for state and results: \(Format.size(free))"
            if free < 256 << 20 {
                report.bad(text, "free some: belfry clear, or move BELFRY_STATE_DIR")
            } else {
                report.ok(text)
            }
        }
    }

    private func hub(_ session: Session, _ report: inout Report) {
        do {
            let status = try session.client.send("GET", "/v1/status")
            report.ok("hub: \(status["version"]?.string ?? "?"), process \(status["pid"]?.int ?? 0)")
            if let version = status["version"]?.string, version != BelfryVersion.current {
                report.hint(
                    "the hub is version \(version), this is \(BelfryVersion.current)",
                    "belfry stop; the next submission starts the new one"
                )
            }
            for warning in status["warnings"]?.array ?? [] {
                report.hint(warning.string ?? "", "mend the configuration")
            }
            for problem in status["store"]?["problems"]?.array ?? [] {
                report.bad(problem["message"]?.string ?? "", problem["fix"]?.string ?? "none is known")
            }
            for sink in status["sinks"]?.array ?? [] { check(sink, &report) }
        } catch let error as BelfryError where error.code == .noHub {
            report.ok("hub: none runs; a submission starts one")
        } catch {
            report.bad(
                "the hub does not answer: \(error)",
                "belfry stop, or look at \(session.places.hubLog)"
            )
        }
    }

    private func check(_ sink: JSONValue, _ report: inout Report) {
        let name = sink["name"]?.string ?? ""
        if sink["condition"]?.string == "failing" {
            report.bad(
                "the sink \(name) fails: \(sink["lastError"]?.string ?? "")",
                sink["fix"]?.string ?? "see the reason; it is tried again by itself"
            )
        }
        if let parked = sink["parked"]?.int, parked > 0 {
            report.note("the sink \(name) has put events aside: \(parked)", "belfry sink parked \(name)")
        }
    }

    private func plugins(_ session: Session, _ report: inout Report) {
        do {
            for plugin in try session.ask("GET", "/v1/plugins")["plugins"]?.array ?? [] {
                PluginDoctorCommand.check(plugin, &report)
            }
        } catch let error as BelfryError {
            report.bad(error.message, error.fix ?? "none is known")
        } catch {
            report.bad("\(error)", "none is known")
        }
    }
}
