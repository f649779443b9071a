// A bus as async Swift sees it. The work is done by Link on its queue; here values are checked on the
// caller's side, so that what is wrong is said at once and to whom it concerns.

/// One private connection to a bus, alive until it is closed or lost.
///
/// It never comes back: reconnecting makes another, as ``DBusReconnector`` does. When nobody holds it or
/// one of its ``DBusSignals`` any more, it is closed.
public final class DBusConnection: Sendable {
    let link: Link

    /// The connection's unique name, such as `:1.42`.
    public let uniqueName: String

    init(link: Link, uniqueName: String) {
        self.link = link
        self.uniqueName = uniqueName
    }

    deinit { link.close() }

    /// Connects and says Hello.
    ///
    /// Nothing here blocks the caller's thread, although libdbus does.
    /// - Parameters:
    ///   - address: where the bus is. Defaults to the session bus.
    ///   - timeout: for all of it. Defaults to 10 s.
    /// - Throws: ``DBusError``: `noServer` when there is no bus, `timedOut`, or what the bus says;
    ///   `CancellationError`.
    public static func open(_ address: DBusAddress = .session, timeout: Duration = .seconds(10)) async throws
        -> DBusConnection
    {
        try Task.checkCancellation()
        return try await ConnectAttempt(to: address.resolved(), timeout: timeout).run()
    }

    /// Whether calls can be made.
    public var isOpen: Bool { link.submissions.isOpen }

    /// Writes out what waits, for at most a second, then closes. Every call in flight fails with
    /// ``DBusError/disconnected``. Goes on when the task is cancelled, only the waiting ends.
    public func close() async {
        link.close()
        await link.closed.wait()
    }

    /// Returns when everything sent so far is written to the socket, the connection is over, or the task is
    /// cancelled.
    public func flush() async {
        let latch = Latch()
        guard (try? link.submit(.run { $0.flush(latch) })) != nil else { return }
        await latch.wait()
    }

    /// Returns when the connection is lost or closed, or the task is cancelled.
    public func untilClosed() async { await link.closed.wait() }
}

// MARK: - Messages

extension DBusConnection {
    /// Calls a method and waits for the answer.
    ///
    /// Calls of one task go out in order. Cancelling the task forgets the call.
    /// - Parameter timeout: for the answer. Defaults to 25 s.
    /// - Returns: the values of the answer.
    /// - Throws: ``DBusError``: the peer's, `noReply` after `timeout`, `disconnected`; `invalidArgs` or
    ///   `limitsExceeded` for a call that cannot be sent. `CancellationError`.
    public func call(_ call: DBusMethodCall, timeout: Duration = .seconds(25)) async throws -> [DBusValue] {
        let message = try link.encoded(.call(call, wantsAnswer: true))
        return try await link.perform(PendingCall(call, message, timeout: timeout))
    }

    /// Sends a call without wanting an answer.
    ///
    /// - Throws: ``DBusError`` `disconnected`, `invalidArgs` or `limitsExceeded`.
    public func send(_ call: DBusMethodCall) throws {
        try link.submit(.send(link.encoded(.call(call, wantsAnswer: false))))
    }

    /// Sends a signal.
    ///
    /// - Parameter destination: the only one to get it. Defaults to nil: everybody who listens.
    /// - Throws: ``DBusError`` `disconnected`, `invalidArgs` or `limitsExceeded`.
    public func emit(_ signal: DBusSignal, to destination: String? = nil) throws {
        try link.submit(.send(link.encoded(.signal(signal, destination: destination))))
    }

    /// Signals that match `rule`.
    ///
    /// The match rule stands at the bus when this returns; nothing after that is missed.
    /// - Parameter limit: how many signals wait at most to be taken, at least 1; of more, the newest are
    ///   kept and ``DBusSignals/dropped`` counts the others. Defaults to 1,024.
    /// - Throws: ``DBusError``: `invalidArgs` for a rule that cannot be, `disconnected`, or what the bus
    ///   says. `CancellationError`.
    public func signals(_ rule: DBusSignalRule, limit: Int = 1024) async throws -> DBusSignals {
        try rule.check()
        let listening = Listening(rule, limit: limit)
        try await link.listen(listening)
        return DBusSignals(subscription: Subscription(listening, on: self))
    }
}

// MARK: - Names

extension DBusConnection {
    /// The unique name that owns `name` now, or nil.
    ///
    /// - Throws: ``DBusError``.
    public func owner(of name: String) async throws -> String? {
        try NameRules.checkBusName(name)
        do {
            return try await call(.bus("GetNameOwner", [.string(name)])).first?.stringValue
        } catch let error as DBusError where error.name == DBusError.nameHasNoOwner {
            return nil
        }
    }

    /// Asks for a well-known name.
    ///
    /// - Returns: whether this connection owns it now. When not, it waits for the name in the bus's queue
    ///   unless `flags` has ``DBusNameFlags/doNotQueue``.
    /// - Throws: ``DBusError``.
    @discardableResult
    public func requestName(_ name: String, flags: DBusNameFlags = []) async throws -> Bool {
        try NameRules.checkWellKnownName(name)
        let answer = try await call(.bus("RequestName", [.string(name), .uint32(flags.rawValue)]))
        // 1: owner now; 4: was the owner before.
        return [1, 4].contains(answer.first?.uint32Value)
    }

    /// Gives a name back, or leaves the queue for it.
    ///
    /// - Throws: ``DBusError``.
    public func releaseName(_ name: String) async throws {
        try NameRules.checkWellKnownName(name)
        _ = try await call(.bus("ReleaseName", [.string(name)]))
    }
}

// MARK: - Objects

extension DBusConnection {
    /// Serves an object at `path` until it is unexported or the connection ends.
    ///
    /// The object's handlers are held as long: one that holds the connection keeps it open.
    /// - Throws: ``DBusError``: `objectPathInUse`, `invalidArgs` for a name, path or signature that cannot
    ///   be, `disconnected`.
    public func export(_ object: DBusObject, at path: String) throws {
        try NameRules.checkTarget(path: path, interface: nil)
        try object.check()
        guard isOpen else { throw DBusError.closed }
        try link.exports.add(ServedObject(object), at: path)
    }

    /// Takes the object away. Handlers that run go on to their end.
    public func unexport(_ path: String) { link.exports.remove(path) }
}
