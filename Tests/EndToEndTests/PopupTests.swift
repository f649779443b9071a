// The whole way from a task to a person's screen and back: the hub as it is installed, a real notification
// server on a virtual screen, and a real mouse.

import BelfryAPI
import BelfryCore
import DesktopTesting
import FoundationEssentials
import Glibc
import Testing

@Suite("Popups of a whole hub", .timeLimit(.minutes(3)), .serialized)
struct PopupTests {
    /// Progress is shown at once, so that no test waits for seconds to pass.
    private func sandbox(on desktop: HeadlessDesktop, _ settings: String = "") throws -> Sandbox {
        let sandbox = try Sandbox(desktop.environment.mapValues { $0 })
        let text = "[sinks.desktop]\nprogress_after_seconds = 0\n" + settings
        try sandbox.write(text, to: "config.toml")
        return sandbox
    }

    @Test("a mouse click on a popup cancels a running ffmpeg, and nothing of it is left")
    func click() async throws {
        let desktop = try await HeadlessDesktop.open()
        let sandbox = try sandbox(on: desktop)
        let film = sandbox.root + "/film.mp4"
        let made = try await sandbox.run(
            "/usr/bin/ffmpeg",
            [
                "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=60", "-c:v",
                "libx264",
                "-preset", "ultrafast", film,
            ]
        )
        #expect(made.status == 0, "\(made.errors)")
        let arguments = ["operation=transcode", "input=\(film)", "codec=hevc", "preset=slow", "quality=high"]
        let added = try await sandbox.run(Sandbox.programs + "/belfry", ["add", "video"] + arguments)
        #expect(added.status == 0, "\(added.errors)")
        // The bar grows with what ffmpeg has done.
        try await desktop.picture { $0.count(of: .bar) > 0 }
        try await desktop.click(desktop.popups(count: 1)[0])
        let waited = try await sandbox.belfry("wait", "1")
        #expect(waited.status == 1)
        let shown = try await sandbox.belfry("show", "1", "--json").json
        #expect(shown["status"]?.string == "cancelled")
        let left = try await sandbox.run("/usr/bin/pgrep", ["-f", film])
        #expect(left.output.isEmpty, "an ffmpeg is left: \(left.output)")
        await desktop.close()
    }

    @Test("a retry by a popup runs a command where it was submitted")
    func retry() async throws {
        let desktop = try await HeadlessDesktop.open(.xfce)
        // The outcome's popup alone, so that its buttons are where they will stay.
        let sandbox = try sandbox(on: desktop, "progress = false\n")
        let place = sandbox.root + "/place"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        let failed = try await sandbox.belfry("run", "--", "test", "-e", "ready", directory: place)
        #expect(failed.status == 1)
        try sandbox.write("", to: place + "/ready")
        let popup = try await desktop.popups(count: 1)[0]
        try await desktop.picture { !$0.isBlank }
        // Retry is the last of two buttons at the lower right.
        let (right, bottom) = (popup.area.x + popup.area.width, popup.area.y + popup.area.height)
        try await desktop.click(x: right - 56, y: bottom - 30)
        try await eventually("the second attempt to succeed") {
            try await sandbox.belfry("show", "1", "--json").json["status"]?.string == "completed" ? true : nil
        }
        await desktop.close()
    }

    @Test(
        "dunst, then the bus are killed in the middle of 200 running tasks: all end well, and popups come back"
    )
    func killed() async throws {
        let desktop = try await HeadlessDesktop.open()
        let sandbox = try sandbox(on: desktop, "[worker]\nconcurrency = 200\n")
        let gate = sandbox.root + "/gate"
        mkfifo(gate, 0o600)
        try await submit(200, gate, to: sandbox)
        try await running(200, in: sandbox)
        try await desktop.picture { $0.count(of: .bar) == 0 && !$0.isBlank }

        try await desktop.killServer()
        #expect(try await sandbox.belfry("status").status == 0)
        try await desktop.restartServer()
        try await desktop.picture("the popup for all again") { !$0.isBlank }

        desktop.killBus()
        #expect(try await sandbox.belfry("status").status == 0)
        try await desktop.restartBus()
        try await desktop.restartServer()
        try await desktop.picture("the popup for all again, on the new bus") { !$0.isBlank }

        try open(gate)
        let waited = try await sandbox.belfry("wait")
        #expect(waited.status == 0, "\(waited.errors)")
        let events = try sandbox.eventLog()
        #expect(events.filter { $0["type"]?.string == "task.completed" }.count == 200)
        try await desktop.picture("the summary") { !$0.isBlank }
        #expect(try await desktop.popups().count <= 2)
        await desktop.close()
    }

