// The tables and the example of Docs/Retries.md, held against what the policies do.

import BelfryCore
import FoundationEssentials
import Testing

@Suite("Retries.md")
struct RetriesGuideTests {
    private let guide: String

    init() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        guide = try String(contentsOfFile: "\(root)/Docs/Retries.md", encoding: .utf8)
    }

    /// The rows of the table whose header begins so, each cell without its backticks.
    private func rows(_ header: String) throws -> [[String]] {
        let lines = guide.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("| \(header) |") }, "no table '\(header)'")
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false).map { cell in
                cell.split { $0 == " " || $0 == "`" }.joined(separator: " ")
            }
        }
    }

    @Test("the waits are those of a policy that says nothing")
    func waits() throws {
        let rows = try rows("failed attempt")
        #expect(rows.count == 9)
        for row in rows {
            let attempt = try #require(Int(row[0]))
            #expect("\(Int(RetryPolicy().delay(after: attempt, random: 0).seconds)) s" == row[1])
            #expect("\(Int(RetryPolicy().delay(after: attempt, random: 1).seconds)) s" == row[2])
        }
    }

    @Test("what the codes decide is what the table says")
    func codes() throws {
        let rows = try rows("the error is retryable")
        #expect(rows.count == 8)
        func codes(_ cell: String) -> [String] {
            switch cell {
            case "its code": ["busy"]
            case "another code": ["other"]
            case "*": ["*"]
            default: []
            }
        }
        for row in rows {
            var policy = RetryPolicy()
            policy.retryOn = codes(row[1])
            policy.giveUpOn = codes(row[2])
            let failure = TaskFailure("busy", "It is busy.", isRetryable: row[0] == "yes")
            #expect(policy.isRetryable(failure) == (row[3] == "yes"), "\(row)")
        }
    }

    @Test("the submission is one, with every field where it belongs")
    func submission() throws {
        let block = try #require(guide.split(separator: "```json\n").last?.split(separator: "\n```").first)
        let json = try JSONValue(parsing: String(block))
        let new = try NewTask(submission: json)
        #expect(new.maxAttempts == 5)
        #expect(new.timeout == .seconds(7200))
        #expect(new.options.timeouts == TaskTimeouts(attempt: .seconds(3600), idle: .seconds(300)))
        var retry = RetryPolicy()
        (retry.maxAttempts, retry.retryOn, retry.giveUpOn) = (5, ["exit_status"], ["bad_input"])
        #expect(new.options.retry == retry)
    }

    @Test("the fields of the table are those of a submission and of its policy")
    func fields() throws {
        var policy = RetryPolicy()
        (policy.retryOn, policy.giveUpOn) = (["a"], ["b"])
        let members = try #require(policy.json.object).keys
        let listed = try rows("option").map { $0[1] }
        for field in listed where !members.contains(field) {
            let value: JSONValue = field == "deadline" ? "2026-01-01T00:00:00Z" : 60
            #expect(throws: Never.self) { try NewTask(submission: ["featureId": "film", field: value]) }
        }
        #expect(members.allSatisfy(listed.contains))
    }
}
