// The `openai` provider against a server that behaves as the real ones do.

import BelfryCore
import FoundationEssentials
import NIOCore
import Synchronization
import Testing

@testable import TextToImage

@Suite("The openai provider")
struct OpenAITests {
    /// Runs one task in a directory of its own.
    private func run(
        _ url: String,
        _ params: JSONObject = [:],
        _ variables: [String: String] = [:],
        onProgress: @escaping @Sendable (Double?, String?) -> Void = { _, _ in }
    ) async throws -> (result: TaskResult, file: [UInt8]) {
        let directory =
            FileManager.default.temporaryDirectory.path() + "belfry-image-\(UInt64.random(in: 0...(.max)))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var params = params
        params["provider"] = "openai"
        if params["prompt"] == nil { params["prompt"] = "A lighthouse" }
        let environment = ["OPENAI_BASE_URL": url + "/v1/"].merging(variables) { _, new in new }
        let result = try await TextToImageFeature(environment: environment).process(
            .object(params),
            FeatureContext(
                taskID: IDGenerator().taskID(at: Timestamp(milliseconds: 0)),
                featureID: "text-to-image",
                attempt: 1,
                fence: 1,
                outputDirectory: directory,
                onProgress: onProgress
            )
        )
        let path = try #require(FileURI.path(result.artifacts[0].uri))
        return (result, try Array(Data(contentsOf: URL(filePath: path))))
    }

    /// The failure of one task against a server that behaves so.
    private func failure(_ behaviour: Behaviour) async throws -> TaskFailure {
        let (failure, _) = try await ImageServer.run(behaviour) { url -> TaskFailure? in
            do {
                _ = try await run(url)
                return TaskFailure("none", "It did not fail.")
            } catch let failure as TaskFailure {
                return failure
            }
        }
        return try #require(failure)
    }

