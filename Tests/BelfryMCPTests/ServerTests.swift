// What the server says, line by line. That other people's clients understand it is shown where `belfry mcp` is driven
// by the Python SDKs.

import BelfryCore
import BelfryMCP
import Testing

@Suite("The MCP server", .timeLimit(.minutes(1)))
struct ServerTests {
    @Test(
        "agrees on the revision that the client asks for, and offers its newest when it does not know that",
        arguments: [
            ("2025-11-25", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-03-26"),
            ("2024-11-05", "2024-11-05"), ("2023-01-01", "2025-11-25"), ("2026-07-28", "2025-11-25"),
        ]
    )
    func handshake(asked: String, agreed: String) async throws {
        let (answer, tools, ping) = try await ProbeClient.run { client in
            let answer = try await client.initialize(asked)
            return (answer, try await client.ask("tools/list", id: "a"), try await client.ask("ping", id: 2))
        }
        #expect(answer["result"]?["protocolVersion"]?.string == agreed)
        #expect(answer["result"]?["serverInfo"] == ["name": "probe", "version": "1.0.0"])
        #expect(answer["result"]?["instructions"] == "Echo first.")
        #expect(tools["id"] == "a")
        #expect(tools["result"]?["tools"]?.array?.count == 1)
        #expect(tools["result"]?["resultType"] == nil, "the old era knows no such member")
        #expect(ping["result"] == [:])
    }

    @Test("answers the requests of the modern era each for itself, without a handshake")
    func modern() async throws {
        let (discovery, tools, call) = try await ProbeClient.run { client in
            (
                try await client.ask("server/discover", ProbeClient.modern()),
                try await client.ask("tools/list", ProbeClient.modern()),
                try await client.ask(
                    "tools/call",
                    ProbeClient.modern(["name": "echo", "arguments": ["a": 1]])
                )
            )
        }
        #expect(discovery["result"]?["supportedVersions"]?.array?.first == "2026-07-28")
        #expect(discovery["result"]?["capabilities"]?["tools"] == [:])
        #expect(tools["result"]?["tools"]?.array?.first?["name"] == "echo")
        for answer in [discovery, tools] {
            #expect(answer["result"]?["ttlMs"] == 0 && answer["result"]?["cacheScope"] == "private")
        }
        for answer in [discovery, tools, call] {
            #expect(answer["result"]?["resultType"] == "complete")
            let server = answer["result"]?["_meta"]?["io.modelcontextprotocol/serverInfo"]
            #expect(server == ["name": "probe", "version": "1.0.0"])
        }
        #expect(call["result"]?["structuredContent"] == ["a": 1])
        #expect(call["result"]?["isError"] == false)
    }

    @Test(
        "says by its code what is wrong with a request",
        arguments: [
            ("tools/list", nil, RPCError.Code.invalidParams),
            ("server/discover", [:], RPCError.Code.invalidParams),
            ("ping", ProbeClient.modern(), RPCError.Code.methodNotFound),
            ("prompts/list", ProbeClient.modern(), RPCError.Code.methodNotFound),
            ("tools/call", ProbeClient.modern(), RPCError.Code.invalidParams),
            (
                "tools/call", ProbeClient.modern(["name": "echo", "arguments": []]),
                RPCError.Code.invalidParams
            ),
            ("tools/call", ProbeClient.modern(["name": "none"]), RPCError.Code.invalidParams),
            ("tools/call", ProbeClient.modern(["name": "breaks"]), RPCError.Code.internalError),
            ("tools/list", ProbeClient.modern(version: "2099-01-01"), -32022),
            (
                "tools/list", ["_meta": ["io.modelcontextprotocol/protocolVersion": "2026-07-28"]],
                RPCError.Code.invalidParams
            ),
        ] as [(String, JSONValue?, Int64)]
    )
    func refusals(_ method: String, _ params: JSONValue?, code: Int64) async throws {
        let answer = try await ProbeClient.run { try await $0.ask(method, id: 7, params) }
        #expect(answer["id"] == 7)
        #expect(answer["error"]?["code"]?.int == code, "\(answer.text)")
        if code == -32022 {
            #expect(answer["error"]?["data"]?["requested"] == "2099-01-01")
            #expect(answer["error"]?["data"]?["supported"]?.array?.contains("2026-07-28") == true)
        }
    }

    @Test("goes on after lines that are no requests, and answers those that are none of JSON-RPC")
    func badLines() async throws {
        let answers = try await ProbeClient.run(limit: 1000) { client in
            client.raw("{broken")
            let broken = try await client.hear()
            client.raw("[]")
            let none = try await client.hear()
            client.raw(String(repeating: "x", count: 5000))
            let long = try await client.hear()
            client.raw("")
            client.raw(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
            client.raw("notifications/whatever")
            _ = try await client.hear()
            return [broken, none, long, try await client.ask("server/discover", ProbeClient.modern())]
        }
        #expect(answers[0]["error"]?["code"]?.int == RPCError.Code.parseError)
        #expect(answers[1]["error"]?["code"]?.int == RPCError.Code.invalidRequest)
        #expect(answers[2]["error"]?["code"]?.int == RPCError.Code.invalidRequest)
        #expect(answers[2]["error"]?["message"]?.string?.contains("longer") == true)
        #expect(answers[3]["result"] != nil)
    }

    @Test("tells progress to the token that was given, before the answer, and none where none was")
    func progress() async throws {
        let (heard, silent) = try await ProbeClient.run { client in
            client.say("tools/call", id: 1, ProbeClient.modern(["name": "reports"], token: "t-1"))
            let heard = [try await client.hear(), try await client.hear(), try await client.hear()]
            return (heard, try await client.ask("tools/call", id: 2, ProbeClient.modern(["name": "reports"])))
        }
        #expect(
            heard[0] == [
                "jsonrpc": "2.0", "method": "notifications/progress",
                "params": [
                    "progressToken": "t-1", "progress": 1, "total": 2, "message": "half",
                    "_meta": ["belfry/log": "a line"],
                ],
            ]
        )
        #expect(heard[1]["params"] == ["progressToken": "t-1", "progress": 2])
        #expect(heard[2]["id"] == 1)
        #expect(silent["id"] == 2)
    }

    @Test("runs calls beside each other, and refuses an id that is still being answered")
    func concurrency() async throws {
        let (waiting, twice, echo, late) = try await ProbeClient.run { client in
            client.say("tools/call", id: 1, ProbeClient.modern(["name": "waits"], token: 1))
            let waiting = try await client.hear()
            let twice = try await client.ask("tools/call", id: 1, ProbeClient.modern(["name": "echo"]))
            let echo = try await client.ask("tools/call", id: 2, ProbeClient.modern(["name": "echo"]))
            client.tools.gate.open()
            return (waiting, twice, echo, try await client.hear())
        }
        #expect(waiting["params"]?["message"] == "waiting")
        #expect(twice["error"]?["code"]?.int == RPCError.Code.invalidRequest)
        #expect(echo["id"] == 2 && echo["result"] != nil)
        #expect(late["id"] == 1 && late["result"] != nil)
    }

    @Test("cancels the call that the client names, and answers it no more", arguments: ["waits", "stubborn"])
    func cancellation(tool: String) async throws {
        let next = try await ProbeClient.run { client in
            client.say("tools/call", id: 1, ProbeClient.modern(["name": .string(tool)], token: 1))
            _ = try await client.hear()
            client.say("notifications/cancelled", ["requestId": 1, "reason": "changed my mind"])
            // The same id is free again, so the call is forgotten; its gate opens by the cancellation alone.
            return try await client.ask("tools/call", id: 1, ProbeClient.modern(["name": "echo"]))
        }
        #expect(next["id"] == 1)
        #expect(next["result"]?["structuredContent"] == [:])
    }

    @Test("ends with its input, and what runs then is cancelled")
    func end() async throws {
        try await ProbeClient.run { client in
            client.say("tools/call", id: 1, ProbeClient.modern(["name": "waits"], token: 1))
            _ = try await client.hear()
        }
        // That this returns is the test: the gate was never opened.
    }

    @Test("ends when its input is stopped while it waits for a line")
    func stop() async throws {
        let client = ProbeClient()
        let input = LineInput(descriptor: client.serverInput)
        async let line = input.next()
        input.stop()
        #expect(await line == nil)
    }
}
