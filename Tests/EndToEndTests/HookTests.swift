// The bundled observers against a real HTTP server that fails now and then.

import BelfryCore
import FoundationEssentials
import Testing

@Suite("Webhook and ntfy", .timeLimit(.minutes(2)))
struct HookTests {
    private static let key = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private func configure(_ text: String, _ sandbox: Sandbox) throws {
        try sandbox.write(text, to: "config.toml")
    }

    private func webhook(_ port: Int, more: String = "") -> String {
        """
        [environment]
        WEBHOOK_SECRET = "whsec_\(Self.key)"
        [plugins.webhook]
        urls = ["http://127.0.0.1:\(port)/hook"]
        timeout_seconds = 0.5
        \(more)
        """
    }

    /// Asks again and again until the sink is as wanted; the time limit of the suite ends it.
    private func wait(for name: String, _ sandbox: Sandbox, until isThere: (JSONValue) -> Bool) async throws {
        while true {
            let list = try await sandbox.belfry("sink", "list", "--json").json
            if let sink = list["sinks"]?.array?.first(where: { $0["name"]?.string == name }), isThere(sink) {
                return
            }
        }
    }

    private func events(_ sandbox: Sandbox) async throws -> [String] {
        let tail = try await sandbox.belfry("tail", "-n", "all", "--no-follow", "--json")
        return tail.lines.map(String.init)
    }

