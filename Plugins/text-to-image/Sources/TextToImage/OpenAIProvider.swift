// A real model behind an endpoint that speaks as OpenAI's does: OpenAI itself, LocalAI, vLLM, …
// Source: https://platform.openai.com/docs/api-reference/images/create

import AsyncHTTPClient
import BelfryCore
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Where the model is, from the environment.
struct OpenAISettings: Sendable {
    /// `OPENAI_BASE_URL`, without a slash at the end. Defaults to OpenAI's own.
    var baseURL: String
    /// `OPENAI_API_KEY`; local servers often need none.
    var key: String?
    /// `BELFRY_IMAGE_MODEL`, unless a task names its own. Defaults to gpt-image-1.
    var model: String

    init(_ environment: [String: String]) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var url = variable("OPENAI_BASE_URL") ?? "https://api.openai.com/v1"
        while url.hasSuffix("/") { url.removeLast() }
        baseURL = url
        key = variable("OPENAI_API_KEY")
        model = variable("BELFRY_IMAGE_MODEL") ?? "gpt-image-1"
    }
}

struct OpenAIProvider {
    let settings: OpenAISettings
    /// A model may think for long; the task's own timeouts come on top.
    var timeout = TimeAmount.minutes(25)
    /// How often it is said that the model is still at work, so that silence means a hang of ours.
    var heartbeat = Duration.seconds(10)
    /// A server that refuses the connection is told at once: trying again is the hub's affair. The
    /// client lives as long as the process.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(20)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
    /// Bytes of an answer at most: a picture in base64, with room.
    private static let limit = 96 << 20

    func image(_ request: ImageRequest, _ context: FeatureContext) async throws -> ProvidedImage {
        let model = request.model ?? settings.model
        context.progress(nil, "waiting for \(model)")
        let answer = try await withHeartbeat(model, context) {
            try await generate(request, model: model)
        }
        context.progress(95, "receiving")
        guard let first = answer["data"]?.array?.first else {
            throw badAnswer("it holds no picture: \(answer.text.truncated(toUTF8: 200))")
        }
        let bytes = try await picture(first)
        guard let format = ImageFormat(bytes) else {
            throw badAnswer("what it calls a picture is neither PNG, JPEG nor WebP")
        }
        var facts: JSONObject = [
            "provider": "openai", "model": .string(model), "endpoint": .string(settings.baseURL),
        ]
        facts.set("revisedPrompt", first["revised_prompt"]?.string.map { .string($0) })
        return ProvidedImage(bytes: bytes, format: format, facts: facts)
    }

    // MARK: The request

    private func generate(_ request: ImageRequest, model: String) async throws -> JSONValue {
        var body: JSONObject = [
            "model": .string(model),
            "prompt": .string(request.style.map { "\(request.prompt), \($0) style" } ?? request.prompt),
            "n": 1,
        ]
        // Each model has sizes of its own, and takes one of them when none is asked for.
        body.set("size", request.size.map { .string("\($0.width)x\($0.height)") })
        // The gpt-image models always answer in base64 and refuse the parameter; the others need it.
        if !model.hasPrefix("gpt-image") { body["response_format"] = "b64_json" }
        body.set("seed", request.seed.map { .int($0) })
        var http = HTTPClientRequest(url: settings.baseURL + "/images/generations")
        http.method = .POST
        http.headers.add(name: "Content-Type", value: "application/json")
        http.headers.add(name: "Accept", value: "application/json")
        if let key = settings.key { http.headers.add(name: "Authorization", value: "Bearer \(key)") }
        http.body = .bytes(JSONValue.object(body).encoded)
        let (status, headers, bytes) = try await send(http)
        let answer = try? JSONValue(parsing: bytes)
        guard status == 200 else { throw failure(status, headers, answer, bytes, model: model) }
        guard let answer else { throw badAnswer("it is not JSON: \(Self.excerpt(bytes))") }
        return answer
    }

