// The whole way, as a new user goes it: from a prompt to a picture, with its events.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Testing

@Suite("A new user")
struct FirstRunTests {
    @Test("gets a picture from a prompt, and its events in the log and the tail")
    func picture() async throws {
        let sandbox = try Sandbox()
        let ran = try await sandbox.belfry(
            "run",
            "text-to-image",
            "prompt=A lighthouse at dusk",
            "width=96",
            "height=64"
        )
        #expect(ran.status == 0, "\(ran.errors)")
        let path = try #require(ran.lines.first.map(String.init))
        let picture = try Data(contentsOf: URL(filePath: path))
        #expect(picture.prefix(8) == Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))

        try await sandbox.belfry("stop")
        let types = try sandbox.eventLog().compactMap { $0["type"]?.string }
        #expect(types == ["task.added", "task.started", "task.completed"])

        // No hub runs now: the tail is answered from the store.
        let tail = try await sandbox.belfry("tail", "-n", "all", "--no-follow", "--json")
        #expect(tail.status == 0, "\(tail.errors)")
        #expect(tail.output == (try String(contentsOfFile: sandbox.places.eventLog, encoding: .utf8)))
    }

    @Test("gets a picture from a model whose address and key are in the configuration")
    func model() async throws {
        let sandbox = try Sandbox()
        // Answers one request as image servers do, notes it, and ends.
        try sandbox.write(
            """
            import base64, http.server, json, os, struct, sys, zlib

            def chunk(kind, data):
                return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

            header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
            picture = b"\\x89PNG\\r\\n\\x1a\\n" + header + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")

            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    with open("request.json", "w") as file:
                        json.dump({"path": self.path, "key": self.headers["Authorization"], "body": json.loads(body)}, file)
                    answer = json.dumps({"data": [{"b64_json": base64.b64encode(picture).decode()}]}).encode()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
            server.timeout = 600
            print(server.server_port, flush=True)
            if os.fork() == 0:
                null = os.open(os.devnull, os.O_RDWR)
                for descriptor in range(3):
                    os.dup2(null, descriptor)
                server.handle_request()
            """,
            to: "server.py"
        )
        let server = try await sandbox.run("/usr/bin/env", ["python3", "server.py"])
        let port = try #require(Int(server.output.prefix { $0 != "\n" }), "\(server.errors)")
        try sandbox.write(
            """
            [environment]
            OPENAI_BASE_URL = "http://127.0.0.1:\(port)/v1"
            OPENAI_API_KEY = "sk-test"
            BELFRY_IMAGE_MODEL = "flux"
            """,
            to: "config.toml"
        )
        let ran = try await sandbox.belfry("run", "text-to-image", "provider=openai", "prompt=A fox")
        #expect(ran.status == 0, "\(ran.errors)")
        let path = try #require(ran.lines.first.map(String.init))
        #expect(path.hasSuffix("/a-fox.png"))
        #expect(try Data(contentsOf: URL(filePath: path)).prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]))
        let asked = try JSONValue(
            parsing: String(contentsOfFile: sandbox.root + "/request.json", encoding: .utf8)
        )
        #expect(asked["path"] == "/v1/images/generations")
        #expect(asked["key"] == "Bearer sk-test")
        #expect(asked["body"]?["model"] == "flux")
        #expect(asked["body"]?["prompt"] == "A fox")
        // The key is nowhere that people look.
        let shown = try await sandbox.belfry("show", "last", "--json").output
        #expect(!shown.contains("sk-test"))
    }

