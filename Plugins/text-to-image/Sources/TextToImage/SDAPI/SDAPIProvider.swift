// A model behind the API of AUTOMATIC1111's web UI, which Forge and SD.Next speak too: one long POST
// for the pictures, and beside it questions for the progress.
// Source: https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/master/modules/api/api.py

import BelfryCore
import FoundationEssentials
import NIOCore

struct SDAPIProvider {
    var client: ServerClient
    /// A model may think for long; the task's own timeouts come on top.
    var timeout = TimeAmount.minutes(25)
    /// How often the server is asked how far it is.
    var pollInterval = Duration.seconds(1)
    /// Makes the name by which the server knows this request.
    /// What stopping the server's work may take when the task is cancelled.
    var farewell = TimeAmount.seconds(2)
    var makeID: @Sendable () -> String = { UUID().uuidString.lowercased() }

    init(_ environment: [String: String]) {
        client = ServerClient(
            settings: ServerSettings("SDAPI", environment, address: "http://127.0.0.1:7860"),
            timeout: .seconds(30),
            // Several pictures come in one answer.
            limit: 256 << 20
        )
    }

    func images(_ request: ImageRequest, _ context: FeatureContext) async throws -> ProvidedImages {
        context.progress(nil, "asking \(client.settings.baseURL)")
        if let model = request.model { try await check(model) }
        let job = SDAPIJob(id: "task(belfry-\(makeID()))", client: client, farewell: farewell)
        await job.noteWhatRuns()
        let answer = try await job.interruptingWhenCancelled {
            try await withThrowingTaskGroup(of: ServerAnswer?.self) { group in
                group.addTask { try await generate(request, job) }
                group.addTask {
                    try await follow(job, context)
                    return nil
                }
                defer { group.cancelAll() }
                guard let answer = try await group.next() ?? nil else { throw CancellationError() }
                return answer
            }
        }
        context.progress(96, "receiving")
        return try images(answer, request)
    }

    // MARK: The request

    private func generate(_ request: ImageRequest, _ job: SDAPIJob) async throws -> ServerAnswer {
        var body: JSONObject = [
            "prompt": .string(request.words), "seed": .int(request.seed ?? -1),
            // One after the other: several at once want as many times the memory.
            "n_iter": .int(Int64(request.count)), "batch_size": 1,
            "send_images": true, "save_images": false, "force_task_id": .string(job.id),
        ]
        body.set("negative_prompt", request.negativePrompt.map { .string($0) })
        body.set("steps", request.steps.map { .int($0) })
        body.set("cfg_scale", request.cfg.map { .double($0) })
        body.set("sampler_name", request.sampler.map { .string($0) })
        body.set("scheduler", request.scheduler.map { .string($0) })
        body.set("width", request.size.map { .int(Int64($0.width)) })
        body.set("height", request.size.map { .int(Int64($0.height)) })
        body.set("override_settings", request.model.map { ["sd_model_checkpoint": .string($0)] })
        let answer = try await client.post("/sdapi/v1/txt2img", .object(body), timeout: timeout)
        guard answer.status == 200 else { throw failure(answer, request) }
        return answer
    }

    /// The server paints with the model that it has loaded when it does not know the one that is asked for, and
    /// says nothing: so it is asked before.
    private func check(_ model: String) async throws {
        let answer = try await client.get("/sdapi/v1/sd-models")
        // Smaller servers of this kind have no list.
        if answer.status == 404 || answer.status == 405 { return }
        guard answer.status == 200 else { throw failure(answer, nil) }
        guard let models = answer.json?.array else {
            throw client.badAnswer("its list of models is none: \(answer.excerpt)")
        }
        let names = ["title", "model_name", "filename", "hash", "sha256"]
        let isKnown = models.contains { entry in names.contains { entry[$0]?.string == model } }
        let isFile = models.contains { $0["filename"]?.string.map { $0.hasSuffix("/" + model) } ?? false }
        if isKnown || isFile { return }
        throw TaskFailure.noSuchModel(
            model,
            known: models.compactMap { $0["model_name"]?.string ?? $0["title"]?.string },
            server: client.settings.baseURL
        )
    }

