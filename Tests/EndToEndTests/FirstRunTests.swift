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
        #expect(ids == ["shell", "text-to-image", "video"])
        let plugins = try await sandbox.belfry("plugin", "list")
        #expect(plugins.output.contains("text-to-image"))
        let list = try await sandbox.belfry("list")
        #expect(list.status == 0)
        #expect(list.errors.contains("No background tasks"))
        #expect(sandbox.hubProcess == nil)
    }
}