    @Test("the hub is killed: the next one takes away what it left on the screen")
    func hubKilled() async throws {
        let desktop = try await HeadlessDesktop.open()
        let silent = "[[sinks.desktop.rules]]\noutcome = \"completed\"\nurgency = \"none\"\n"
        let sandbox = try sandbox(on: desktop, silent)
        let gate = sandbox.root + "/gate"
        mkfifo(gate, 0o600)
        try await sandbox.belfry("add", "--rerun", "--", "cat", gate)
        try await displayed(1, on: desktop)
        try await eventually("the popup to be written down") {
            FileManager.default.fileExists(atPath: sandbox.places.state + "/popups") ? true : nil
        }
        let pid = try #require(sandbox.hubProcess)
        kill(pid, SIGKILL)
        #expect(try await sandbox.belfry("run", "--", "true").status == 0)
        try await running(1, in: sandbox)
        try open(gate)
        #expect(try await sandbox.belfry("wait").status == 0)
        try await displayed(0, on: desktop)
        await desktop.close()
    }

    private func displayed(_ count: Int, on desktop: HeadlessDesktop) async throws {
        try await eventually("\(count) popups") {
            try await desktop.run(["/usr/bin/dunstctl", "count", "displayed"]) == "\(count)\n" ? true : nil
        }
    }

    /// Submits commands that wait until the gate is opened.
    private func submit(_ count: Int, _ gate: String, to sandbox: Sandbox) async throws {
        let script =
            "i=0; while [ $i -lt \(count) ]; do '\(Sandbox.programs)/belfry' add -- cat '\(gate)' || exit 1; i=$((i+1)); done"
        let added = try await sandbox.run("/bin/sh", ["-c", script])
        #expect(added.status == 0, "\(added.errors)")
    }

    private func running(_ count: Int64, in sandbox: Sandbox) async throws {
        try await eventually("\(count) running tasks") {
            try await sandbox.belfry("status", "--json").json["tasks"]?["processing"]?.int == count
                ? true : nil
        }
    }

    /// Everybody who reads the FIFO sees its end.
    private func open(_ gate: String) throws {
        let descriptor = Glibc.open(gate, O_WRONLY | O_CLOEXEC)
        #expect(descriptor >= 0)
        close(descriptor)
    }

    @Test("sink test shows each kind of popup and says what the server can do")
    func sinkTest() async throws {
        let desktop = try await HeadlessDesktop.open()
        let sandbox = try sandbox(on: desktop)
        let ran = try await sandbox.belfry("sink", "test", "desktop")
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(ran.output.hasPrefix("server  dunst, "))
        #expect(ran.output.contains("shown   a running task, at 42 %\n"))
        #expect(ran.output.contains("yes     Popups have buttons.\n"))
        try await desktop.picture { $0.count(of: .bar) > 0 }
        let listed = try await sandbox.belfry("sink", "list")
        #expect(listed.output.contains("desktop"))
        await desktop.close()
    }

    @Test("sink test without a desktop says what is missing; for another sink that there is nothing to show")
    func sinkTestAlone() async throws {
        let sandbox = try Sandbox()
        let ran = try await sandbox.belfry("sink", "test", "desktop")
        #expect(ran.status == 1)
        #expect(ran.errors.contains("fix: Start one (such as dunst)"))
        #expect(try await sandbox.belfry("sink", "test", "file").errors.contains("has nothing to show"))
        #expect(try await sandbox.belfry("sink", "test", "desk").errors.contains("There is no sink 'desk'"))
    }
}