    // MARK: Progress

    /// Says how far the server is, until cancelled. A question that stays without an answer says nothing: a server
    /// that loads a model is deaf for a while, and one that is gone ends the request itself.
    private func follow(_ job: SDAPIJob, _ context: FeatureContext) async throws {
        let start = ContinuousClock.now
        while true {
            try await Task.sleep(for: pollInterval)
            switch await job.state() {
            case .ours(let percent, let words): context.progress(percent, words)
            case .someoneElses: context.progress(nil, "waiting for the server, which paints for someone else")
            case .idle, nil:
                let seconds = (ContinuousClock.now - start).components.seconds
                context.progress(nil, "waiting for the server, \(seconds) s")
            }
        }
    }

    // MARK: The answer

    private func images(_ answer: ServerAnswer, _ request: ImageRequest) throws -> ProvidedImages {
        guard let json = answer.json else { throw client.badAnswer("it is not JSON: \(answer.excerpt)") }
        // JSON within JSON.
        let info = json["info"]?.string.flatMap { try? JSONValue(parsing: $0) } ?? [:]
        // Before the pictures there may be one of all of them.
        let grids = max(0, Int(info["index_of_first_image"]?.int ?? 0))
        guard let entries = json["images"]?.array?.dropFirst(grids), !entries.isEmpty else {
            throw client.badAnswer("it holds no picture: \(answer.excerpt)")
        }
        let pictures = try entries.prefix(request.count).map { entry in
            guard let text = entry.string else { throw client.badAnswer("a picture in it is no text") }
            return try ProvidedImages.Picture(base64: text, orThrow: client.badAnswer)
        }
        return ProvidedImages(pictures: pictures, facts: facts(info, request))
    }

    private func facts(_ info: JSONValue, _ request: ImageRequest) -> JSONObject {
        var facts: JSONObject = ["provider": "sdapi", "endpoint": .string(client.settings.baseURL)]
        facts.set("model", info["sd_model_name"] ?? request.model.map { .string($0) })
        facts.set("modelHash", info["sd_model_hash"])
        facts.set("seed", info["seed"] ?? request.seed.map { .int($0) })
        if request.count > 1 { facts.set("seeds", info["all_seeds"]) }
        facts.set("steps", info["steps"])
        facts.set("cfg", info["cfg_scale"])
        facts.set("sampler", info["sampler_name"])
        facts.set("width", info["width"])
        facts.set("height", info["height"])
        return facts
    }

    /// The body is `{"error", "detail", "body", "errors"}`, where `detail` is a text or a list of what is wrong with
    /// fields.
    private func failure(_ answer: ServerAnswer, _ request: ImageRequest?) -> TaskFailure {
        let json = answer.json
        let fields = json?["detail"]?.array?.compactMap { entry -> String? in
            let place = entry["loc"]?.array?.last?.string.map { "\($0): " } ?? ""
            return entry["msg"]?.string.map { place + $0 }
        }
        let parts = [
            json?["error"]?.string, json?["detail"]?.string, fields?.joined(separator: "; "),
            json?["errors"]?.string,
        ]
        let said = parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ": ")
        let message =
            "\(client.settings.baseURL) answers \(answer.status): \(said.isEmpty ? answer.excerpt : said)"
        guard answer.status == 404 else {
            return client.failure(answer.status, said: said.isEmpty ? answer.excerpt : said)
        }
        if said.contains("Sampler") {
            return TaskFailure(
                "bad_input",
                message,
                fix: "Choose one that \(client.settings.baseURL)/sdapi/v1/samplers lists."
            )
        }
        if said.contains("Model"), let model = request?.model {
            return TaskFailure.noSuchModel(model, known: [], server: client.settings.baseURL)
        }
        return TaskFailure(
            "no_api",
            message,
            fix: "Start the web UI with --api, and check \(client.settings.variable)."
        )
    }
}
