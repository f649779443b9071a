// What a person's desktop is to a program, without a person and without a screen: a bus, an X display and a
// real notification server, each of which can be killed and started again in the middle of a test.

public import BusTesting
public import DBus
import FoundationEssentials
public import Glibc
import Synchronization

/// A desktop for one test. It ends with ``close()``, or when the object goes.
public final class HeadlessDesktop: Sendable {
    /// What changes while a test runs.
    private struct Running: Sendable {
        var server = DesktopServer.none
        var process: ChildProcess?
        var companions: [ChildProcess] = []
        var connection: DBusConnection?
        var count = 0

        var processes: [ChildProcess] { (process.map { [$0] } ?? []) + companions }
    }

    public let bus: PrivateBus
    /// A directory of its own, that goes with it: `$XDG_RUNTIME_DIR`, with a `home` in it.
    public let directory: String
    let screen: VirtualScreen
    private let running = Mutex(Running())

    private init(bus: PrivateBus, directory: String, screen: VirtualScreen) {
        self.bus = bus
        self.directory = directory
        self.screen = screen
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Starts a bus and a screen, and on them `server`.
    ///
    /// - Parameters:
    ///   - width: pixels of the screen. Defaults to 800.
    ///   - height: pixels of the screen. Defaults to 600.
    /// - Throws: ``DesktopFault`` with what the program printed that did not start.
    public static func open(
        _ server: DesktopServer = .dunst,
        width: Int = 800,
        height: Int = 600
    ) async throws -> HeadlessDesktop {
        let directory = try temporaryDirectory()
        do {
            let screen = try await VirtualScreen.start(
                width: width,
                height: height,
                directory: directory,
                environment: basicEnvironment(directory)
            )
            let bus = try await PrivateBus()
            let desktop = HeadlessDesktop(bus: bus, directory: directory, screen: screen)
            try desktop.writeMenu()
            try await desktop.start(server)
            return desktop
        } catch {
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
    }

    /// Ends everything that was started, and returns when it is gone.
    public func close() async {
        let running = running.withLock { running in
            defer { running = Running() }
            return running
        }
        await running.connection?.close()
        for process in running.processes { await process.end() }
        bus.kill()
        await screen.end()
        try? FileManager.default.removeItem(atPath: directory)
    }

    // MARK: For the programs on it

    /// `$DISPLAY`.
    public var display: String { screen.display }

    /// The bus, for connections of the test's own.
    public var address: DBusAddress { bus.address }

    /// What a child process needs to be on this desktop, and nothing else: `DISPLAY`,
    /// `DBUS_SESSION_BUS_ADDRESS` and `XDG_RUNTIME_DIR`.
    public var environment: [String: String] {
        ["DISPLAY": display, "DBUS_SESSION_BUS_ADDRESS": bus.addressText, "XDG_RUNTIME_DIR": directory]
    }

    /// The whole environment of programs that it starts itself: nothing of the person who runs the tests.
    var wholeEnvironment: [String: String] {
        Self.basicEnvironment(directory).merging(environment) { _, new in new }
    }

    private static func basicEnvironment(_ directory: String) -> [String: String] {
        [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": directory + "/home",
            "XDG_CONFIG_HOME": directory + "/home/.config", "XDG_CACHE_HOME": directory + "/home/.cache",
            "XDG_DATA_HOME": directory + "/home/.local/share", "XDG_RUNTIME_DIR": directory,
            // GTK would look for an accessibility bus, and settings for a database: neither is here.
            "NO_AT_BRIDGE": "1", "GTK_A11Y": "none", "GSETTINGS_BACKEND": "memory",
            "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1",
        ]
    }

    private static func temporaryDirectory() throws -> String {
        var template = Array("/tmp/belfry-desktop-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw DesktopFault("no temporary directory") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try FileManager.default.createDirectory(
            atPath: path + "/home/.config",
            withIntermediateDirectories: true
        )
        return path
    }

    // MARK: The notification server

    /// The server that was started last.
    public var server: DesktopServer { running.withLock { $0.server } }

    /// The server's process; nil without one.
    public var serverPID: pid_t? { running.withLock { $0.process?.pid } }

    /// What the server has printed so far.
    public var serverOutput: String { running.withLock { $0.process }?.output ?? "" }

    /// Starts a notification server instead of the one that runs, after whatever it needs, and returns when
    /// it owns its name.
    public func start(_ server: DesktopServer) async throws {
        try await killServer()
        running.withLock { $0.server = server }
        for (command, name) in server.companions {
            let process = try await launch(command, owning: name)
            running.withLock { $0.companions.append(process) }
        }
        guard let command = try server.command(directory: directory) else { return }
        let process = try await launch(command, owning: FaultyNotificationServer.name)
        running.withLock { $0.process = process }
    }

    /// Kills the server with SIGKILL, and returns when the bus knows that its name has no owner.
    public func killServer() async throws {
        let (server, processes) = running.withLock { running in
            defer { (running.process, running.companions) = (nil, []) }
            return (running.server, running.processes)
        }
        guard !processes.isEmpty else { return }
        for process in processes { await process.kill() }
        for name in [FaultyNotificationServer.name] + server.companions.map(\.name) {
            try await connection().untilUnowned(name)
        }
    }

    /// The same kind of server again, after ``killServer()`` or ``restartBus()``, or instead of the one that
    /// runs.
    public func restartServer() async throws { try await start(server) }

    /// Stops the server with SIGSTOP: it keeps its name and answers nothing, as one that hangs.
    public func pauseServer() { running.withLock { $0.process }?.signal(SIGSTOP) }

    /// Lets the server go on, with everything that has come in meanwhile.
    public func resumeServer() { running.withLock { $0.process }?.signal(SIGCONT) }

    private func launch(_ command: [String], owning name: String) async throws -> ChildProcess {
        let number = running.withLock { running in
            running.count += 1
            return running.count
        }
        let process = try await ChildProcess.start(
            command,
            environment: wholeEnvironment,
            log: "\(directory)/server-\(number).log"
        )
        let connection = try await connection()
        try await process.until("an owner of \(name)") { try await connection.untilOwned(name) }
        return process
    }

    // MARK: The bus

    /// Kills the bus with SIGKILL. The server loses its connection and, as a rule, ends.
    public func killBus() { bus.kill() }

    /// A new bus at the same address, with nobody on it. What is left of the old server is ended.
    public func restartBus() async throws {
        let old = running.withLock { running in
            defer { (running.process, running.companions, running.connection) = (nil, [], nil) }
            return running.processes
        }
        for process in old { await process.kill() }
        try await bus.restart()
    }

    /// A connection of the desktop's own, opened again after the bus was.
    public func connection() async throws -> DBusConnection {
        if let known = running.withLock({ $0.connection }), known.isOpen { return known }
        let new = try await DBusConnection.open(address)
        running.withLock { $0.connection = new }
        return new
    }
}
