// The tail: every event once and in order, whatever happens to the hub.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Tail")
struct TailTests {
    @Test("goes on across restarts of the hub, under load, without a gap or a repeat")
    func acrossRestarts() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let reader = Follower(sandbox)
        let rounds = 4
        for round in 1...rounds {
            async let load: Void = submit(60, to: sandbox)
            // Half of the restarts are orderly, half are not.
            if round.isMultiple(of: 2) {
                try await sandbox.belfry("stop")
            } else if let pid = sandbox.hubProcess {
                kill(pid, SIGKILL)
            }
            try await load
        }
        try await sandbox.belfry("wait")
        let newest = try #require(try await sandbox.belfry("status", "--json").json["store"]?["newest"]?.int)
        let positions = await reader.positions(upTo: newest)
        #expect(positions == Array(1...newest))
    }

    private func submit(_ count: Int, to sandbox: Sandbox) async throws {
        let session = HubClient(socketPath: sandbox.places.socket)
        for _ in 0..<count {
            let body: JSONValue = [
                "featureId": "shell", "params": ["command": ["true"]], "onInterrupt": "rerun",
                "context": ["workingDirectory": "/", "environment": ["PATH": "/usr/bin:/bin"]],
            ]
            // A hub that is away is started again by the next command, as people would.
            if (try? session.send("POST", "/v1/tasks", body: body)) == nil {
                try await sandbox.belfry("add", "--rerun", "--", "true")
            }
        }
    }

    @Test("-n, cursors and --no-follow begin and end where they say")
    func places() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        try await sandbox.belfry("run", "--", "true")
        let all = try await sandbox.belfry("tail", "-n", "all", "--no-follow", "--json", "--show-cursor")
        #expect(all.lines.count == 6)
        let cursor = try #require(
            all.errors.split(separator: " ").last.map { String($0.prefix { $0 != "\n" }) }
        )
        #expect(cursor.hasSuffix("-6"))
        let two = try await sandbox.belfry("tail", "-n", "2", "--no-follow", "--json")
        #expect(two.lines == all.lines.suffix(2))
        let after = try await sandbox.belfry(
            "tail",
            "--after-cursor",
            String(cursor.dropLast()) + "4",
            "--no-follow",
            "--json"
        )
        #expect(after.lines == all.lines.suffix(2))
        let none = try await sandbox.belfry("tail", "-n", "0", "--no-follow")
        #expect(none.output.isEmpty)
        let odd = try await sandbox.belfry("tail", "--after-cursor", "nonsense", "--no-follow")
        #expect(odd.status == 64)
    }

    @Test("a cursor of another log is answered with a gap record and then the oldest event")
    func foreignCursor() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let ran = try await sandbox.belfry("tail", "--after-cursor", "another1-7", "--no-follow", "--json")
        let types = try ran.lines.compactMap { try JSONValue(parsing: String($0))["type"]?.string }
        #expect(types == ["gap", "task.added", "task.started", "task.completed"])
        #expect(ran.output.contains("newEpoch"))
    }

    @Test("a reader that goes away ends the tail at once and quietly")
    func head() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let ran = try await sandbox.run(
            "/bin/sh",
            ["-c", "\(Sandbox.programs)/belfry tail -n all --no-follow | head -1"]
        )
        #expect(ran.lines.count == 1)
        #expect(ran.errors.isEmpty)
    }

    @Test("a reader that goes away ends the tail also while nothing happens")
    func idleHead() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let ran = try await sandbox.run(
            "/bin/sh",
            ["-c", "\(Sandbox.programs)/belfry tail -n 1 | head -1"]
        )
        #expect(ran.lines.count == 1)
        #expect(ran.errors.isEmpty)
    }

    @Test("a task's name is answered with the command for its log")
    func taskName() async throws {
        let ran = try await Sandbox().belfry("tail", "12")
        #expect(ran.status == 64)
        #expect(ran.errors.contains("belfry log -f 12"), "\(ran.errors)")
    }

    @Test("a full output is an error with a word")
    func devFull() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let ran = try await sandbox.run(
            "/bin/sh",
            ["-c", "\(Sandbox.programs)/belfry tail -n all --no-follow > /dev/full"]
        )
        #expect(ran.status == 1)
        #expect(ran.errors.contains("cannot write"))
    }

    @Test("people see one line an event, with control characters made visible")
    func human() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--title", "evil \u{1B}[31m title\nnext", "--", "true")
        let ran = try await sandbox.belfry("tail", "-n", "all", "--no-follow")
        #expect(ran.lines.count == 3)
        #expect(!ran.output.contains("\u{1B}"))
    }

    @Test("the hub in the foreground is itself a stream")
    func foreground() async throws {
        let sandbox = try Sandbox()
        let script = """
            \(Sandbox.programs)/belfryd --stdout json > stream & hub=$!
            while ! \(Sandbox.programs)/belfry status >/dev/null 2>&1; do kill -0 $hub || exit 9; done
            \(Sandbox.programs)/belfry run -- true; kill -TERM $hub; wait $hub
            """
        let ran = try await sandbox.run("/bin/sh", ["-c", script])
        #expect(ran.status == 0, "\(ran.errors)")
        let stream = try String(contentsOfFile: sandbox.root + "/stream", encoding: .utf8)
        let types = try stream.split(separator: "\n").compactMap {
            try JSONValue(parsing: String($0))["type"]?.string
        }
        #expect(types == ["task.added", "task.started", "task.completed"])
    }
}

/// `belfry tail --json` in the background, read until a position.
struct Follower {
    private let task: Task<[Int64], any Error>
    private let wanted: AsyncStream<Int64>.Continuation

    init(_ sandbox: Sandbox) {
        let (stream, continuation) = AsyncStream.makeStream(of: Int64.self)
        wanted = continuation
        let path = sandbox.root + "/tail"
        let pid = Self.start(sandbox, output: path)
        task = Task {
            defer {
                kill(pid, SIGTERM)
                var status: Int32 = 0
                waitpid(pid, &status, 0)
            }
            var last: Int64 = 0
            for await position in stream { last = position }
            while true {
                let positions = try Self.read(path)
                if (positions.last ?? 0) >= last { return positions }
                await Task.yield()
            }
        }
    }

    /// The positions printed so far and until `position` is among them, in the order of the lines.
    func positions(upTo position: Int64) async -> [Int64] {
        wanted.yield(position)
        wanted.finish()
        return (try? await task.value) ?? []
    }

    private static func read(_ path: String) throws -> [Int64] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let end = text.lastIndex(of: "\n") else { return [] }
        return try text[..<end].split(separator: "\n").compactMap {
            try JSONValue(parsing: String($0))["position"]?.int
        }
    }

    private static func start(_ sandbox: Sandbox, output: String) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        let program = Sandbox.programs + "/belfry"
        let arguments = cStrings([program, "tail", "--json", "-n", "all"])
        let variables = cStrings(sandbox.environment.map { "\($0.key)=\($0.value)" })
        defer { for pointer in arguments + variables { free(pointer) } }
        // The threads of this process block most signals; the program starts with none blocked.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var pid = pid_t()
        posix_spawn(&pid, program, &actions, &attributes, arguments, variables)
        return pid
    }

    private static func cStrings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        texts.map { strdup($0) } + [nil]
    }
}
