// Signals to those who want them, and only from those who may send them: a rule for a well-known name lets
// pass what the name's owner of that moment sends. The bus orders changes of owners among the signals, so
// following them on the queue, message by message, is exact.

import CDBus

/// One listener.
///
/// `@unchecked Sendable`: `opening` is set before it is submitted; from then on only the connection's queue
/// touches it.
final class Listening: @unchecked Sendable {
    let rule: DBusSignalRule
    let buffer: SignalBuffer
    /// Who waits for the match rule to stand; nil once it was told.
    var opening: CheckedContinuation<Void, any Error>?
    /// The first thing that went wrong on the way.
    var fault: DBusError?
    /// The match rules that the bus has for it, as text.
    var standing: [String] = []
    var isOver = false

    init(_ rule: DBusSignalRule, limit: Int) {
        self.rule = rule
        buffer = SignalBuffer(limit: limit)
    }
}

/// Knows the listeners of a connection. To be used on the connection's queue only.
final class SignalRouter {
    private struct Followed {
        var listeners = 0
        var owner: String?
    }

    private static let bus = "org.freedesktop.DBus"

    private var listeners: [ObjectIdentifier: Listening] = [:]
    private var followed: [String: Followed] = [:]

    /// Registers a listener and asks the bus. The three answers come in order, so that the owner is known
    /// before the first signal can come.
    func add(_ listening: Listening, _ link: Link) {
        listeners[ObjectIdentifier(listening)] = listening
        if let name = listening.rule.followedName { follow(name, for: listening, link) }
        addMatch(listening.rule, for: listening, link) { self.open(listening, link) }
    }

    /// Ends a listening. Does nothing when it has ended before.
    func remove(_ listening: Listening, _ link: Link) {
        guard listeners.removeValue(forKey: ObjectIdentifier(listening)) != nil else { return }
        listening.isOver = true
        for text in listening.standing { removeMatch(text, link) }
        if let name = listening.rule.followedName { unfollow(name) }
        listening.buffer.finish()
    }

    /// The caller does not wait for the rule any more.
    ///
    /// One that was never added was refused by the submissions, and told there.
    func cancel(_ listening: Listening, _ link: Link) {
        guard listeners[ObjectIdentifier(listening)] != nil, let opening = listening.opening else { return }
        listening.opening = nil
        remove(listening, link)
        opening.resume(throwing: CancellationError())
    }

    /// The connection is over.
    func finish() {
        for listening in listeners.values { listening.buffer.finish() }
        listeners = [:]
        followed = [:]
    }

    private func open(_ listening: Listening, _ link: Link) {
        guard let opening = listening.opening else { return }
        listening.opening = nil
        guard let fault = listening.fault else { return opening.resume() }
        remove(listening, link)
        opening.resume(throwing: fault)
    }

    // MARK: - Rules

    /// Asks the bus for a rule, and notes whether it stands: taking back one that the bus has refused would
    /// take away another listener's, since the bus counts equal rules.
    private func addMatch(
        _ rule: DBusSignalRule,
        for listening: Listening,
        _ link: Link,
        then next: @escaping () -> Void = {}
    ) {
        let text = rule.text
        link.callBus(.bus("AddMatch", [.string(text)])) { result in
            switch result {
            case .success where listening.isOver: self.removeMatch(text, link)
            case .success: listening.standing.append(text)
            case .failure(let error): listening.fault = listening.fault ?? error
            }
            next()
        }
    }

    private func removeMatch(_ text: String, _ link: Link) {
        link.tellBus(.bus("RemoveMatch", [.string(text)]))
    }

    // MARK: - Owners

    private func follow(_ name: String, for listening: Listening, _ link: Link) {
        followed[name, default: Followed()].listeners += 1
        addMatch(.ownerChanges(of: name), for: listening, link)
        link.callBus(.bus("GetNameOwner", [.string(name)])) { result in
            switch result {
            case .success(let values): self.followed[name]?.owner = values.first?.stringValue
            case .failure(let error) where error.name == DBusError.nameHasNoOwner:
                self.followed[name]?.owner = nil
            case .failure(let error): listening.fault = listening.fault ?? error
            }
        }
    }

    private func unfollow(_ name: String) {
        followed[name]?.listeners -= 1
        if followed[name]?.listeners == 0 { followed[name] = nil }
    }

    private func noteOwner(_ message: OpaquePointer) {
        guard let values = try? MessageReader.arguments(of: message), values.count == 3,
            let name = values[0].stringValue, let owner = values[2].stringValue
        else { return }
        followed[name]?.owner = owner.isEmpty ? nil : owner
    }

    // MARK: - Signals

    func receive(_ message: OpaquePointer) {
        guard !listeners.isEmpty, var signal = DBusSignal(header: message) else { return }
        if !followed.isEmpty, signal.sender == Self.bus, signal.member == "NameOwnerChanged" {
            noteOwner(message)
        }
        let takers = listeners.values.filter { takes(signal, $0.rule) }
        guard !takers.isEmpty else { return }
        guard let arguments = try? MessageReader.arguments(of: message) else {
            for taker in takers { taker.buffer.drop() }
            return
        }
        signal.arguments = arguments
        for taker in takers where taker.rule.takesArguments(of: signal) { taker.buffer.add(signal) }
    }

    private func takes(_ signal: DBusSignal, _ rule: DBusSignalRule) -> Bool {
        guard rule.takesHeader(of: signal) else { return false }
        guard let name = rule.followedName else { return rule.sender == nil || rule.sender == signal.sender }
        return signal.sender != nil && followed[name]?.owner == signal.sender
    }
}

extension DBusSignal {
    /// All but the arguments.
    fileprivate init?(header message: OpaquePointer) {
        guard let path = dbus_message_get_path(message), let interface = dbus_message_get_interface(message),
            let member = dbus_message_get_member(message)
        else { return nil }
        self.init(
            sender: dbus_message_get_sender(message).map { String(cString: $0) },
            path: String(cString: path),
            interface: String(cString: interface),
            member: String(cString: member)
        )
    }
}
