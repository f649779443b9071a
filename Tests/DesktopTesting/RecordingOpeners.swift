// What "Open" and "Show in folder" end in: a file manager and an application of the person's desktop. These
// open nothing, and remember what they were asked for.

public import DBus

/// `org.freedesktop.FileManager1`, as far as showing files goes.
public final class RecordingFileManager: Sendable {
    public static let name = "org.freedesktop.FileManager1"
    public static let path = "/org/freedesktop/FileManager1"

    /// One call as it came in.
    public struct Shown: Sendable, Hashable {
        /// `ShowItems`, `ShowFolders` or `ShowItemProperties`.
        public var method: String
        public var uris: [String]
        /// The token that lets the file manager take the focus.
        public var startupID: String
    }

    private struct State: Sendable {
        var shown: [Shown] = []
        var failure: DBusError?
    }

    public let connection: DBusConnection
    private let state: Watched<State>

    private init(connection: DBusConnection, state: Watched<State>) {
        self.connection = connection
        self.state = state
    }

    /// Takes the name on the bus and serves.
    public static func open(on address: DBusAddress) async throws -> RecordingFileManager {
        let connection = try await DBusConnection.open(address)
        let state = Watched(State())
        let methods = ["ShowItems", "ShowFolders", "ShowItemProperties"].map { method in
            DBusMethod(method, in: [DBusArgument("URIs", "as"), DBusArgument("StartupId", "s")]) { call in
                let shown = Shown(
                    method: method,
                    uris: call.arguments[0].stringsValue ?? [],
                    startupID: call.arguments[1].stringValue ?? ""
                )
                try state.update { state in
                    state.shown.append(shown)
                    if let failure = state.failure { throw failure }
                }
                return []
            }
        }
        try connection.export(DBusObject(interfaces: [DBusInterface(name, methods: methods)]), at: path)
        try await connection.take(name)
        return RecordingFileManager(connection: connection, state: state)
    }

    /// Every call so far.
    public var shown: [Shown] { state.value.shown }

    /// What calls are answered; nil, as at first, is success.
    public var failure: DBusError? {
        get { state.value.failure }
        set { state.update { $0.failure = newValue } }
    }

    /// All calls that have come in, as soon as they are at least `count`.
    @discardableResult
    public func shown(count: Int) async throws -> [Shown] {
        try await state.first("\(count) calls of the file manager") {
            $0.shown.count >= count ? $0.shown : nil
        }
    }

    /// Leaves the bus.
    public func close() async { await connection.close() }
}

/// `org.freedesktop.Application` at the bus name of a desktop id.
public final class RecordingApplication: Sendable {
    static let interface = "org.freedesktop.Application"

    /// One call as it came in.
    public enum Call: Sendable, Hashable {
        case activate(platformData: [String: DBusValue])
        case open(uris: [String], platformData: [String: DBusValue])
        case action(name: String, parameter: [DBusValue], platformData: [String: DBusValue])
    }

    /// The desktop id, which is the bus name too.
    public let id: String
    public let connection: DBusConnection
    private let received: Watched<[Call]>

    private init(id: String, connection: DBusConnection, calls: Watched<[Call]>) {
        self.id = id
        self.connection = connection
        received = calls
    }

    /// The path of an application's object, made of its id as the Desktop Entry Specification says.
    public static func path(of id: String) -> String {
        "/" + String(id.map { $0 == "." ? "/" : $0 == "-" ? "_" : $0 })
    }

    /// Takes the name on the bus and serves.
    ///
    /// - Parameter id: such as `org.example.Player`, without `.desktop`.
    public static func open(_ id: String, on address: DBusAddress) async throws -> RecordingApplication {
        let connection = try await DBusConnection.open(address)
        let calls = Watched<[Call]>([])
        try connection.export(DBusObject(interfaces: [applicationInterface(calls)]), at: path(of: id))
        try await connection.take(id)
        return RecordingApplication(id: id, connection: connection, calls: calls)
    }

    private static func applicationInterface(_ calls: Watched<[Call]>) -> DBusInterface {
        let data = DBusArgument("platform_data", "a{sv}")
        return DBusInterface(
            interface,
            methods: [
                DBusMethod("Activate", in: [data]) { call in
                    let data = call.arguments[0].dictionaryValue ?? [:]
                    calls.update { $0.append(.activate(platformData: data)) }
                    return []
                },
                DBusMethod("Open", in: [DBusArgument("uris", "as"), data]) { call in
                    let uris = call.arguments[0].stringsValue ?? []
                    let data = call.arguments[1].dictionaryValue ?? [:]
                    calls.update { $0.append(.open(uris: uris, platformData: data)) }
                    return []
                },
                DBusMethod(
                    "ActivateAction",
                    in: [DBusArgument("action_name", "s"), DBusArgument("parameter", "av"), data]
                ) { call in
                    let action = Call.action(
                        name: call.arguments[0].stringValue ?? "",
                        parameter: call.arguments[1].arrayValue ?? [],
                        platformData: call.arguments[2].dictionaryValue ?? [:]
                    )
                    calls.update { $0.append(action) }
                    return []
                },
            ]
        )
    }

    /// Every call so far.
    public var calls: [Call] { received.value }

    /// All calls that have come in, as soon as they are at least `count`.
    @discardableResult
    public func calls(count: Int) async throws -> [Call] {
        try await received.first("\(count) calls of \(id)") { $0.count >= count ? $0 : nil }
    }

    /// Leaves the bus.
    public func close() async { await connection.close() }
}