    @Test("do nothing and are no fault until they are configured, and say how")
    func unconfigured() async throws {
        let sandbox = try Sandbox()
        try configure("[plugins.webhok]\nurls = [\"http://127.0.0.1:1\"]\n", sandbox)
        try await sandbox.belfry("run", "--", "true")
        let status = try await sandbox.belfry("status").output
        #expect(
            status.contains(
                "[plugins.webhok] is for no plugin that is there; did you mean [plugins.webhook]?"
            )
        )
        let list = try await sandbox.belfry("plugin", "list")
        for (id, key) in [("webhook", "urls"), ("ntfy", "topic")] {
            #expect(list.output.contains(try Regex("\(id) +1.0.0 +unavailable")), "\(list.output)")
            #expect(list.errors.contains("\(id): it is not configured"), "\(list.errors)")
            #expect(list.errors.contains("Set \(key) = … below [plugins.\(id)]"), "\(list.errors)")
        }
        let sinks = try await sandbox.belfry("sink", "list").output
        #expect(!sinks.contains("webhook") && !sinks.contains("ntfy"))
        #expect(try await sandbox.belfry("doctor").output.contains("webhook: not configured"))
    }

    @Test("every event arrives, in order and signed, whatever the server does in between")
    func faulty() async throws {
        let sandbox = try Sandbox()
        let plan = ["200", "500", "hang", "close", "middle", "429 1", "200", "408", "503"]
        try await HookServer.run(in: sandbox, plan: plan, key: Self.key) { server, port in
            try configure(webhook(port), sandbox)
            for _ in 0..<2 { try await sandbox.belfry("run", "--", "true") }
            try await wait(for: "webhook", sandbox) { $0["lag"] == 0 && $0["condition"] == "running" }
            let requests = try server.requests()
            let taken = requests.filter { $0["did"] == "200" }
            #expect(try await taken.map { $0["body"]?.string } == events(sandbox))
            #expect(taken.count == 6)
            #expect(requests.allSatisfy { $0["verified"] == true })
            for request in requests {
                let id = try JSONValue(parsing: request["body"]?.string ?? "")["id"]
                #expect(request["headers"]?["webhook-id"] == id)
                #expect(request["headers"]?["content-type"] == "application/json")
            }
            // Each failure was followed by the same event, and what asked for a second got it.
            for (earlier, later) in zip(requests, requests.dropFirst()) where earlier["did"] != "200" {
                #expect(earlier["body"] == later["body"])
            }
            let busy = try #require(requests.firstIndex { $0["did"] == "429 1" })
            let (before, after) = (requests[busy]["at"]?.double ?? 0, requests[busy + 1]["at"]?.double ?? 0)
            #expect(after - before >= 1)
        }
    }

    @Test("sink test sends one event that is a sample, and tells what became of it")
    func sinkTest() async throws {
        let sandbox = try Sandbox()
        let unconfigured = try await sandbox.belfry("sink", "test", "webhook")
        #expect(
            unconfigured.status != 0 && unconfigured.errors.contains("it is not configured"),
            "\(unconfigured)"
        )
        #expect(unconfigured.errors.contains("fix: Set urls"))
        try await sandbox.belfry("stop")
        try await HookServer.run(in: sandbox, plan: ["200", "422", "500"], key: Self.key) { server, port in
            try configure(webhook(port), sandbox)
            let taken = try await sandbox.belfry("sink", "test", "webhook")
            #expect(taken.status == 0 && taken.output == "task.completed  webhook took it\n", "\(taken)")
            let refused = try await sandbox.belfry("sink", "test", "webhook")
            #expect(
                refused.status == 1 && refused.output.contains("webhook refused it: "),
                "\(refused)"
            )
            #expect(refused.output.contains("answered 422"))
            let later = try await sandbox.belfry("sink", "test", "webhook", "--json")
            #expect(later.status == 1 && later.json["outcome"] == "retry", "\(later)")
            let bodies = try server.requests().map { try JSONValue(parsing: $0["body"]?.string ?? "") }
            #expect(bodies.map { $0["task"]?["title"] } == ["A sample", "A sample", "A sample"])
            #expect(try server.requests().allSatisfy { $0["verified"] == true })
            // Nothing of it is in the log, and the sink's own place is where it was.
            let sinks = try await sandbox.belfry("sink", "list", "--json").json["sinks"]?.array ?? []
            #expect(sinks.first { $0["name"] == "webhook" }?["parked"] == 0)
        }
    }

    @Test(
        "an event that the server refuses is put aside, the next ones arrive, and it is sent again when asked"
    )
    func refused() async throws {
        let sandbox = try Sandbox()
        let plan = Array(repeating: "422", count: 5)
        try await HookServer.run(in: sandbox, plan: plan, key: Self.key) { server, port in
            try configure(webhook(port, more: "events = [\"completed\"]"), sandbox)
            for _ in 0..<2 { try await sandbox.belfry("run", "--", "true") }
            try await wait(for: "webhook", sandbox) { $0["lag"] == 0 && $0["parked"] == 1 }
            let parked = try await sandbox.belfry("sink", "parked", "webhook")
            #expect(parked.output.contains("127.0.0.1:\(port) answered 422"), "\(parked.output)")
            let replay = try await sandbox.belfry("sink", "replay", "webhook", "--all")
            #expect(replay.output == "delivered: 3\n", "\(replay)")
            let taken = try server.requests().filter { $0["did"] == "200" }
            let numbers = try taken.map { try JSONValue(parsing: $0["body"]?.string ?? "")["position"]?.int }
            #expect(numbers == [6, 3])
        }
    }

    @Test("of several URLs each gets each event once, also when one of them fails")
    func severalURLs() async throws {
        let sandbox = try Sandbox()
        try await HookServer.run(in: sandbox, plan: ["200", "500", "500"], key: Self.key) { server, port in
            let hook = "http://127.0.0.1:\(port)"
            try configure("[plugins.webhook]\nurls = [\"\(hook)/a\", \"\(hook)/b\"]\n", sandbox)
            try await sandbox.belfry("run", "--", "true")
            try await wait(for: "webhook", sandbox) { $0["lag"] == 0 && $0["condition"] == "running" }
            let taken = try server.requests().filter { $0["did"] == "200" }
            #expect(taken.map { $0["path"]?.string } == ["/a", "/b", "/a", "/b", "/a", "/b"])
            #expect(taken.allSatisfy { $0["headers"]?["webhook-signature"] == nil })
        }
    }

    @Test("a server that is away is waited for, also beyond the end of the hub")
    func away() async throws {
        let sandbox = try Sandbox()
        // A port where nobody listens: one that was free a moment ago.
        let port = try await sandbox.run(
            "/usr/bin/python3",
            ["-c", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"]
        ).output.split(separator: "\n")[0]
        try configure(webhook(Int(port) ?? 1), sandbox)
        try await sandbox.belfry("run", "--", "true")
        try await wait(for: "webhook", sandbox) {
            $0["condition"] == "failing" && $0["lastError"]?.string?.contains("refused") == true
        }
        #expect(try await sandbox.belfry("doctor").output.contains("the sink webhook fails"))
        try await sandbox.belfry("stop")
        try await HookServer.run(in: sandbox, key: Self.key) { server, port in
            try configure(webhook(port), sandbox)
            try sandbox.startHub()
            try await wait(for: "webhook", sandbox) { $0["lag"] == 0 }
            #expect(try server.requests().count == 3)
        }
    }

    @Test("signatures are those of Standard Webhooks")
    func signature() async throws {
        let sandbox = try Sandbox()
        let script = """
            import sys; sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True
            from signature import Secret
            from delivery import wait_of
            print(Secret("whsec_" + sys.argv[2]).sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')["webhook-signature"])
            print(wait_of({"Retry-After": "120"}), wait_of({"Retry-After": "99999"}), wait_of({}),
                wait_of({"Retry-After": "Thu, 01 Jan 1970 00:01:40 GMT"}, now=40), wait_of({"Retry-After": "x"}))
            """
        let ran = try await sandbox.run(
            "/usr/bin/python3",
            ["-c", script, Sandbox.checkout + "/Plugins/webhook", Self.key]
        )
        // As the specification's own library computes it.
        #expect(ran.lines.first == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "\(ran.errors)")
        #expect(ran.lines.last == "120 3600 None 60.0 None")
    }

    @Test("ntfy publishes outcomes with title, priority and tags to its topic, with the token")
    func ntfy() async throws {
        let sandbox = try Sandbox()
        try await HookServer.run(in: sandbox, plan: ["500", "429 0"]) { server, port in
            try configure(
                """
                [environment]
                NTFY_TOKEN = "tk_secret"
                [plugins.ntfy]
                server = "http://127.0.0.1:\(port)"
                topic = "bells"
                click = "http://127.0.0.1/board"
                """,
                sandbox
            )
            try await sandbox.belfry("run", "--title", "A forest", "--", "true")
            try await sandbox.belfry("run", "--", "false")
            try await wait(for: "ntfy", sandbox) { $0["lag"] == 0 && $0["condition"] == "running" }
            let taken = try server.requests().filter { $0["did"] == "200" }
            #expect(taken.allSatisfy { $0["headers"]?["authorization"] == "Bearer tk_secret" })
            let bodies = try taken.map { try JSONValue(parsing: $0["body"]?.string ?? "") }
            try #require(bodies.count == 2)
            #expect(bodies[0]["topic"] == "bells" && bodies[0]["title"] == "A forest is done")
            #expect(bodies[0]["priority"] == 3 && bodies[0]["tags"] == ["white_check_mark"])
            #expect(bodies[0]["click"] == "http://127.0.0.1/board")
            #expect(bodies[0]["message"]?.string?.hasPrefix("shell · #1") == true)
            #expect(bodies[1]["priority"] == 4 && bodies[1]["tags"] == ["x"])
            #expect(bodies[1]["title"]?.string?.hasSuffix(" failed") == true)
        }
    }
}
