// What a person would see and do: pixels, windows, the mouse.

import DBus
import FoundationEssentials
import Synchronization

extension HeadlessDesktop {
    // MARK: Seeing

    /// All pixels as they are now.
    public func picture() throws -> Picture { try screen.picture() }

    /// How many pixels of pure green there are: with dunst, the filled part of the progress bars.
    public func greenPixels() throws -> Int { try picture().count(of: .bar) }

    /// The picture as soon as it `isWanted`.
    @discardableResult
    public func picture(
        _ what: String = "a picture on the screen",
        where isWanted: @escaping @Sendable (Picture) -> Bool
    ) async throws -> Picture {
        try await eventually(what, seen: (try? "\(self.picture())") ?? "no screen") {
            let picture = try self.picture()
            return isWanted(picture) ? picture : nil
        }
    }

    /// The picture as soon as it has stayed the same for 0.2 s: servers build a popup in several steps, and a
    /// click on a button that has no place yet is lost.
    @discardableResult
    public func pictureAtRest() async throws -> Picture {
        let seen = Mutex<(picture: Picture?, since: ContinuousClock.Instant)>((nil, .now))
        return try await eventually("a screen at rest") {
            let picture = try self.picture()
            return seen.withLock { seen in
                if seen.picture != picture { seen = (picture, .now) }
                return seen.since.duration(to: .now) >= .milliseconds(200) ? picture : nil
            }
        }
    }

    /// Writes the whole screen to a file, in the format that its name ends in.
    public func screenshot(to path: String) async throws {
        try await run(["/usr/bin/import", "-window", "root", path])
    }

    /// A window on the screen.
    public struct Window: Sendable, Hashable {
        /// X's number of it.
        public var id: UInt
        public var area: Area
    }

    /// The popups that the server shows now, from the top.
    public func popups() async throws -> [Window] {
        guard server != .none else { return [] }
        // xdotool fails when it finds no window.
        let command = [
            "search", "--onlyvisible", "--class", server.windowClass, "getwindowgeometry", "--shell", "%@",
        ]
        let output = (try? await run(["/usr/bin/xdotool"] + command)) ?? ""
        var windows: [Window] = []
        var fields: [Substring: Int] = [:]
        for line in output.split(separator: "\n") {
            let parts = line.split(separator: "=")
            guard parts.count == 2, let number = Int(parts[1]) else { continue }
            fields[parts[0]] = number
            // The last line of each window.
            guard parts[0] == "SCREEN", let id = fields["WINDOW"], let x = fields["X"], let y = fields["Y"],
                let width = fields["WIDTH"], let height = fields["HEIGHT"]
            else { continue }
            windows.append(Window(id: UInt(id), area: Area(x: x, y: y, width: width, height: height)))
        }
        return windows.sorted { ($0.area.y, $0.id) < ($1.area.y, $1.id) }
    }

    /// The popups as soon as they are `count` and the screen is at rest, so that they can be clicked. Note
    /// that dunst puts all its popups into one window.
    @discardableResult
    public func popups(count: Int) async throws -> [Window] {
        try await eventually("\(count) windows of the notification server", seen: self.serverOutput) {
            guard try await self.popups().count == count else { return nil }
            try await self.pictureAtRest()
            let windows = try await self.popups()
            return windows.count == count ? windows : nil
        }
    }

    // MARK: Doing

    /// A mouse button.
    public enum Button: Int, Sendable {
        case left = 1
        case middle, right
    }

    /// A click of the real pointer at a place on the screen.
    public func click(x: Int, y: Int, button: Button = .left) async throws {
        try await run(["/usr/bin/xdotool", "mousemove", "\(x)", "\(y)", "click", "\(button.rawValue)"])
    }

    /// A click into the middle of a popup.
    public func click(_ window: Window, button: Button = .left) async throws {
        try await click(x: window.area.middle.x, y: window.area.middle.y, button: button)
    }

    /// Moves the pointer out of the way: some servers let no popup expire under it.
    public func parkPointer() async throws { try await run(["/usr/bin/xdotool", "mousemove", "0", "0"]) }

    /// The label of the button that is chosen when a right click opens dunst's menu; nil closes the menu.
    public func menuChoice(_ label: String?) throws {
        try (label ?? "").write(toFile: directory + "/menu-choice", atomically: true, encoding: .utf8)
    }

    /// A program that chooses from dunst's menu, whose lines are `#label (summary) [id,key]`.
    func writeMenu() throws {
        let script = """
            #!/bin/sh
            # Plays the person who chooses a button from dunst's menu.
            exec grep -m1 -F "#$(cat '\(directory)/menu-choice') ("
            """
        try script.write(toFile: directory + "/menu", atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory + "/menu")
        try menuChoice(nil)
    }

    /// Runs a program of the desktop to its end.
    ///
    /// - Returns: what it printed.
    /// - Throws: ``DesktopFault`` when its exit code is not 0.
    @discardableResult
    public func run(_ command: [String], adding variables: [String: String] = [:]) async throws -> String {
        let log = "\(directory)/run-\(UUID().uuidString).log"
        defer { try? FileManager.default.removeItem(atPath: log) }
        let process = try await ChildProcess.start(
            command,
            environment: wholeEnvironment.merging(variables) { _, new in new },
            log: log
        )
        let code = try await process.untilEnded()
        guard code == 0 else { throw DesktopFault("\(command) ended with \(code): \(process.output)") }
        return process.output
    }
}
