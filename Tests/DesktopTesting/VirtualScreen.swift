// A screen that nobody sees: Xvfb, on a display number that it chooses itself, so that tests can run side by
// side.

/// One Xvfb.
final class VirtualScreen: Sendable {
    /// Such as `:7`.
    let display: String
    private let process: ChildProcess
    private let frameBuffer: String

    private init(display: String, process: ChildProcess, frameBuffer: String) {
        self.display = display
        self.process = process
        self.frameBuffer = frameBuffer
    }

    /// Starts Xvfb and waits until it accepts clients.
    ///
    /// - Parameter directory: for its log and its frame buffer.
    static func start(
        width: Int,
        height: Int,
        directory: String,
        environment: [String: String]
    ) async throws -> VirtualScreen {
        let pipe = try Pipe()
        let process = try await ChildProcess.start(
            [
                "/usr/bin/Xvfb", "-displayfd", "3", "-screen", "0", "\(width)x\(height)x24",
                "-nolisten", "tcp", "-fbdir", directory,
            ],
            environment: environment,
            log: directory + "/xvfb.log",
            descriptor: pipe.writing,
            // Its socket and its lock file in /tmp.
            tidiesUp: true
        )
        pipe.closeWriting()
        let number = try await process.until("a display") { try await pipe.line() }
        return VirtualScreen(
            display: ":" + number,
            process: process,
            frameBuffer: directory + "/Xvfb_screen0"
        )
    }

    /// What it shows now.
    func picture() throws -> Picture { try Picture(frameBuffer: frameBuffer) }

    func end() async { await process.end() }
}
