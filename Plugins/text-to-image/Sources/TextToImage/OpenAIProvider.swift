// A real model behind an endpoint that speaks as OpenAI's does: OpenAI itself, LocalAI, vLLM, …
// Source: https://platform.openai.com/docs/api-reference/images/create

import BelfryCore
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Where the model is, from the environment.
struct OpenAISettings: Sendable {
    /// `OPENAI_BASE_URL`, which defaults to OpenAI's own, and `OPENAI_API_KEY`; local servers often need none.
    var server: ServerSettings
    /// `BELFRY_IMAGE_MODEL`, unless a task names its own. Defaults to gpt-image-1.
    var model: String

    init(_ environment: [String: String]) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        server = ServerSettings(
            variable: "OPENAI_BASE_URL",
            baseURL: variable("OPENAI_BASE_URL") ?? "https://api.openai.com/v1",
            authorization: variable("OPENAI_API_KEY").map { "Bearer \($0)" },
            credentialsFix: "Set OPENAI_API_KEY in [environment] of Belfry's configuration."
        )
        model = variable("BELFRY_IMAGE_MODEL") ?? "gpt-image-1"
    }
}

struct OpenAIProvider {
    let settings: OpenAISettings
    /// A model may think for long; the task's own timeouts come on top.
    var timeout = TimeAmount.minutes(25)
    /// How often it is said that the model is still at work, so that silence means a hang of ours.
    var heartbeat = Duration.seconds(10)
    private var client: ServerClient { ServerClient(settings: settings.server, timeout: timeout) }

    func images(_ request: ImageRequest, _ context: FeatureContext) async throws -> ProvidedImages {
        let model = request.model ?? settings.model
        context.progress(nil, "waiting for \(model)")
        let answer = try await withHeartbeat(model, context) {
            try await generate(request, model: model)
        }
        context.progress(95, "receiving")
        guard let entries = answer["data"]?.array, let first = entries.first else {
            throw client.badAnswer("it holds no picture: \(answer.text.truncated(toUTF8: 200))")
        }
        var pictures: [ProvidedImages.Picture] = []
        for entry in entries.prefix(request.count) { pictures.append(try await picture(entry)) }
        var facts: JSONObject = [
            "provider": "openai", "model": .string(model), "endpoint": .string(settings.server.baseURL),
        ]
        facts.set("revisedPrompt", first["revised_prompt"]?.string.map { .string($0) })
        return ProvidedImages(pictures: pictures, facts: facts)
    }

    // MARK: The request

    private func generate(_ request: ImageRequest, model: String) async throws -> JSONValue {
        var body: JSONObject = [
            "model": .string(model),
            "prompt": .string(request.words),
            "n": .int(Int64(request.count)),
        ]
        // Each model has sizes of its own, and takes one of them when none is asked for.
        body.set("size", request.size.map { .string("\($0.width)x\($0.height)") })
        // The gpt-image models always answer in base64 and refuse the parameter; the others need it.
        if !model.hasPrefix("gpt-image") { body["response_format"] = "b64_json" }
        body.set("seed", request.seed.map { .int($0) })
        let answer = try await client.post("/images/generations", .object(body))
        guard answer.status == 200 else { throw failure(answer, model: model) }
        guard let json = answer.json else { throw client.badAnswer("it is not JSON: \(answer.excerpt)") }
        return json
    }

    /// The picture in the answer itself, or behind the address that it gives.
    private func picture(_ entry: JSONValue) async throws -> ProvidedImages.Picture {
        if let text = entry["b64_json"]?.string {
            return try ProvidedImages.Picture(base64: text, orThrow: client.badAnswer)
        }
        guard let url = entry["url"]?.string else {
            throw client.badAnswer("it holds neither b64_json nor url")
        }
        let answer = try await client.get(foreign: url)
        guard answer.status == 200 else { throw client.badAnswer("\(url) answers \(answer.status)") }
        return try ProvidedImages.Picture(answer.bytes, orThrow: client.badAnswer)
    }

    /// Says now and then that the model is still at work.
    private func withHeartbeat<Value: Sendable>(
        _ model: String,
        _ context: FeatureContext,
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                let start = ContinuousClock.now
                // Ends with the group: the work's own end is what counts.
                while (try? await Task.sleep(for: heartbeat)) != nil {
                    let seconds = (ContinuousClock.now - start).components.seconds
                    context.progress(nil, "waiting for \(model), \(seconds) s")
                }
                return nil
            }
            defer { group.cancelAll() }
            while let end = try await group.next() {
                if let value = end { return value }
            }
            throw CancellationError()
        }
    }

    // MARK: Failures

    /// The body is `{"error": {"message", "type", "code", "param"}}`, or what a proxy makes of it.
    private func failure(_ answer: ServerAnswer, model: String) -> TaskFailure {
        let error = answer.json?["error"]
        let said = error?["message"]?.string ?? error?.string ?? answer.excerpt
        let code = error?["code"]?.string ?? error?["type"]?.string
        let message = "\(settings.server.baseURL) answers \(answer.status): \(said)"
        switch (answer.status, code) {
        case (404, _):
            return TaskFailure(
                "no_such_model",
                message,
                fix: "Check the model '\(model)' and OPENAI_BASE_URL, which ends in /v1 as a rule."
            )
        case (429, "insufficient_quota"):
            return TaskFailure("no_quota", message, fix: "Add credit to the account of this key.")
        case (429, _):
            let pause = answer.headers.first(name: "Retry-After")
            let request = pause.map { " It asks for a pause of \($0) seconds." } ?? ""
            return TaskFailure("rate_limited", message + request, isRetryable: true)
        case (400..<500, "content_policy_violation"), (400..<500, "moderation_blocked"):
            return TaskFailure("refused", message, fix: "Change the prompt.")
        default: return client.failure(answer.status, said: said)
        }
    }
}
