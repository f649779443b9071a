// A way to a person's popups. There are two: the freedesktop server that every desktop has, and the portal
// for programs in a sandbox.

/// What a server tells by itself.
enum ServerSignal: Sendable {
    /// Somebody else, or nobody, owns the server's name now. Also the first word of every connection.
    case changed(isPresent: Bool, life: ServerLife?)
    case closed(UInt32, CloseReason)
    case invoked(UInt32, actionKey: String)
    case activationToken(UInt32, String)
}

/// One server from its coming to its going: as long as it is the same, its popups' ids mean the same.
struct ServerLife: Hashable, Sendable {
    /// The bus, by the id that it made for itself.
    var bus: String
    /// The unique name of the server, which a bus gives only once.
    var owner: String
}

/// Shows popups through one connection.
protocol NotificationServer: Sendable {
    /// Signals in the order of their coming; ends with the connection. Read once.
    var signals: AsyncStream<ServerSignal> { get }

    /// Listens, then finds out who serves: only after this are popups shown, so that no signal is missed.
    ///
    /// Returns when the connection is lost.
    func run() async

    /// Shows a popup in place of `replacing`, or a new one when that is 0.
    ///
    /// - Parameter late: told of the id when the answer comes after this has thrown.
    /// - Returns: the id that the server gave, which need not be `replacing`.
    /// - Throws: ``NotifyError``.
    func notify(
        _ popup: Popup,
        replacing: UInt32,
        generation: Int,
        late: @escaping @Sendable (UInt32) -> Void
    ) async throws(NotifyError) -> UInt32

    /// Takes a popup away. No answer is awaited.
    func close(_ id: UInt32)

    /// Has the bus start a server.
    ///
    /// - Returns: false when nobody can be started.
    func start() async -> Bool

    /// What the server is and can do.
    func describe() async throws(NotifyError) -> ServerDescription

    /// Returns when everything has been handed to the bus.
    func flush() async
}

/// What a notification server says of itself.
public struct ServerDescription: Sendable, Hashable {
    public var name: String
    public var vendor: String
    public var version: String
    /// The version of the specification that it follows.
    public var specification: String
    /// As named by the specification: `actions`, `body`, `body-markup`, `persistence` …
    public var capabilities: Set<String>

    public init(
        name: String,
        vendor: String,
        version: String,
        specification: String,
        capabilities: Set<String>
    ) {
        self.name = name
        self.vendor = vendor
        self.version = version
        self.specification = specification
        self.capabilities = capabilities
    }
}
