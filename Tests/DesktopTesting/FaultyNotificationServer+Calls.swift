// How the faulty server answers its four methods. All is decided when a call arrives, in one change of the
// state; then the answer waits if it is to hang.

import DBus

extension FaultyNotificationServer {
    typealias Emit = @Sendable (DBusSignal) throws -> Void

    static func serverInterface(_ state: Watched<State>, emit: @escaping Emit) -> DBusInterface {
        DBusInterface(
            name,
            methods: [
                DBusMethod(
                    "Notify",
                    in: [
                        DBusArgument("app_name", "s"), DBusArgument("replaces_id", "u"),
                        DBusArgument("app_icon", "s"), DBusArgument("summary", "s"),
                        DBusArgument("body", "s"), DBusArgument("actions", "as"),
                        DBusArgument("hints", "a{sv}"), DBusArgument("expire_timeout", "i"),
                    ],
                    out: [DBusArgument("id", "u")]
                ) { call in try await notify(call, state, emit) },
                DBusMethod("CloseNotification", in: [DBusArgument("id", "u")]) { call in
                    try await close(call, state, emit)
                },
                DBusMethod("GetCapabilities", out: [DBusArgument("capabilities", "as")]) { _ in
                    let answer = state.update { state in
                        let capabilities = state.faults.capabilities
                        return state.count(.getCapabilities) { [.strings(capabilities)] }
                    }
                    return try await answer.wait(state)
                },
                DBusMethod(
                    "GetServerInformation",
                    out: [
                        DBusArgument("name", "s"), DBusArgument("vendor", "s"),
                        DBusArgument("version", "s"), DBusArgument("spec_version", "s"),
                    ]
                ) { _ in
                    let answer = state.update { state in
                        state.count(.getServerInformation) {
                            [.string("Faulty"), .string("Belfry"), .string("1"), .string("1.2")]
                        }
                    }
                    return try await answer.wait(state)
                },
            ],
            signals: [
                DBusSignalDescription(
                    "NotificationClosed",
                    arguments: [DBusArgument("id", "u"), DBusArgument("reason", "u")]
                ),
                DBusSignalDescription(
                    "ActionInvoked",
                    arguments: [DBusArgument("id", "u"), DBusArgument("key", "s")]
                ),
                DBusSignalDescription(
                    "ActivationToken",
                    arguments: [DBusArgument("id", "u"), DBusArgument("token", "s")]
                ),
            ]
        )
    }

    /// An answer that is decided, and the ticket to wait for when it hangs.
    struct Decided: Sendable {
        var ticket: Int?
        var answer: @Sendable () throws -> [DBusValue]

        func wait(_ state: Watched<State>) async throws -> [DBusValue] {
            if let ticket {
                try await state.first { state in
                    state.faults.held.contains { $0.ticket == ticket } ? nil : ()
                }
            }
            return try answer()
        }
    }

    private static func notify(
        _ call: DBusIncomingCall,
        _ state: Watched<State>,
        _ emit: @escaping Emit
    ) async throws -> [DBusValue] {
        let received: ReceivedNotification
        do {
            received = try ReceivedNotification(sender: call.sender, arguments: call.arguments)
        } catch {
            state.update { $0.refused.append(error) }
            throw error
        }
        let decided = state.update { $0.take(received, emit: emit) }
        return try await decided.wait(state)
    }

    private static func close(
        _ call: DBusIncomingCall,
        _ state: Watched<State>,
        _ emit: @escaping Emit
    ) async throws -> [DBusValue] {
        let id = call.arguments.first?.uint32Value ?? 0
        let decided = state.update { state in
            state.closed.append(id)
            let known = state.visible[id] != nil
            let refuses = state.faults.refusesUnknownClose && !known
            return state.count(.closeNotification, change: { $0.visible[id] = nil }) {
                if refuses { throw DBusError(name: DBusError.failed, message: "") }
                if known { try emit(NotificationSignal.closed(reason: 3).signal(for: id)) }
                return []
            }
        }
        return try await decided.wait(state)
    }
}

extension FaultyNotificationServer.State {
    typealias Decided = FaultyNotificationServer.Decided

    /// Counts a call, and holds it if its method is held.
    mutating func count(
        _ method: FaultyNotificationServer.Method,
        change: @escaping @Sendable (inout FaultyNotificationServer.State) -> Void = { _ in },
        answer: @escaping @Sendable () throws -> [DBusValue]
    ) -> Decided {
        calls[method, default: 0] += 1
        guard faults.heldMethods.contains(method) else {
            change(&self)
            return Decided(ticket: nil, answer: answer)
        }
        faults.lastTicket += 1
        var held = FaultyNotificationServer.Held(ticket: faults.lastTicket, change: change)
        if faults.showsWhenHeld {
            change(&self)
            held.change = nil
        }
        faults.held.append(held)
        return Decided(ticket: faults.lastTicket, answer: answer)
    }

    /// Records a notification and decides its answer.
    mutating func take(
        _ notification: ReceivedNotification,
        emit: @escaping FaultyNotificationServer.Emit
    ) -> Decided {
        var received = notification
        if let error = refusal(of: received) {
            received.answer = .error(error)
            notifications.append(received)
            return count(.notify) { throw error }
        }
        let id = answerID(for: received.replacesID)
        let signals = faults.beforeReply
        faults.beforeReply = []
        received.answer = .id(id)
        notifications.append(received)
        let isClosed = signals.contains { if case .closed = $0 { true } else { false } }
        return count(
            .notify,
            change: { [received] state in
                state.visible[received.replacesID] = nil
                state.visible[id] = isClosed ? nil : received
            },
            answer: {
                for signal in signals { try emit(signal.signal(for: id)) }
                return [.uint32(id)]
            }
        )
    }

    /// The error that the call gets, wrong by itself or by a fault that is set.
    private mutating func refusal(of notification: ReceivedNotification) -> DBusError? {
        do { try StrictHints.check(notification.hints) } catch {
            refused.append(error)
            return error
        }
        guard faults.failuresLeft > 0 else { return nil }
        faults.failuresLeft -= 1
        return faults.failure
    }

    private mutating func answerID(for replaced: UInt32) -> UInt32 {
        if replaced != 0, !faults.answersNewIDs {
            lastID = max(lastID, replaced)
            return replaced
        }
        lastID += 1
        return lastID
    }
}
