// The `comfyui` provider against a stand-in for ComfyUI, which answers as that project's server.py and
// execution.py do and sends their messages over its WebSocket.

import BelfryCore
import FoundationEssentials
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import TextToImage

@Suite("The comfyui provider")
struct ComfyUITests {
    /// Where the stand-in's one prompt is.
    private enum Place { case pending, running, done, failed, forgotten }

    private static func provider(_ url: String, _ variables: [String: String] = [:]) -> ComfyUIProvider {
        var provider = ComfyUIProvider(["COMFYUI_BASE_URL": url].merging(variables) { _, new in new })
        provider.pollInterval = .milliseconds(5)
        provider.makeSeed = { 5 }
        provider.makeID = { id }
        return provider
    }

    private static let id = "0b3c8f9e-94a7-4f2a-8d5b-0e8a54a7b6a1"

    private static func request(_ params: JSONObject = [:]) -> ImageRequest {
        ImageRequest(prompt: "A fox", params: .object(params))
    }

    private static func message(_ type: String, _ data: JSONObject = [:]) -> JSONValue {
        var data = data
        data["prompt_id"] = .string(id)
        return ["type": .string(type), "data": .object(data)]
    }

    private static let failure: JSONObject = [
        "node_id": "3", "node_type": "KSampler", "executed": [],
        "exception_message": "Allocation on device 0 would exceed allowed memory.",
        "exception_type": "torch.OutOfMemoryError", "traceback": [],
    ]

    /// The program's answers while its prompt is at `place`.
    private static func answer(_ request: StandIn.Request, _ place: Place, _ pictures: [[UInt8]])
        -> StandIn.Answer
    {
        let entry: JSONValue = [0, .string(id), [:], [:], []]
        switch request.path {
        case "/object_info/CheckpointLoaderSimple":
            let names: JSONValue = ["sd/v1-5.safetensors", "xl.safetensors"]
            return .json(["CheckpointLoaderSimple": ["input": ["required": ["ckpt_name": [names, [:]]]]]])
        case "/prompt": return .json(["prompt_id": .string(id), "number": 1, "node_errors": [:]])
        case "/queue" where request.method == "GET":
            return .json([
                "queue_running": place == .running ? [entry] : [],
                "queue_pending": place == .pending ? [entry] : [],
            ])
        case "/history/\(id)":
            let images = (0..<pictures.count).map { number -> JSONValue in
                ["filename": .string("belfry_\(number)&.png"), "subfolder": "a b", "type": "output"]
            }
            switch place {
            case .done:
                return .json([
                    id: [
                        "outputs": ["9": ["images": .array(images)]],
                        "status": ["status_str": "success", "completed": true, "messages": []],
                    ]
                ])
            case .failed:
                let messages: JSONValue = [["execution_error", .object(failure)]]
                return .json([id: ["outputs": [:], "status": ["status_str": "error", "messages": messages]]])
            default: return .json([:])
            }
        case "/view":
            return .bytes(pictures[request.query.contains("belfry_1") ? 1 : 0])
        default: return .json([:])
        }
    }

