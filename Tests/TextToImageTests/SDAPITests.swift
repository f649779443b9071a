// The `sdapi` provider against a stand-in for AUTOMATIC1111's web UI, which answers as modules/api/api.py and
// modules/api/models.py of that project say.

import BelfryCore
import FoundationEssentials
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import TextToImage

@Suite("The sdapi provider")
struct SDAPITests {
    private static func provider(_ url: String, _ variables: [String: String] = [:]) -> SDAPIProvider {
        var provider = SDAPIProvider(["SDAPI_BASE_URL": url].merging(variables) { _, new in new })
        provider.pollInterval = .milliseconds(5)
        provider.makeID = { "1" }
        provider.farewell = .minutes(1)
        return provider
    }

    private static func request(_ params: JSONObject = [:]) -> ImageRequest {
        ImageRequest(prompt: "A fox", params: .object(params))
    }

    /// `GET /sdapi/v1/progress`, as it is while a job runs, or while none does.
    private static func progress(_ step: Int64?, of steps: Int64 = 20, at time: String = "20261124120000")
        -> JSONValue
    {
        [
            "progress": .double(step.map { Double($0) / Double(steps) } ?? 0), "eta_relative": 1.5,
            "state": [
                "skipped": false, "interrupted": false, "stopping_generation": false,
                "job": "scripts_txt2img",
                "job_count": step == nil ? 0 : 1, "job_timestamp": .string(time), "job_no": 0,
                "sampling_step": .int(step ?? 0), "sampling_steps": .int(steps),
            ],
            "current_image": nil, "textinfo": nil,
        ]
    }

    private static func answer(_ pictures: [[UInt8]], seed: Int64 = 42, grids: Int64 = 0) -> JSONValue {
        let info: JSONValue = [
            "prompt": "A fox", "seed": .int(seed),
            "all_seeds": .array((0..<Int64(pictures.count)).map { .int(seed + $0) }),
            "width": 512, "height": 512, "sampler_name": "Euler a", "cfg_scale": 7.0, "steps": 20,
            "sd_model_name": "v1-5-pruned", "sd_model_hash": "6ce0161689",
            "index_of_first_image": .int(grids),
        ]
        return [
            "images": .array(pictures.map { .string(Data($0).base64EncodedString()) }), "parameters": [:],
            "info": .string(info.text),
        ]
    }