    @Test("sends what the API asks for and saves the picture that comes back")
    func picture() async throws {
        let png = try Attempt.png()
        let (made, received) = try await ImageServer.run(.picture(png)) { url in
            try await run(
                url,
                ["prompt": "A fox", "style": "ink", "width": 1024, "height": 512, "model": "flux"],
                ["OPENAI_API_KEY": "sk-test"]
            )
        }
        #expect(made.file == png)
        #expect(made.result.artifacts[0].mime == "image/png")
        #expect(made.result.value?["provider"] == "openai")
        #expect(made.result.value?["model"] == "flux")
        #expect(made.result.value?["revisedPrompt"] == "as painted")
        let request = try #require(received.first)
        #expect(request.path == "/v1/images/generations")
        #expect(request.authorization == "Bearer sk-test")
        #expect(
            request.body == [
                "model": "flux", "prompt": "A fox, ink style", "n": 1, "size": "1024x512",
                "response_format": "b64_json",
            ]
        )
    }

    @Test("leaves out response_format for gpt-image models, which refuse it, and the key when there is none")
    func gptImage() async throws {
        let png = try Attempt.png()
        let (_, received) = try await ImageServer.run(.picture(png)) { url in try await run(url) }
        #expect(received[0].body["model"] == "gpt-image-1")
        #expect(received[0].body["response_format"] == nil)
        // The models refuse sizes that are not among their own.
        #expect(received[0].body["size"] == nil)
        #expect(received[0].authorization == nil)
    }

    @Test("asks for several pictures, and refuses what the API has no word for")
    func several() async throws {
        let png = try Attempt.png()
        let (_, received) = try await ImageServer.run(.picture(png)) { url in
            try await run(url, ["count": 3])
        }
        #expect(received[0].body["n"] == 3)
        let refused = await #expect(throws: TaskFailure.self) {
            try await run("http://127.0.0.1:9", ["steps": 3])
        }
        #expect(refused?.code == "bad_input")
        #expect(refused?.message == "provider=openai knows no 'steps'.")
    }

    @Test("fetches a picture that is given by address, without sending the key there")
    func address() async throws {
        let png = try Attempt.png()
        let (made, received) = try await ImageServer.run(.address(png)) { url in
            try await run(url, [:], ["OPENAI_API_KEY": "sk-test"])
        }
        #expect(made.file == png)
        #expect(received.map(\.authorization) == ["Bearer sk-test", nil])
    }

    @Test(
        "says what went wrong, and whether another try may help",
        arguments: [
            (
                401, #"{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}"#,
                "bad_credentials", false
            ),
            (404, #"{"error":{"message":"no such model","code":"model_not_found"}}"#, "no_such_model", false),
            (400, #"{"error":{"message":"Invalid size","param":"size"}}"#, "bad_input", false),
            (400, #"{"error":{"message":"no","code":"content_policy_violation"}}"#, "refused", false),
            (429, #"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#, "rate_limited", true),
            (429, #"{"error":{"message":"no credit","code":"insufficient_quota"}}"#, "no_quota", false),
            (500, #"{"error":{"message":"The server had an error"}}"#, "server_error", true),
            (503, "<html>Bad gateway</html>", "server_error", true),
            (502, "", "server_error", true),
        ]
    )
    func errors(status: Int, body: String, code: String, isRetryable: Bool) async throws {
        let failure = try await failure(.answer(status, body))
        #expect(failure.code == code)
        #expect(failure.isRetryable == isRetryable)
        #expect(failure.message.contains("answers \(status)"))
    }

    @Test(
        "an answer that is none fails with what came",
        arguments: [
            "", "no JSON", "{}", #"{"data":[]}"#, #"{"data":[{}]}"#, #"{"data":[{"b64_json":"****"}]}"#,
            #"{"data":[{"b64_json":"aGVsbG8="}]}"#,
        ]
    )
    func badAnswers(body: String) async throws {
        let failure = try await failure(.answer(200, body))
        #expect(failure.code == "bad_answer")
        #expect(!failure.isRetryable)
        #expect(failure.fix != nil)
    }

    @Test("passes on the pause that a rate limit asks for")
    func pause() async throws {
        let failure = try await failure(.answer(429, "{}", retryAfter: "20"))
        #expect(failure.message.contains("20 seconds"))
    }

    @Test("a server that is not there is a failure worth another try; an address that is none is not")
    func unreachable() async throws {
        let gone = await #expect(throws: TaskFailure.self) { try await run("http://127.0.0.1:9") }
        #expect(gone?.code == "unreachable")
        #expect(gone?.isRetryable == true)
        let odd = await #expect(throws: TaskFailure.self) { try await run("localhost") }
        #expect(odd?.code == "bad_settings", "\(String(describing: odd))")
        #expect(odd?.isRetryable == false)
    }

    @Test("a slow model keeps the task alive by word, and is waited for")
    func slow() async throws {
        let gate = Gate()
        let png = try Attempt.png()
        let words = Mutex<[String]>([])
        let (bytes, _) = try await ImageServer.run(.afterGate(gate, png)) { url -> [UInt8] in
            var provider = OpenAIProvider(settings: OpenAISettings(["OPENAI_BASE_URL": url + "/v1"]))
            provider.heartbeat = .milliseconds(5)
            let context = FeatureContext(
                taskID: IDGenerator().taskID(at: Timestamp(milliseconds: 0)),
                featureID: "text-to-image",
                attempt: 1,
                fence: 1,
                outputDirectory: "/",
                onProgress: { _, message in
                    // The third word comes from the heartbeat, and only it lets the server answer.
                    let count = words.withLock { words in
                        words.append(message ?? "")
                        return words.count
                    }
                    if count == 3 { gate.open() }
                }
            )
            return try await provider.images(ImageRequest(prompt: "x", params: [:]), context).pictures[0]
                .bytes
        }
        #expect(bytes == png)
        #expect(words.withLock { $0.filter { $0.hasPrefix("waiting for gpt-image-1") }.count } >= 3)
    }

    @Test("a server that never answers is given up after the timeout")
    func timeout() async throws {
        let gate = Gate()
        let (code, _) = try await ImageServer.run(.afterGate(gate, [])) { url -> String? in
            defer { gate.open() }
            var provider = OpenAIProvider(settings: OpenAISettings(["OPENAI_BASE_URL": url + "/v1"]))
            provider.timeout = .milliseconds(50)
            let context = FeatureContext(
                taskID: IDGenerator().taskID(at: Timestamp(milliseconds: 0)),
                featureID: "text-to-image",
                attempt: 1,
                fence: 1,
                outputDirectory: "/"
            )
            do {
                _ = try await provider.images(ImageRequest(prompt: "x", params: [:]), context)
                return nil
            } catch let failure as TaskFailure {
                return failure.isRetryable ? failure.code : "not retryable"
            }
        }
        #expect(code == "timeout")
    }
}