    @Test("puts the workflow into the queue, tells how far it is, and fetches the pictures")
    func pictures() async throws {
        let pngs = try [Attempt.png(1), Attempt.png(2)]
        let place = Mutex(Place.running)
        let submitted = Gate()
        let pong = Mutex<String?>(nil)
        let progress = Progress()
        let socket: StandIn.Socket = { socket in
            try await socket.send([
                "type": "status", "data": ["status": ["exec_info": ["queue_remaining": 3]]],
            ])
            await submitted.wait()
            let word = try await socket.ping("still there?")
            pong.withLock { $0 = word }
            try await socket.send(Self.message("execution_start"))
            try await socket.send(Self.message("execution_cached", ["nodes": ["4", "5"]]))
            try await socket.send(Self.message("executing", ["node": "3"]))
            // A preview, as large as they come, and someone else's progress.
            try await socket.binary([0, 0, 0, 1, 0, 0, 0, 1] + Array(repeating: 7, count: 1 << 20))
            try await socket.send([
                "type": "progress", "data": ["value": 9, "max": 9, "prompt_id": "other"],
            ])
            let half = Self.message("progress", ["node": "3", "value": 10, "max": 20]).text
            try await socket.text(String(half.prefix(20)), isLast: false, isFirst: true)
            try await socket.text(String(half.dropFirst(20)), isLast: true, isFirst: false)
            try await socket.send(Self.message("executed", ["node": "9", "output": [:]]))
            place.withLock { $0 = .done }
            try await socket.send(Self.message("executing", ["node": nil]))
            await Gate().wait()
        }
        let (made, log) = try await StandIn.run(socket: socket) { request in
            if request.path == "/prompt" { submitted.open() }
            return Self.answer(request, place.withLock { $0 }, pngs)
        } _: { url in
            try await Self.provider(url, ["COMFYUI_TOKEN": "secret"]).images(
                Self.request(["negative_prompt": "people", "count": 2, "width": 640, "height": 448]),
                Attempt.context("/", progress)
            )
        }
        #expect(made.pictures.map(\.bytes) == pngs)
        #expect(made.facts["model"] == "sd/v1-5.safetensors")
        #expect(made.facts["seed"] == 5)
        #expect(pong.withLock { $0 } == "still there?")
        #expect(progress.words.contains("waiting, 3 in the server's queue"))
        #expect(progress.words.contains("KSampler, step 10 of 20"))
        // Two of the small nodes are done, and half of the sampler, which counts as much as twenty of them.
        #expect(progress.percents.contains { abs($0 - 95 * 12 / 26) < 0.01 })
        #expect(progress.percents == progress.percents.sorted())
        #expect(log.allSatisfy { $0.authorization == "Bearer secret" })
        #expect(log.contains { $0.target == "/view?filename=belfry_1%26.png&subfolder=a%20b&type=output" })
        let prompt = try #require(log.first { $0.path == "/prompt" }?.body)
        #expect(prompt["client_id"]?.string == Self.id)
        #expect(prompt["prompt"]?["6"]?["inputs"]?["text"] == "A fox")
        #expect(prompt["prompt"]?["7"]?["inputs"]?["text"] == "people")
        #expect(prompt["prompt"]?["5"]?["inputs"] == ["width": 640, "height": 448, "batch_size": 2])
    }

    @Test(
        "a lost WebSocket loses no picture, and the prompt is sent once",
        arguments: ["none", "closed", "too large"]
    )
    func lostSocket(how: String) async throws {
        let png = try Attempt.png()
        let asked = Mutex(0)
        let submitted = Gate()
        let socket: StandIn.Socket = { socket in
            await submitted.wait()
            if how == "too large" {
                try await socket.binary(Array(repeating: 0, count: 2 << 20))
                await Gate().wait()
            }
        }
        let (made, log) = try await StandIn.run(socket: how == "none" ? nil : socket) { request in
            if request.path == "/prompt" { submitted.open() }
            let count = asked.withLock { count in
                if request.path.hasPrefix("/history") { count += 1 }
                return count
            }
            return Self.answer(request, count < 3 ? .running : .done, [png])
        } _: { url in
            var provider = Self.provider(url)
            provider.messageLimit = 1 << 20
            return try await provider.images(Self.request(), Attempt.context())
        }
        #expect(made.pictures.map(\.bytes) == [png])
        #expect(log.filter { $0.path == "/prompt" }.count == 1)
    }

    @Test("a WebSocket that falls silent is not waited for")
    func silentSocket() async throws {
        let png = try Attempt.png()
        let socket: StandIn.Socket = { _ in await Gate().wait() }
        let (made, _) = try await StandIn.run(socket: socket) {
            Self.answer($0, .done, [png])
        } _: { url in
            var provider = Self.provider(url)
            provider.heartbeat = .milliseconds(5)
            return try await provider.images(Self.request(), Attempt.context())
        }
        #expect(made.pictures.count == 1)
    }

    @Test(
        "a node that fails says which and why, told by the WebSocket or by the history",
        arguments: [true, false]
    )
    func nodeFails(isTold: Bool) async throws {
        let submitted = Gate()
        let socket: StandIn.Socket = { socket in
            await submitted.wait()
            if isTold {
                try await socket.send(Self.message("execution_error", Self.failure))
                await Gate().wait()
            }
        }
        let (failure, _) = try await StandIn.run(socket: socket) { request in
            if request.path == "/prompt" { submitted.open() }
            return Self.answer(request, isTold ? .running : .failed, [])
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == "out_of_memory")
        #expect(failure.isRetryable)
        #expect(failure.message.hasPrefix("KSampler (3) failed: torch.OutOfMemoryError"))
    }

    @Test("a server that has forgotten the prompt has started anew: worth another try")
    func restarted() async throws {
        let (failure, _) = try await StandIn.run {
            Self.answer($0, .forgotten, [])
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == "server_restarted")
        #expect(failure.isRetryable)
    }

