// A program of BelfryPluginKit as a plugin of a hub, by each protocol that it speaks.

import BelfryCore
import FoundationEssentials
import Testing

extension Sandbox {
    /// Adds a plugin whose manifest is what its program prints. The program stays where it was built: a copy of it
    /// would be hashed, and a debug build takes seconds for that.
    ///
    /// - Parameter options: of the program, such as `--exec`.
    func addSwiftPlugin(_ program: String, id: String, _ options: [String]) async throws {
        let path = Sandbox.programs + "/" + program
        let printed = try await run(path, options + ["--manifest"])
        let command = "${plugin_dir}/" + program
        #expect(printed.json["runner"]?["command"]?.string == command)
        try write(printed.output.replacing(command, with: path), to: id + "/plugin.json")
        let added = try await belfry("plugin", "add", "--yes", root + "/" + id)
        #expect(added.status == 0, "\(added.errors)")
    }
}

@Suite("A plugin in Swift, through the hub", .timeLimit(.minutes(1)))
struct SwiftPluginTests {
    private static let protocols = [["--exec"], []]

    private func sandbox(_ options: [String]) async throws -> Sandbox {
        let sandbox = try Sandbox()
        try await sandbox.addSwiftPlugin("plugin-kit-probe", id: "probe", options)
        return sandbox
    }

    @Test("is tried again later with what it saved, and makes a file", arguments: protocols)
    func goesOn(_ options: [String]) async throws {
        let sandbox = try await sandbox(options)
        let task = try await sandbox.belfry("run", "--json", "resumes").json
        #expect(task["status"] == "completed", "\(task.text)")
        // A snooze does not count; that there were two attempts is in the events.
        #expect(task["result"]?["value"] == ["saved": "halfway"])
        let file = task["result"]?["artifacts"]?.array?.first?["uri"]?.string.flatMap(FileURI.path)
        #expect(try String(contentsOfFile: #require(file), encoding: .utf8) == "halfway")
        let events = try sandbox.eventLog().compactMap { $0["type"]?.string }
        #expect(events.contains("task.snoozed"), "\(events)")
        #expect(try await sandbox.belfry("log", "last").output.contains("goes on from halfway\n"))
    }

    @Test("fails with its code, its words and their fix", arguments: protocols)
    func failure(_ options: [String]) async throws {
        let sandbox = try await sandbox(options)
        let task = try await sandbox.belfry("run", "--json", "fails").json
        let error = task["error"]
        #expect(error?["code"] == "busy" && error?["message"] == "The machine is busy.", "\(task.text)")
        #expect(error?["fix"] == "Wait.")
    }

    @Test("stops when its task is cancelled; one that stays, stays", arguments: protocols)
    func cancel(_ options: [String]) async throws {
        let sandbox = try await sandbox(options)
        let id = try #require(try await sandbox.belfry("add", "--json", "waits").json["id"]?.string)
        var task: JSONValue = [:]
        while task["message"] != "third" {
            task = try await sandbox.belfry("show", id, "--json").json
            try #require(task["status"] != "failed", "\(task.text)")
        }
        #expect(task["progress"]?.double == 20)
        #expect(try await sandbox.belfry("cancel", id).status == 0)
        _ = try await sandbox.belfry("wait", id)
        #expect(try await sandbox.belfry("show", id, "--json").json["status"] == "cancelled")
        let plugins = try await sandbox.belfry("plugin", "list", "--json").json["plugins"]?.array
        let process = plugins?.first { $0["id"] == "probe" }?["process"]
        // A server that is not known to stop would be ended, and be busy until then.
        #expect(options.isEmpty ? process?["state"] == "ready" : process == nil, "\(process?.text ?? "")")
    }
}
