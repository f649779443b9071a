// A ComfyUI server: a workflow is put into its queue, its WebSocket tells how far that is, and its history has
// the pictures.
// Source: https://docs.comfy.org/development/comfyui-server/comms_routes

import BelfryCore
import FoundationEssentials
import NIOCore
import Synchronization

struct ComfyUIProvider {
    var client: ServerClient
    /// How often the history is asked while the WebSocket lives: it may be silent for a good reason.
    var heartbeat = Duration.seconds(10)
    /// How often the history is asked when nothing else tells of the end.
    var pollInterval = Duration.milliseconds(500)
    /// Bytes of a WebSocket message at most.
    var messageLimit = WebSocket.messageLimit
    /// The seed of a task that names none. Defaults to chance, within what JavaScript holds exactly.
    var makeSeed: @Sendable () -> Int64 = { Int64.random(in: 0..<(1 << 53)) }
    /// Makes the names of the connection and of the prompt.
    var makeID: @Sendable () -> String = { UUID().uuidString.lowercased() }
    /// Questions in a row that may fail before the server is given up.
    private static let patience = 5
    private static let pictureLimit = 64

    init(_ environment: [String: String]) {
        client = ServerClient(
            settings: ServerSettings("COMFYUI", environment, address: "http://127.0.0.1:8188")
        )
    }

    func images(_ request: ImageRequest, _ context: FeatureContext) async throws -> ProvidedImages {
        context.progress(nil, "asking \(client.settings.baseURL)")
        let workflow = try await workflow(request)
        let prompt = ComfyPrompt(id: makeID(), client: client)
        let entry = try await run(prompt, workflow, context)
        context.progress(96, "receiving")
        return ProvidedImages(
            pictures: try await pictures(entry, workflow),
            facts: facts(workflow, request)
        )
    }

    // MARK: The workflow

    private func workflow(_ request: ImageRequest) async throws -> Workflow {
        var workflow = try request.workflow.map(Workflow.init(file:)) ?? .standard()
        let wantsModel = workflow.places.contains("model")
        let model = wantsModel ? try await checkpoint(request.model) : request.model
        try workflow.fill(WorkflowValues(request, seed: makeSeed(), model: model))
        return workflow
    }

    /// The checkpoint as the server calls it: the one that is meant, with or without folder and ending, or the first.
    private func checkpoint(_ name: String?) async throws -> String {
        let answer = try await client.get("/object_info/CheckpointLoaderSimple")
        guard answer.status == 200 else { throw client.failure(answer.status, said: answer.excerpt) }
        guard let input = answer.json?["CheckpointLoaderSimple"]?["input"]?["required"]?["ckpt_name"]?.array
        else {
            throw client.badAnswer("it does not list checkpoints: \(answer.excerpt)")
        }
        // Older servers give the list itself, newer ones a kind and the list in its options.
        let list = input.first?.array ?? input.dropFirst().first?["options"]?.array ?? []
        let names = list.compactMap(\.string)
        guard let name else {
            guard let first = names.first else {
                throw TaskFailure(
                    "no_model",
                    "\(client.settings.baseURL) has no checkpoint.",
                    fix:
                        "Put one into ComfyUI's folder models/checkpoints, or give a workflow that needs none."
                )
            }
            return first
        }
        let found =
            names.first { $0 == name }
            ?? names.first {
                let file = $0.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last ?? ""
                return file == name || file.hasPrefix(name + ".")
            }
        guard let found else {
            throw TaskFailure.noSuchModel(name, known: names, server: client.settings.baseURL)
        }
        return found
    }

    // MARK: Running

    /// The prompt while it is on its way: the server may give it another name than we did.
    private final class Sent: Sendable {
        private let state: Mutex<(prompt: ComfyPrompt, isAccepted: Bool)>
        init(_ prompt: ComfyPrompt) { state = Mutex((prompt, false)) }
        var prompt: ComfyPrompt { state.withLock { $0.prompt } }
        var isAccepted: Bool { state.withLock { $0.isAccepted } }
        func accept(_ prompt: ComfyPrompt) { state.withLock { $0 = (prompt, true) } }
    }