    @Test("sends what is asked for, and gives the picture with model and seed as they were used")
    func picture() async throws {
        let png = try Attempt.png()
        let (made, log) = try await StandIn.run { request in
            switch request.path {
            case "/sdapi/v1/sd-models":
                .json([["title": "v1-5-pruned.safetensors [6ce0161689]", "model_name": "v1-5-pruned"]])
            case "/sdapi/v1/progress": .json(Self.progress(nil))
            default: .json(Self.answer([png]))
            }
        } _: { url in
            try await Self.provider(url, ["SDAPI_USER": "me", "SDAPI_PASSWORD": "pw"]).images(
                Self.request([
                    "negative_prompt": "people", "steps": 30, "cfg": 6.5, "sampler": "Euler a",
                    "scheduler": "Karras",
                    "seed": 42, "width": 640, "height": 448, "model": "v1-5-pruned", "style": "ink",
                ]),
                Attempt.context()
            )
        }
        #expect(made.pictures.map(\.bytes) == [png])
        #expect(made.facts["provider"] == "sdapi")
        #expect(made.facts["model"] == "v1-5-pruned")
        #expect(made.facts["seed"] == 42)
        let sent = try #require(log.first { $0.method == "POST" })
        #expect(sent.path == "/sdapi/v1/txt2img")
        #expect(sent.authorization == "Basic bWU6cHc=")
        #expect(
            sent.body == [
                "prompt": "A fox, ink style", "seed": 42, "n_iter": 1, "batch_size": 1, "send_images": true,
                "save_images": false, "force_task_id": "task(belfry-1)", "negative_prompt": "people",
                "steps": 30,
                "cfg_scale": 6.5, "sampler_name": "Euler a", "scheduler": "Karras", "width": 640,
                "height": 448,
                "override_settings": ["sd_model_checkpoint": "v1-5-pruned"],
            ]
        )
    }

    @Test("tells how far the server is, and whether it still paints for someone else")
    func progressWords() async throws {
        let png = try Attempt.png()
        let asked = Mutex(0)
        let seen = Gate()
        let progress = Progress { if $0 == "step 10 of 20" { seen.open() } }
        _ = try await StandIn.run { request in
            guard request.path == "/sdapi/v1/progress" else {
                await seen.wait()
                return .json(Self.answer([png]))
            }
            // Someone else's job runs before ours; the second belongs to us.
            return
                switch asked.withLock({ count in
                    count += 1
                    return count
                })
            {
            case 1, 2: .json(Self.progress(19, at: "20261124110000"))
            default: .json(Self.progress(10))
            }
        } _: { url in
            try await Self.provider(url).images(Self.request(), Attempt.context("/", progress))
        }
        #expect(progress.words.contains("waiting for the server, which paints for someone else"))
        #expect(progress.percents.contains(47.5))
    }

    @Test("gives several pictures, without the grid that comes before them, as several files")
    func several() async throws {
        let pngs = try [Attempt.png(1), Attempt.png(2), Attempt.png(3)]
        let directory =
            FileManager.default.temporaryDirectory.path() + "belfry-image-\(UInt64.random(in: 0...(.max)))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (result, _) = try await StandIn.run { request in
            request.method == "GET" ? .json(Self.progress(nil)) : .json(Self.answer(pngs, grids: 1))
        } _: { url in
            try await TextToImageFeature(environment: ["SDAPI_BASE_URL": url]).process(
                ["prompt": "A fox", "provider": "sdapi", "count": 2],
                Attempt.context(directory)
            )
        }
        let files = result.artifacts.compactMap { FileURI.path($0.uri) }
        #expect(files == [directory + "/a-fox.png", directory + "/a-fox-2.png"])
        #expect(try files.map { try Array(Data(contentsOf: URL(filePath: $0))) } == Array(pngs.dropFirst()))
        #expect(result.value?["seeds"]?.array?.isEmpty == false)
    }

    @Test(
        "a cancelled task stops the server's work when that is its own, and leaves it alone otherwise",
        arguments: [true, false]
    )
    func cancel(isOurs: Bool) async throws {
        let started = Gate()
        let isSent = Mutex(false)
        let (_, log) = try await StandIn.run { request in
            switch request.path {
            case "/sdapi/v1/txt2img":
                isSent.withLock { $0 = true }
                started.open()
                // Never answers: the client goes away.
                await Gate().wait()
                return .cut
            case "/sdapi/v1/progress":
                // A job that is not ours runs before the request is sent, and goes on when ours has to wait.
                let isNew = isOurs && isSent.withLock { $0 }
                return .json(Self.progress(3, at: isNew ? "20261124120500" : "20261124120000"))
            default: return .json([:])
            }
        } _: { url in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) {
                        try await Self.provider(url).images(Self.request(), Attempt.context())
                    }
                }
                await started.wait()
                group.cancelAll()
            }
        }
        #expect(log.contains { $0.path == "/sdapi/v1/interrupt" } == isOurs)
    }

    @Test(
        "says what went wrong, and whether another try may help",
        arguments: [
            (401, #"{"detail":"Incorrect username or password"}"#, "bad_credentials", false),
            (404, #"{"detail":"Not Found"}"#, "no_api", false),
            (
                404, #"{"error":"HTTPException","detail":"Sampler not found","body":"","errors":""}"#,
                "bad_input", false
            ),
            (
                422,
                #"{"detail":[{"loc":["body","steps"],"msg":"value is not a valid integer","type":"type_error"}]}"#,
                "bad_input", false
            ),
            (
                500,
                #"{"error":"OutOfMemoryError","detail":"","body":"","errors":"CUDA out of memory. Tried to allocate"}"#,
                "out_of_memory", true
            ),
            (500, #"{"error":"RuntimeError","detail":"","body":"","errors":"boom"}"#, "server_error", true),
            (400, "This prompt violates our content policy", "refused", false),
            (503, "<html>", "server_error", true),
        ]
    )
    func errors(status: Int, body: String, code: String, isRetryable: Bool) async throws {
        let (failure, _) = try await StandIn.run { request in
            request.method == "GET"
                ? .json(Self.progress(nil)) : .bytes(Array(body.utf8), status: .init(statusCode: status))
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == code, "\(failure)")
        #expect(failure.isRetryable == isRetryable)
        #expect(failure.message.contains("answers \(status)"))
    }

    @Test("a model that the server does not have is refused before it paints with another")
    func unknownModel() async throws {
        let (failure, log) = try await StandIn.run { _ in
            .json([["title": "a.safetensors [1]", "model_name": "a"]])
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(["model": "b"]), Attempt.context())
            }
        }
        #expect(failure.code == "no_such_model")
        #expect(failure.fix == "It has a.")
        #expect(!log.contains { $0.method == "POST" })
    }

    @Test(
        "an answer that is none fails with what came",
        arguments: [
            "", "no JSON", "[]", #"{"images":[]}"#, #"{"images":[7]}"#, #"{"images":["****"]}"#,
            #"{"images":["aGVsbG8="],"info":"{"}"#,
        ]
    )
    func garbage(body: String) async throws {
        let (failure, _) = try await StandIn.run { request in
            request.method == "GET" ? .bytes(Array("garbage".utf8)) : .bytes(Array(body.utf8))
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == "bad_answer")
        #expect(!failure.isRetryable)
    }

    @Test("a server that goes away in the middle is worth another try")
    func gone() async throws {
        let (failure, _) = try await StandIn.run {
            $0.method == "GET" ? .json(Self.progress(1)) : .cut
        } _: { url in
            try await Attempt.failure {
                _ = try await Self.provider(url).images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == "unreachable")
        #expect(failure.isRetryable)
    }

    @Test("a server that takes too long is given up")
    func slow() async throws {
        let gate = Gate()
        let (failure, _) = try await StandIn.run { request in
            if request.method == "POST" { await gate.wait() }
            return .json(Self.progress(1))
        } _: { url in
            defer { gate.open() }
            var provider = Self.provider(url)
            provider.timeout = .milliseconds(50)
            return try await Attempt.failure {
                _ = try await provider.images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.code == "timeout")
        #expect(failure.isRetryable)
    }

    @Test("an answer without end is given up at the limit")
    func flood() async throws {
        let counter = StandIn.Counter()
        let (failure, _) = try await StandIn.run { request in
            request.method == "GET" ? .json(Self.progress(1)) : .flood(counter)
        } _: { url in
            var provider = Self.provider(url)
            provider.client.limit = 8 << 20
            return try await Attempt.failure {
                _ = try await provider.images(Self.request(), Attempt.context())
            }
        }
        #expect(failure.message.contains("larger than 8 MiB"))
        // What is under way between the two programs comes on top.
        #expect(counter.count < 40)
    }
}
