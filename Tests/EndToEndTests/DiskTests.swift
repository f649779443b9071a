// Disks that fill up, files that may not grow, directories that may not be written: a named error, a hub
// that lives, and work that goes on by itself when there is space again.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite(
    "Disks",
    .enabled(if: getuid() == 0, "mounting a small disk needs root"),
    .serialized,
    .timeLimit(.minutes(3))
)
struct DiskTests {
    /// Submits until it is refused.
    private func refusal(_ sandbox: Sandbox) throws -> BelfryError {
        let hub = HubClient(socketPath: sandbox.places.socket)
        let body: JSONValue = [
            "featureId": "shell", "notBefore": "2100-01-01T00:00:00Z",
            "params": ["command": ["/bin/true", .string(String(repeating: "x", count: 4000))]],
            "context": ["workingDirectory": "/", "environment": ["PATH": "/usr/bin:/bin"]],
        ]
        // The store has some pages in hand: it takes a few submissions until it must grow.
        for _ in 0..<1000 {
            do { _ = try hub.send("POST", "/v1/tasks", body: body) } catch let error as BelfryError {
                return error
            }
        }
        throw BelfryError(.internalError, "nothing was refused")
    }

    /// These disks are smaller than what Belfry leaves free by itself.
    private static let noReserve = "[worker]\ndisk_reserve_mb = 0\n"

    /// The same hub works again, and the log has every event once.
    private func expectResumed(_ sandbox: Sandbox, _ pid: pid_t?) async throws {
        let ran = try await sandbox.belfry("run", "--", "true")
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(sandbox.hubProcess == pid)
        let newest = try #require(try await sandbox.belfry("status", "--json").json["store"]?["newest"]?.int)
        while try await lag(sandbox) != 0 {}
        #expect(try await sandbox.wholeEventLog() == Array(1...newest))
        try await sandbox.belfry("stop")
    }

    private func lag(_ sandbox: Sandbox) async throws -> Int64? {
        try await fileSink(sandbox)["lag"]?.int
    }

    private func fileSink(_ sandbox: Sandbox) async throws -> JSONValue {
        let sinks = try await sandbox.belfry("sink", "list", "--json").json["sinks"]?.array ?? []
        return try #require(sinks.first { $0["name"] == "file" })
    }

    @Test(
        "a disk that is full is named in the refusal; freed, the hub takes work and the events follow by themselves"
    )
    func full() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(Self.noReserve, to: "config.toml")
        let disk = try SmallDisk(at: sandbox.places.state, kilobytes: 4096)
        defer { disk.unmount() }
        #expect(try await sandbox.belfry("run", "--", "true").status == 0)
        let pid = sandbox.hubProcess
        try disk.fill()
        let error = try refusal(sandbox)
        #expect([.diskFull, .outcomeUnknown].contains(error.code), "\(error)")
        #expect(error.message.contains("full"), "\(error)")
        #expect(error.fix != nil)
        disk.empty()
        try await expectResumed(sandbox, pid)
    }

    @Test("files that may not grow further are no death: a named error, and all goes on when they may")
    func fileSizeLimit() async throws {
        let sandbox = try Sandbox()
        #expect(try await sandbox.belfry("run", "--", "true").status == 0)
        let pid = try #require(sandbox.hubProcess)
        try await sandbox.run("/usr/bin/prlimit", ["--pid", "\(pid)", "--fsize=300000:unlimited"])
        let error = try refusal(sandbox)
        #expect([.diskFull, .storeUnavailable, .outcomeUnknown].contains(error.code), "\(error)")
        #expect(error.fix != nil)
        #expect(sandbox.hubProcess == pid)
        try await sandbox.run("/usr/bin/prlimit", ["--pid", "\(pid)", "--fsize=unlimited:unlimited"])
        try await expectResumed(sandbox, pid)
    }

    @Test("an event log that cannot be written is named at start, with the exit status for permissions")
    func readOnlyLogAtStart() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(Self.noReserve, to: "config.toml")
        let disk = try SmallDisk(at: sandbox.root + "/logs", kilobytes: 256)
        defer { disk.unmount() }
        try disk.makeReadOnly()
        try sandbox.write(
            Self.noReserve + "[sinks.file]\npath = \"\(sandbox.root)/logs/events.jsonl\"\n",
            to: "config.toml"
        )
        let ran = try await sandbox.belfry("add", "--", "true")
        #expect(ran.status == 77, "\(ran.errors)")
        #expect(
            ran.errors.contains("Cannot write the event log \(sandbox.root)/logs/events.jsonl: Read-only"),
            "\(ran.errors)"
        )
        #expect(ran.errors.split(separator: "\n").map { $0.prefix(7) } == ["belfry:", "  fix: "])
        let hub = try await sandbox.run(Sandbox.programs + "/belfryd", [])
        #expect(hub.status == 77)
        #expect(hub.errors.contains("\(sandbox.root)/logs/events.jsonl"), "\(hub.errors)")
    }

    @Test("an event log that becomes read-only holds up that sink alone, and follows when it can")
    func readOnlyLogAtRunTime() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            Self.noReserve + "[sinks.file]\npath = \"\(sandbox.root)/logs/events.jsonl\"\n",
            to: "config.toml"
        )
        #expect(try await sandbox.belfry("run", "--", "true").status == 0)
        let pid = sandbox.hubProcess
        while try await lag(sandbox) != 0 {}
        // Another disk takes the place of the log's, and may only be read.
        let disk = try SmallDisk(at: sandbox.root + "/logs", kilobytes: 256)
        do {
            defer { disk.unmount() }
            try disk.makeReadOnly()
            let ran = try await sandbox.belfry("run", "--", "echo", "as ever")
            #expect(ran.output == "as ever\n", "\(ran.errors)")
            var sink = try await fileSink(sandbox)
            while sink["condition"] != "failing" { sink = try await fileSink(sandbox) }
            #expect(sink["lag"]?.int == 3)
            #expect(sink["lastError"]?.string?.contains("Read-only file system") == true, "\(sink.text)")
        }
        while try await lag(sandbox) != 0 {}
        #expect(sandbox.hubProcess == pid)
        try await sandbox.belfry("stop")
        let text = try String(contentsOfFile: sandbox.root + "/logs/events.jsonl", encoding: .utf8)
        let positions = try text.split(separator: "\n").map {
            try JSONValue(parsing: String($0))["position"]?.int
        }
        #expect(positions == [1, 2, 3, 4, 5, 6])
    }
}
