// Names and texts that are made to be taken for something else: paths, ends of strings, lines of the log.
// Each is refused or inert, and nothing is written outside of the directories that are Belfry's.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Hostile input", .serialized, .timeLimit(.minutes(3)))
struct HostileInputTests {
    private static let odd = [
        "../../x", "..", "/etc/passwd", "a\u{0}b", "%2e%2e%2f%2e%2e%2fx", "%00", ".", "~", "x/../../y",
        String(repeating: "n", count: 65536), "a\nb", "\u{202E}gpj", "'; DROP TABLE tasks; --",
    ]

    private func body(_ changes: JSONObject) -> JSONValue {
        var body: JSONObject = [
            "featureId": "shell", "params": ["command": ["/bin/true"]],
            "context": ["workingDirectory": "/", "environment": ["PATH": "/usr/bin:/bin"]],
        ]
        for (key, value) in changes { body[key] = value }
        return .object(body)
    }

    /// The text as one part of a path, every byte of it escaped.
    private static func encoded(_ text: String) -> String {
        text.utf8.prefix(2000).map { byte in
            let hex = String(byte, radix: 16)
            return "%" + (hex.utf8.count == 1 ? "0" : "") + hex
        }.joined()
    }

    /// Every file below the sandbox that is not in the state or runtime directory.
    private func filesOutside(_ sandbox: Sandbox) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: sandbox.root)
            .filter { !$0.hasPrefix("state") && !$0.hasPrefix("run") }.sorted()
    }

    @Test(
        "ids and names that are paths, NUL, percent-escapes or 64 KiB are refused or inert, and make no file elsewhere"
    )
    func names() async throws {
        let sandbox = try Sandbox()
        try sandbox.startHub()
        let before = try filesOutside(sandbox)
        let hub = HubClient(socketPath: sandbox.places.socket)
        var accepted = 0
        for text in Self.odd {
            for field in ["id", "featureId", "group"] where field != "group" || text.contains("/") {
                let error = #expect(throws: BelfryError.self, "\(field) \(text.prefix(40))") {
                    try hub.send("POST", "/v1/tasks", body: body([field: .string(text)]))
                }
                #expect(
                    [.invalidRequest, .unknownFeature].contains(error?.code),
                    "\(field) \(text.prefix(40)): \(String(describing: error))"
                )
            }
            for field in ["title", "userId", "origin", "group", "idempotencyKey"] {
                do {
                    _ = try hub.send("POST", "/v1/tasks", body: body([field: .string(text)]))
                    accepted += 1
                } catch let error as BelfryError {
                    #expect(error.code == .invalidRequest, "\(field) \(text.prefix(40)): \(error)")
                }
            }
            let path = Self.encoded(text)
            for route in ["tasks/\(path)", "tasks/\(path)/attempts", "tasks/\(path)/log", "batches/\(path)"] {
                #expect(throws: BelfryError.self, "\(route.prefix(60))") {
                    try hub.send("GET", "/v1/\(route)")
                }
            }
        }
        #expect(accepted > 0)
        #expect(try await sandbox.belfry("wait").status == 0)
        #expect(try await sandbox.belfry("clear", "--all", "--yes").output == "\(accepted) tasks removed\n")
        try await sandbox.belfry("stop")
        #expect(try filesOutside(sandbox) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: sandbox.root + "/state/results") == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: sandbox.root + "/state/logs") == [])
    }

    @Test("params that are paths reach the program as they are and choose no place of Belfry's files")
    func params() async throws {
        let sandbox = try Sandbox()
        try sandbox.startHub()
        let before = try filesOutside(sandbox)
        for text in Self.odd where !text.contains("\u{0}") && text.utf8.count < 1000 {
            let ran = try await sandbox.belfry("run", "--", "printf", "%s", text)
            #expect(ran.status == 0, "\(ran.errors)")
            #expect(ran.output == text)
        }
        try await sandbox.belfry("stop")
        #expect(try filesOutside(sandbox) == before)
    }

    @Test("newlines and JSON in titles and output: one event is one line that parses, always")
    func lines() async throws {
        let sandbox = try Sandbox()
        try sandbox.startHub()
        let hub = HubClient(socketPath: sandbox.places.socket)
        let forged = #"{"schema":1,"position":999,"id":"e-999","type":"task.completed"}"#
        let texts = [
            "one\ntwo", "\r\n\(forged)\n", "\"},\n{\"position\":1}", "\u{2028}\u{2029}\u{85}",
            "\u{1}\u{1B}[2J", "\\n\\", forged,
        ]
        for text in texts {
            _ = try hub.send("POST", "/v1/tasks", body: body(["title": .string(text)]))
            let failing: JSONValue = [
                "command": ["/bin/sh", "-c", .string("printf '%s' \"$0\" >&2; exit 3"), .string(text)]
            ]
            _ = try hub.send("POST", "/v1/tasks", body: body(["params": failing]))
        }
        try await sandbox.belfry("wait")
        let newest = try #require(try await sandbox.belfry("status", "--json").json["store"]?["newest"]?.int)
        try await sandbox.belfry("stop")
        // Every line is an event of ours: as many as there are positions, each with the next one.
        let log = try Data(contentsOf: URL(filePath: sandbox.places.eventLog)).split(separator: 0x0A)
        let events = try log.map { try JSONValue(parsing: $0) }
        #expect(events.compactMap { $0["position"]?.int } == Array(1...newest))
        #expect(log.count == Int(newest))
        let titles = Set(events.compactMap { $0["task"]?["title"]?.string })
        // A title is made one line of its own before.
        #expect(titles.isSuperset(of: [forged, "one two", "\\n\\"]), "\(titles)")
        let tail = try await sandbox.belfry("tail", "-n", "all", "--no-follow", "--json")
        #expect(tail.lines.count == Int(newest))
    }
}