    @Test("a server that is gone after it took the prompt is asked again a few times, then given up for now")
    func gone() async throws {
        let (failure, log) = try await StandIn.run {
            $0.path.hasPrefix("/history") ? .cut : Self.answer($0, .running, [])
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == "unreachable")
        #expect(failure.isRetryable)
        #expect(log.filter { $0.path.hasPrefix("/history") }.count >= 5)
    }

    @Test(
        "a cancelled task takes its prompt out of the queue or stops it, and leaves others alone",
        arguments: [("pending", ["/queue"]), ("running", ["/interrupt"]), ("forgotten", [])]
    )
    func cancel(name: String, calls: [String]) async throws {
        let place = name == "pending" ? Place.pending : name == "running" ? .running : .forgotten
        let submitted = Gate()
        let socket: StandIn.Socket = { _ in await Gate().wait() }
        let (_, log) = try await StandIn.run(socket: socket) { request in
            if request.path == "/prompt" { submitted.open() }
            return Self.answer(request, place, [])
        } _: { url in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) {
                        try await Self.provider(url).images(Self.request(), Attempt.context())
                    }
                }
                await submitted.wait()
                group.cancelAll()
            }
        }
        let posts = log.filter { $0.method == "POST" && $0.path != "/prompt" }
        #expect(posts.map(\.path) == calls)
        for post in posts {
            #expect(
                post.body
                    == (post.path == "/queue"
                        ? ["delete": [.string(Self.id)]] : ["prompt_id": .string(Self.id)])
            )
        }
    }

    @Test(
        "a workflow that the server does not take fails with its reason",
        arguments: [
            (
                #"{"error":{"type":"invalid_prompt","message":"Cannot execute because node Foo does not exist.","details":"Node ID '#3'","extra_info":{}},"node_errors":[]}"#,
                "bad_workflow", "node Foo does not exist"
            ),
            (
                #"{"error":{"type":"prompt_outputs_failed_validation","message":"Prompt outputs failed validation","details":"","extra_info":{}},"node_errors":{"3":{"errors":[{"type":"required_input_missing","message":"Required input is missing","details":"latent_image","extra_info":{"input_name":"latent_image"}}],"dependent_outputs":["9"],"class_type":"KSampler"}}}"#,
                "bad_workflow", "KSampler (3) cannot run: Required input is missing: latent_image"
            ),
            (
                #"{"error":{"type":"prompt_outputs_failed_validation","message":"Prompt outputs failed validation","details":"","extra_info":{}},"node_errors":{"4":{"errors":[{"type":"value_not_in_list","message":"Value not in list","details":"ckpt_name","extra_info":{"input_name":"ckpt_name","input_config":[["a.safetensors"],{}],"received_value":"b"}}],"dependent_outputs":["9"],"class_type":"CheckpointLoaderSimple"}}}"#,
                "no_such_model", "no model 'b'"
            ),
        ]
    )
    func refused(body: String, code: String, words: String) async throws {
        let (failure, _) = try await StandIn.run {
            $0.path == "/prompt"
                ? .bytes(Array(body.utf8), status: .badRequest) : Self.answer($0, .running, [])
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == code)
        #expect(failure.message.contains(words), "\(failure.message)")
        #expect(failure.fix != nil)
        #expect(!failure.isRetryable)
    }

    @Test("finds a checkpoint by its file's name, and refuses one that is not there")
    func checkpoint() async throws {
        let png = try Attempt.png()
        let (made, _) = try await StandIn.run {
            Self.answer($0, .done, [png])
        } _: { url in
            try await Self.provider(url).images(Self.request(["model": "v1-5"]), Attempt.context())
        }
        #expect(made.facts["model"] == "sd/v1-5.safetensors")
        let (failure, _) = try await StandIn.run {
            Self.answer($0, .done, [png])
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(["model": "v2"]), Attempt.context())
            }
        }
        #expect(failure.code == "no_such_model")
        #expect(failure.fix == "It has sd/v1-5.safetensors, xl.safetensors.")
    }

    @Test("garbage is told as such, and an endless picture is given up at the limit")
    func garbage() async throws {
        let (failure, _) = try await StandIn.run { _ in
            .bytes(Array("garbage".utf8))
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == "bad_answer")
        let counter = StandIn.Counter()
        let (endless, _) = try await StandIn.run {
            $0.path == "/view" ? .flood(counter) : Self.answer($0, .done, [[]])
        } _: { url in
            var provider = Self.provider(url)
            provider.client.limit = 8 << 20
            return try await Attempt.failure {
                _ = try await provider.images(Self.request(), Attempt.context())
            }
        }
        #expect(endless.message.contains("larger than 8 MiB"))
        #expect(counter.count < 40)
    }
}
