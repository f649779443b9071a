import BelfryCore
import BelfryMCP
import Testing

@Suite("A message of JSON-RPC")
struct RPCMessageTests {
    private static let messages: [(String, RPCMessage)] = [
        (
            #"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"slow"}}"#,
            .request(id: .int(3), method: "tools/call", params: ["name": "slow"])
        ),
        (
            #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            .notification(method: "notifications/initialized", params: nil)
        ),
        (#"{"jsonrpc":"2.0","id":"a","result":{}}"#, .result(id: .string("a"), [:])),
        (
            #"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
            .failure(id: .int(1), RPCError(-32601, "no"))
        ),
        (
            #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"bad","data":[1]}}"#,
            .failure(id: nil, RPCError(-32700, "bad", data: [1]))
        ),
    ]

    @Test("is read from its line and written as the same line", arguments: messages)
    func bothWays(_ line: String, _ message: RPCMessage) throws {
        #expect(try RPCMessage(line: line.utf8) == message)
        #expect(String(decoding: message.line, as: UTF8.self) == line + "\n")
    }

    @Test(
        "is refused when it is none",
        arguments: [
            #"{"id":3,"method":"x"}"#, #"{"jsonrpc":"2.0","id":3}"#,
            #"{"jsonrpc":"2.0","id":[],"method":"x"}"#,
            #"{"jsonrpc":"2.0","result":{}}"#, "[]",
        ]
    )
    func noMessage(_ line: String) {
        let error = #expect(throws: RPCError.self) { try RPCMessage(line: line.utf8) }
        #expect(error?.code == RPCError.Code.invalidRequest)
    }

    @Test("is refused when its line is not JSON")
    func noJSON() {
        let error = #expect(throws: RPCError.self) { try RPCMessage(line: "Loading model…".utf8) }
        #expect(error?.code == RPCError.Code.parseError)
    }
}