    /// What the history says in the end.
    private func run(_ prompt: ComfyPrompt, _ workflow: Workflow, _ context: FeatureContext) async throws
        -> JSONValue
    {
        let sent = Sent(prompt)
        do { return try await listenAndAsk(sent, workflow, context) } catch {
            guard Task.isCancelled else { throw error }
            // Awaited at once; a task of its own because this one is cancelled.
            await Task { await sent.prompt.withdraw() }.value
            throw CancellationError()
        }
    }

    private func listenAndAsk(_ sent: Sent, _ workflow: Workflow, _ context: FeatureContext) async throws
        -> JSONValue
    {
        let connection = makeID()
        do {
            return try await WebSocket.withMessages(
                at: "\(client.settings.baseURL)/ws?clientId=\(connection)",
                authorization: client.settings.authorization,
                messageLimit: messageLimit
            ) { messages in
                sent.accept(try await submit(sent.prompt, workflow, connection))
                return try await follow(sent.prompt, workflow, messages, context)
            }
        } catch let error where !(error is TaskFailure) && !Task.isCancelled {
            // A proxy may pass none on. The questions find out whether there is a server at all.
            context.log(Array("No WebSocket at \(client.settings.baseURL): \(error)\n".utf8))
        }
        if !sent.isAccepted { sent.accept(try await submit(sent.prompt, workflow, connection)) }
        return try await ask(sent.prompt, every: pollInterval, context)
    }