    /// The picture in the answer itself, or behind the address that it gives.
    private func picture(_ entry: JSONValue) async throws -> [UInt8] {
        if let text = entry["b64_json"]?.string {
            guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters), !data.isEmpty
            else {
                throw badAnswer("its base64 is damaged")
            }
            return Array(data)
        }
        guard let url = entry["url"]?.string else { throw badAnswer("it holds neither b64_json nor url") }
        // The address is often another machine's: the key is not for it.
        let (status, _, bytes) = try await send(HTTPClientRequest(url: url))
        guard status == 200 else { throw badAnswer("\(url) answers \(status)") }
        return bytes
    }

    private func send(_ request: HTTPClientRequest) async throws -> (UInt, HTTPHeaders, [UInt8]) {
        do {
            let response = try await Self.client.execute(request, timeout: timeout)
            let body = try await response.body.collect(upTo: Self.limit)
            return (response.status.code, response.headers, Array(body.readableBytesView))
        } catch is CancellationError {
            throw CancellationError()
        } catch let error as HTTPClientError where error == .cancelled {
            throw CancellationError()
        } catch let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout {
            throw TaskFailure(
                "timeout",
                "\(settings.baseURL) has not answered for \(timeout.nanoseconds / 1_000_000_000) seconds.",
                isRetryable: true
            )
        } catch let error as HTTPClientError where Self.isAddressError(error) {
            throw TaskFailure(
                "bad_settings",
                "OPENAI_BASE_URL is no address: \(settings.baseURL)",
                fix: "Set it in [environment] of Belfry's configuration, such as http://localhost:8080/v1"
            )
        } catch is NIOTooManyBytesError {
            throw badAnswer("it is larger than \(Self.limit >> 20) MiB")
        } catch {
            throw TaskFailure(
                "unreachable",
                "Cannot reach \(settings.baseURL): \(error)",
                fix: "Check OPENAI_BASE_URL, and that the server runs.",
                isRetryable: true
            )
        }
    }

    private static func isAddressError(_ error: HTTPClientError) -> Bool {
        error == .invalidURL || error == .emptyHost || error == .emptyScheme
            || "\(error)".contains("unsupportedScheme")
    }

    /// Says now and then that the model is still at work.
    private func withHeartbeat<Value: Sendable>(
        _ model: String,
        _ context: FeatureContext,
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let beat = Task {
            let start = ContinuousClock.now
            while true {
                try await Task.sleep(for: heartbeat)
                let seconds = (ContinuousClock.now - start).components.seconds
                context.progress(nil, "waiting for \(model), \(seconds) s")
            }
        }
        defer { beat.cancel() }
        return try await work()
    }

    // MARK: Failures

    /// - Parameter answer: `{"error": {"message", "type", "code", "param"}}`, or what a proxy makes of it.
    private func failure(
        _ status: UInt,
        _ headers: HTTPHeaders,
        _ answer: JSONValue?,
        _ bytes: [UInt8],
        model: String
    ) -> TaskFailure {
        let said = answer?["error"]?["message"]?.string ?? answer?["error"]?.string ?? Self.excerpt(bytes)
        let code = answer?["error"]?["code"]?.string ?? answer?["error"]?["type"]?.string
        let message = "\(settings.baseURL) answers \(status): \(said)"
        switch status {
        case 401, 403:
            return TaskFailure(
                "bad_credentials",
                message,
                fix: "Set OPENAI_API_KEY in [environment] of Belfry's configuration."
            )
        case 404:
            return TaskFailure(
                "no_such_model",
                message,
                fix: "Check the model '\(model)' and OPENAI_BASE_URL, which ends in /v1 as a rule."
            )
        case 429 where code == "insufficient_quota":
            return TaskFailure("no_quota", message, fix: "Add credit to the account of this key.")
        case 429:
            let pause =
                headers.first(name: "Retry-After").map { " It asks for a pause of \($0) seconds." } ?? ""
            return TaskFailure("rate_limited", message + pause, isRetryable: true)
        case 408, 409, 500...599: return TaskFailure("server_error", message, isRetryable: true)
        default:
            return TaskFailure(
                code == "content_policy_violation" || code == "moderation_blocked" ? "refused" : "bad_input",
                message
            )
        }
    }

    private func badAnswer(_ reason: String) -> TaskFailure {
        TaskFailure(
            "bad_answer",
            "The answer of \(settings.baseURL) cannot be used: \(reason).",
            fix: "Check that it is an OpenAI-compatible image endpoint."
        )
    }

    private static func excerpt(_ bytes: [UInt8]) -> String {
        bytes.isEmpty ? "nothing" : String(decoding: bytes, as: UTF8.self).truncated(toUTF8: 200)
    }
}
