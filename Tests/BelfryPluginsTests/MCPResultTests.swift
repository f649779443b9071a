import BelfryCore
import Testing

@testable import BelfryPlugins

@Suite("A tool's answer")
struct MCPResultTests {
    private static let answers: [JSONValue] = [[:], [1, 2], ["content": "text"]]

    @Test("that holds no result of a tool is a fault of the protocol", arguments: answers)
    func noResult(_ answer: JSONValue) {
        let failure = #expect(throws: TaskFailure.self) {
            try MCPResult(result: answer, outputDirectory: "").taskResult()
        }
        #expect(failure?.code == "protocol_error")
    }

    @Test("may have no content, or only a structure")
    func empty() throws {
        #expect(try MCPResult(result: ["content": []], outputDirectory: "").taskResult().value == nil)
        let structured: JSONValue = ["structuredContent": ["n": 1]]
        #expect(try MCPResult(result: structured, outputDirectory: "").taskResult().value == ["n": 1])
    }
}