    /// Listens while that goes, and asks now and then. When the connection is lost, only asking is left.
    private func follow(
        _ prompt: ComfyPrompt,
        _ workflow: Workflow,
        _ messages: WebSocket.Messages,
        _ context: FeatureContext
    ) async throws -> JSONValue {
        let early = try await withThrowingTaskGroup(of: JSONValue?.self) { group in
            group.addTask {
                do { try await listen(prompt, workflow, messages, context) } catch let failure as TaskFailure
                {
                    throw failure
                } catch {
                    context.log(Array("The WebSocket is lost: \(error)\n".utf8))
                }
                return nil
            }
            group.addTask {
                try await Task.sleep(for: heartbeat)
                return try await ask(prompt, every: heartbeat, context)
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        if let early { return early }
        try Task.checkCancellation()
        return try await ask(prompt, every: pollInterval, context)
    }

    private func listen(
        _ prompt: ComfyPrompt,
        _ workflow: Workflow,
        _ messages: WebSocket.Messages,
        _ context: FeatureContext
    ) async throws {
        var progress = ComfyProgress(promptID: prompt.id, workflow: workflow)
        let end: Void? = try await messages.first { text in
            switch progress.read(text) {
            case .progress(let percent, let words): context.progress(percent, words)
            case .end: return ()
            case .failure(let failure): throw failure
            case nil: break
            }
            return nil
        }
        if end == nil { context.log(Array("The server has closed the WebSocket.\n".utf8)) }
    }

    /// Asks until the history has the prompt.
    private func ask(_ prompt: ComfyPrompt, every interval: Duration, _ context: FeatureContext) async throws
        -> JSONValue
    {
        let start = ContinuousClock.now
        var misses = 0
        var failures = 0
        while true {
            do {
                switch try await prompt.place() {
                case .done(let entry): return entry
                case .nowhere: misses += 1
                case .pending:
                    context.progress(nil, "waiting in the server's queue")
                    misses = 0
                case .running:
                    let seconds = (ContinuousClock.now - start).components.seconds
                    context.progress(nil, "the server is at work, \(seconds) s")
                    misses = 0
                }
                failures = 0
            } catch let failure as TaskFailure where failure.isRetryable {
                failures += 1
                if failures >= Self.patience { throw failure }
            }
            // Once is no proof: it may have gone from the queue to the history between the two questions.
            if misses >= 2 { throw lost() }
            try await Task.sleep(for: interval)
        }
    }

    private func lost() -> TaskFailure {
        TaskFailure(
            "server_restarted",
            "\(client.settings.baseURL) knows nothing of the picture any more: it has started anew, or someone cleared its queue.",
            isRetryable: true
        )
    }

    // MARK: Submitting

    /// The prompt as the server names it: older ones choose a name of their own.
    private func submit(_ prompt: ComfyPrompt, _ workflow: Workflow, _ connection: String) async throws
        -> ComfyPrompt
    {
        let answer = try await client.post(
            "/prompt",
            [
                "prompt": .object(workflow.nodes), "client_id": .string(connection),
                "prompt_id": .string(prompt.id),
            ]
        )
        guard answer.status == 200 else { throw refusal(answer) }
        guard let id = answer.json?["prompt_id"]?.string else {
            throw client.badAnswer("it names no prompt: \(answer.excerpt)")
        }
        return ComfyPrompt(id: id, client: client)
    }

    // MARK: The answer

    private func pictures(_ entry: JSONValue, _ workflow: Workflow) async throws -> [ProvidedImages.Picture] {
        if let failure = failure(entry) { throw failure }
        let outputs = entry["outputs"]?.object ?? [:]
        let files = workflow.nodes.keys.flatMap { outputs[$0]?["images"]?.array ?? [] }
        let saved = files.filter { $0["type"]?.string == "output" }
        // A workflow may only show its pictures.
        let chosen = (saved.isEmpty ? files : saved).prefix(Self.pictureLimit)
        guard !chosen.isEmpty else {
            throw TaskFailure(
                "no_result",
                "The workflow has made no picture.",
                fix: "Let it end in a node SaveImage."
            )
        }
        var pictures: [ProvidedImages.Picture] = []
        for file in chosen { pictures.append(try await picture(file)) }
        return pictures
    }

    private func picture(_ file: JSONValue) async throws -> ProvidedImages.Picture {
        let query = ["filename", "subfolder", "type"].map {
            "\($0)=\(Self.escaped(file[$0]?.string ?? ""))"
        }
        let answer = try await client.get("/view?\(query.joined(separator: "&"))")
        guard answer.status == 200 else { throw client.failure(answer.status, said: answer.excerpt) }
        return try ProvidedImages.Picture(answer.bytes, orThrow: client.badAnswer)
    }

    /// As part of a query.
    private static func escaped(_ text: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        let hex = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { result, byte in
            if plain.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }
    }

    private func facts(_ workflow: Workflow, _ request: ImageRequest) -> JSONObject {
        var facts: JSONObject = ["provider": "comfyui", "endpoint": .string(client.settings.baseURL)]
        facts.set("model", workflow.firstValue(of: ["ckpt_name", "unet_name"]))
        facts.set("workflow", request.workflow.map { .string($0) })
        for (fact, inputs) in [
            ("seed", ["seed", "noise_seed"]), ("steps", ["steps"]), ("cfg", ["cfg"]),
            ("sampler", ["sampler_name"]), ("scheduler", ["scheduler"]),
        ] { facts.set(fact, workflow.firstValue(of: inputs)) }
        return facts
    }

    /// What the history says of a prompt that came to no good end.
    private func failure(_ entry: JSONValue) -> TaskFailure? {
        for message in entry["status"]?["messages"]?.array ?? [] {
            guard let pair = message.array, pair.count == 2 else { continue }
            if pair[0].string == "execution_error" { return ComfyProgress.failure(pair[1]) }
            if pair[0].string == "execution_interrupted" { return ComfyProgress.interrupted }
        }
        guard entry["status"]?["status_str"]?.string == "error" else { return nil }
        return TaskFailure("node_failed", "The workflow failed on the server.", fix: "Its log says more.")
    }
}