    @Test("gets a picture from a Stable Diffusion web UI, whose steps are the task's progress")
    func webUI() async throws {
        let sandbox = try Sandbox()
        // A stand-in for AUTOMATIC1111's web UI: paints until it has been asked for its progress twice.
        try sandbox.write(
            """
            import base64, http.server, json, os, struct, threading, zlib

            def chunk(kind, data):
                return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

            header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
            picture = b"\\x89PNG\\r\\n\\x1a\\n" + header + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")
            painting, seen = threading.Event(), threading.Event()

            class Handler(http.server.BaseHTTPRequestHandler):
                def answer(self, value):
                    body = json.dumps(value).encode()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def do_GET(self):
                    busy = painting.is_set()
                    state = {"job_count": int(busy), "job_timestamp": "2", "job_no": 0, "sampling_step": 10, "sampling_steps": 20}
                    self.answer({"progress": 0.5 * busy, "eta_relative": 0, "state": state})
                    if busy:
                        seen.set()

                def do_POST(self):
                    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    painting.set()
                    seen.wait(60)
                    info = {"seed": body["seed"], "sd_model_name": "v1-5", "index_of_first_image": 0}
                    self.answer({"images": [base64.b64encode(picture).decode()], "info": json.dumps(info)})
                    self.server.ended = True

            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads = True
            print(server.server_port, flush=True)
            if os.fork() == 0:
                null = os.open(os.devnull, os.O_RDWR)
                for descriptor in range(3):
                    os.dup2(null, descriptor)
                threading.Timer(120, os._exit, [0]).start()
                server.timeout = 1
                while not getattr(server, "ended", False):
                    server.handle_request()
                os._exit(0)
            """,
            to: "server.py"
        )
        let server = try await sandbox.run("/usr/bin/env", ["python3", "server.py"])
        let port = try #require(Int(server.output.prefix { $0 != "\n" }), "\(server.errors)")
        try sandbox.write("[environment]\nSDAPI_BASE_URL = \"http://127.0.0.1:\(port)\"\n", to: "config.toml")
        let ran = try await sandbox.belfry("run", "text-to-image", "provider=sdapi", "prompt=A fox", "seed=7")
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(ran.lines.first?.hasSuffix("/a-fox.png") == true)
        let result = try await sandbox.belfry("show", "last", "--json").json["result"]
        #expect(result?["value"]?["provider"] == "sdapi")
        #expect(result?["value"]?["seed"] == 7)
        #expect(result?["value"]?["model"] == "v1-5")
    }

    @Test("runs any command in its own directory, environment and umask")
    func command() async throws {
        let sandbox = try Sandbox()
        let script = "pwd; echo $COLOUR; umask; cat; echo oops >&2"
        let ran = try await sandbox.belfry(
            "run",
            "--",
            "sh",
            "-c",
            script,
            directory: "/usr",
            adding: ["COLOUR": "green"]
        )
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(ran.lines.prefix(2) == ["/usr", "green"])
        #expect(ran.output.contains("oops"))
        let log = try await sandbox.belfry("log", "last")
        #expect(log.output == ran.output)
    }

    @Test("is told when a command fails, with its log")
    func failingCommand() async throws {
        let sandbox = try Sandbox()
        let ran = try await sandbox.belfry("run", "--", "sh", "-c", "echo broken; exit 3")
        #expect(ran.status == 1)
        #expect(ran.output == "broken\n")
        #expect(ran.errors.contains("exited with 3"))
        let task = try await sandbox.belfry("show", "last", "--json").json
        #expect(task["status"]?.string == "failed")
        #expect(task["error"]?["code"]?.string == "exit_status")
    }

    @Test("gets a video's thumbnail")
    func video() async throws {
        let sandbox = try Sandbox()
        let clip = sandbox.root + "/clip.mp4"
        let made = try await sandbox.run(
            "/usr/bin/ffmpeg",
            [
                "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1", "-pix_fmt",
                "yuv420p", clip,
            ]
        )
        try #require(made.status == 0, "\(made.errors)")
        let ran = try await sandbox.belfry("run", "video", "operation=thumbnail", "input=clip.mp4")
        #expect(ran.status == 0, "\(ran.errors)")
        let path = try #require(ran.lines.first.map(String.init))
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test("sees the features and plugins before any hub has run, and starts none by looking")
    func looking() async throws {
        let sandbox = try Sandbox()
        let features = try await sandbox.belfry("feature", "list", "--json").json
        let ids = features["features"]?.array?.compactMap { $0["id"]?.string }
        #expect(ids == ["face-swap", "shell", "text-to-image", "upscaling", "video"])
        let plugins = try await sandbox.belfry("plugin", "list")
        #expect(plugins.output.contains("text-to-image"))
        let list = try await sandbox.belfry("list")
        #expect(list.status == 0)
        #expect(list.errors.contains("No background tasks"))
        #expect(sandbox.hubProcess == nil)
    }
}
