// A server that others wrote: python3-dbusmock's. It does not share our idea of what is right, and records
// what comes in by another library's reading of the wire.

public import BusTesting
public import DBus

/// The `notification_daemon` template of python3-dbusmock on a bus.
public final class MockNotificationDaemon: Sendable {
    private static let mock = "org.freedesktop.DBus.Mock"

    private let connection: DBusConnection
    private let process: ChildProcess

    private init(connection: DBusConnection, process: ChildProcess) {
        self.connection = connection
        self.process = process
    }

    /// Starts the daemon and waits until it owns the name.
    ///
    /// - Parameters:
    ///   - bus: where, and whose directory gets the file with what it prints.
    ///   - capabilities: what it says it can do; nil leaves it to the template.
    public static func start(
        on bus: PrivateBus,
        capabilities: [String]? = nil
    ) async throws -> MockNotificationDaemon {
        let connection = try await DBusConnection.open(bus.address)
        var command = [
            "/usr/bin/python3", "-m", "dbusmock", "--session", "--template", "notification_daemon",
        ]
        if let capabilities {
            let list = capabilities.joined(separator: " ")
            command += ["--parameters", #"{"capabilities": "\#(list)"}"#]
        }
        let process = try await ChildProcess.start(
            command,
            environment: [
                "DBUS_SESSION_BUS_ADDRESS": bus.addressText, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                "PYTHONUNBUFFERED": "1",
            ],
            log: bus.directory + "/mock.log"
        )
        try await process.until("the mock to own the name") {
            try await connection.untilOwned(FaultyNotificationServer.name)
        }
        return MockNotificationDaemon(connection: connection, process: process)
    }

    // MARK: What has come in

    /// Every `Notify` so far. The mock tells no senders and no ids: both are empty.
    public func notifications() async throws -> [ReceivedNotification] {
        let answer = try await ask(Self.mock, "GetMethodCalls", [.string("Notify")])
        // a(tav): the time of the call and its arguments.
        return try (answer.first?.arrayValue ?? []).map { call in
            guard case .structure(let fields) = call, let arguments = fields.last?.arrayValue else {
                throw DesktopFault("the mock answers calls of type \(call.signature)")
            }
            return try Self.notification(arguments)
        }
    }

    /// All that have come in, as soon as they are at least `count`.
    @discardableResult
    public func notifications(count: Int) async throws -> [ReceivedNotification] {
        try await whenCalled("\(count) calls of the mock") { known in known.count >= count ? known : nil }
    }

    /// The first that `isWanted`, already received or later.
    @discardableResult
    public func notification(
        where isWanted: @escaping @Sendable (ReceivedNotification) -> Bool = { _ in true }
    ) async throws -> ReceivedNotification {
        try await whenCalled("a notification at the mock") { known in known.first(where: isWanted) }
    }

    /// Looks at the calls so far, and again after each `MethodCalled`.
    private func whenCalled<Found: Sendable>(
        _ what: String,
        _ choose: @escaping @Sendable ([ReceivedNotification]) -> Found?
    ) async throws -> Found {
        try await withDeadline(patience, WaitedInVain(what, seen: self.process.output)) {
            let calls = try await self.connection.signals(
                DBusSignalRule(
                    sender: FaultyNotificationServer.name,
                    interface: Self.mock,
                    member: "MethodCalled",
                    argument0: "Notify"
                )
            )
            if let found = choose(try await self.notifications()) { return found }
            for await _ in calls {
                if let found = choose(try await self.notifications()) { return found }
            }
            throw DesktopFault("the bus is gone")
        }
    }

    // MARK: What it does

    /// Sends one of the server's signals.
    public func emit(_ signal: NotificationSignal, for id: UInt32) async throws {
        let signal = signal.signal(for: id)
        let signature = signal.arguments.map(\.signature).joined()
        try await ask(
            Self.mock,
            "EmitSignal",
            [
                .string(signal.interface), .string(signal.member), .string(signature),
                .array(of: "v", signal.arguments.map { .variant($0) }),
            ]
        )
    }

    /// Gives `Notify` another body, in Python: `args` are the arguments, `ret` is the answer.
    public func replaceNotify(code: String) async throws {
        try await ask(
            Self.mock,
            "AddMethod",
            [
                .string(FaultyNotificationServer.name), .string("Notify"),
                .string(ReceivedNotification.signature), .string("u"), .string(code),
            ]
        )
    }

    /// Every `Notify` answers this error from now on.
    public func fail(_ error: DBusError) async throws {
        try await replaceNotify(
            code: "raise dbus.exceptions.DBusException('\(error.message)', name='\(error.name)')"
        )
    }

    /// Ends the daemon with SIGKILL, and returns when the bus knows it.
    public func kill() async throws {
        await process.kill()
        try await connection.untilUnowned(FaultyNotificationServer.name)
    }

    /// Ends the daemon.
    public func close() async {
        await process.end()
        await connection.close()
    }

    @discardableResult
    private func ask(_ interface: String, _ member: String, _ arguments: [DBusValue]) async throws
        -> [DBusValue]
    {
        try await connection.call(
            DBusMethodCall(
                destination: FaultyNotificationServer.name,
                path: FaultyNotificationServer.path,
                interface: interface,
                member: member,
                arguments: arguments
            )
        )
    }

    /// Reads the arguments that the mock has wrapped in variants.
    private static func notification(_ arguments: [DBusValue]) throws -> ReceivedNotification {
        let plain = arguments.map { if case .variant(let inner) = $0 { inner } else { $0 } }
        return try ReceivedNotification(sender: "", arguments: plain)
    }
}
