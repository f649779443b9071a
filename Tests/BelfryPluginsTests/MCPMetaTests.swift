// What a server says to a hub beyond MCP, and what of it is believed. The server is a FAKE that says as it is told;
// what a real plugin in Swift says is in EndToEndTests.

import BelfryCore
import FoundationEssentials
import PythonTesting
import Synchronization
import Testing

@testable import BelfryPlugins

@Suite("What a server tells a hub in _meta", .timeLimit(.minutes(1)))
struct MCPMetaTests {
    /// One report of progress.
    private struct Told: Equatable {
        var percent: Double?
        var message: String?
    }

    /// What came of one call.
    private struct Heard {
        var result: Result<TaskResult, any Error>
        var told: [Told]
        var checkpoints: [JSONValue?]
        var log: String

        var failure: TaskFailure? {
            if case .failure(let error) = result { error as? TaskFailure } else { nil }
        }
        var snooze: TaskSnooze? { if case .failure(let error) = result { error as? TaskSnooze } else { nil } }
    }

    private static let said: JSONValue = ["result": ["content": [["type": "text", "text": "here"]]]]

    /// Calls a tool that says `progress` and then ends as told.
    private func hear(_ progress: JSONValue = [], then end: JSONValue = said) async throws -> Heard {
        let servers = try Servers()
        let attempts = try Attempts()
        let told = Mutex<[Told]>([])
        let saved = Mutex<[JSONValue?]>([])
        let context = FeatureContext(
            taskID: TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab"),
            featureID: "tools/one",
            attempt: 1,
            fence: 1,
            outputDirectory: "",
            onProgress: { percent, message in
                told.withLock { $0.append(Told(percent: percent, message: message)) }
            },
            onLog: { attempts.note($0) },
            onCheckpoint: { checkpoint in saved.withLock { $0.append(checkpoint) } }
        )
        let host = try servers.fake([
            "server/discover": ["result": ["supportedVersions": ["2026-07-28"], "capabilities": [:]]],
            "tools/list": ["result": ["tools": [["name": "one"]]]],
            "tools/call": ["progress": progress, "then": end],
        ])
        let result = try await servers.run(host) { () async throws -> Result<TaskResult, any Error> in
            do { return .success(try await host.call("one", [:], context)) } catch { return .failure(error) }
        }
        return Heard(
            result: result,
            told: told.withLock { $0 },
            checkpoints: saved.withLock { $0 },
            log: attempts.log
        )
    }

    private func fail(_ meta: JSONObject) async throws -> Heard {
        let content: JSONValue = [["type": "text", "text": "It broke."]]
        return try await hear(
            then: ["result": ["isError": true, "content": content, "_meta": .object(meta)]]
        )
    }

    // MARK: On the way

    @Test("a checkpoint is saved and null forgets it; each is a sign of life that repeats no progress")
    func checkpoint() async throws {
        let heard = try await hear([
            ["progress": 40, "total": 100, "message": "sawing"],
            ["progress": 40, "total": 100, "_meta": ["belfry/checkpoint": ["page": 3]]],
            ["progress": 40, "total": 100, "message": "x", "_meta": ["belfry/checkpoint": .null]],
        ])
        #expect(heard.checkpoints == [["page": 3], Optional.none])
        #expect(heard.told == [Told(percent: 40, message: "sawing"), Told(), Told()])
        #expect(heard.log.isEmpty)
    }

    @Test("the log goes to its task's, as it is; what is no text is named there instead")
    func log() async throws {
        let heard = try await hear([
            ["progress": 0, "_meta": ["belfry/log": "one\ntw"]],
            ["progress": 0, "_meta": ["belfry/log": "o\n", "belfry/checkpoint": 1]],
            ["progress": 0, "_meta": ["belfry/log": 7]],
        ])
        #expect(heard.log == "one\ntwo\nbelfry/log must be text, and is 7\n")
        #expect(heard.checkpoints == [1])
        #expect(heard.told == [Told(), Told(), Told()])
    }

    @Test("progress of 0 without a total is no count to show; one that has begun is")
    func unknownPercent() async throws {
        let heard = try await hear([
            ["progress": 0], ["progress": 0, "message": "warming up"], ["progress": 3],
            ["progress": ["much": true]],
        ])
        #expect(
            heard.told == [Told(), Told(message: "warming up"), Told(message: "3"), Told()]
        )
    }

    // MARK: At the end

    @Test("an error has its code, message, fix, and whether another try may help")
    func error() async throws {
        let error: JSONValue = ["code": "busy", "message": "No room.", "fix": "Wait.", "retryable": true]
        let heard = try await fail(["belfry/error": error, "belfry/snooze": ["seconds": 5]])
        #expect(heard.failure == TaskFailure("busy", "No room.", fix: "Wait.", isRetryable: true))
        #expect(heard.log.isEmpty)
    }

    @Test(
        "an error without a code or words is the tool's own, and the log says what was wrong",
        arguments: [
            "busy", ["message": "No room."], ["code": "", "message": "No room."], ["code": "busy"],
            ["code": .string(String(repeating: "x", count: 65)), "message": "No room."],
        ] as [JSONValue]
    )
    func wrongError(_ error: JSONValue) async throws {
        let heard = try await fail(["belfry/error": error])
        #expect(heard.failure == TaskFailure("tool_error", "It broke."))
        #expect(heard.log.hasPrefix("belfry/error must have a code of 1…64 bytes and a message, and is "))
    }

    @Test("what else is wrong in an error is left out, and what is long is cut")
    func wrongParts() async throws {
        let long = String(repeating: "x", count: 10_000)
        let error: JSONValue = ["code": "busy", "message": .string(long), "fix": 3, "retryable": "yes"]
        let heard = try await fail(["belfry/error": error])
        #expect(heard.failure?.message == long.truncated(toUTF8: 4096))
        #expect(heard.failure?.fix == nil && heard.failure?.isRetryable == false)
        #expect(
            heard.log == """
                the fix of belfry/error must be text
                retryable of belfry/error must be true or false

                """
        )
    }

    @Test(
        "a snooze is an attempt that does not count, from a second to seven days",
        arguments: [(1.5, 1.5), (-3, 1), (1e12, 604_800)]
    )
    func snooze(seconds: Double, bounded: Double) async throws {
        let heard = try await fail(["belfry/snooze": ["seconds": .double(seconds), "message": "Later."]])
        #expect(heard.snooze == TaskSnooze(for: .seconds(bounded), "Later."))
    }

    @Test("a snooze without a time is a failure, and the log says what was wrong")
    func wrongSnooze() async throws {
        let heard = try await fail(["belfry/snooze": ["seconds": "soon"]])
        #expect(heard.failure == TaskFailure("tool_error", "It broke."))
        #expect(heard.log == "belfry/snooze must say the seconds, and is {\"seconds\":\"soon\"}\n")
    }
}
