// What the server says: answers to calls, in time or late, and signals.

import BelfryCore
import OrderedCollections

/// Why a popup went, as the specification numbers it.
enum CloseReason: UInt32, Sendable {
    case expired = 1
    case dismissed = 2
    case closedByCall = 3
    case undefined = 4
}

/// Why a `Notify` did not succeed.
enum NotifyFailure: Hashable, Sendable {
    /// Too many for the server: ask again later.
    case excess
    /// No answer in time: the call may still be carried out.
    case timedOut
    /// The server or the connection is gone; ``PopupBoard/serverChanged(isPresent:)`` tells of the next.
    case gone
    /// The server does not take this popup.
    case refused(String)
}

extension PopupBoard {
    // MARK: Answers

    /// The server gave `id` to the popup of `ticket`, maybe long after anybody waited for it.
    mutating func answered(_ ticket: Ticket, id: UInt32) -> [Note] {
        guard ticket.epoch == server.epoch else { return [] }
        server.answered()
        guard let flight = slots[ticket.key]?.inFlight, flight.number == ticket.number else {
            adoptOrClose(id, of: ticket)
            return []
        }
        land(ticket.key)
        assign(id, to: ticket.key)
        if slots[ticket.key]?.generation != flight.generation {
            slots[ticket.key]?.consumed = []
            slots[ticket.key]?.generation = flight.generation
        }
        slots[ticket.key]?.shown = flight.popup
        let notes = replayEarlySignals(for: id)
        refile(ticket.key)
        return notes
    }

    /// A late answer: the popup exists, so it is either ours to go on with or an orphan to close.
    private mutating func adoptOrClose(_ id: UInt32, of ticket: Ticket) {
        guard keys[id] == nil else { return }
        if let slot = slots[ticket.key], slot.id == nil, slot.inFlight == nil, slot.wanted != nil {
            assign(id, to: ticket.key)
        } else {
            outbox.append(.close(id))
        }
    }

    mutating func failed(_ ticket: Ticket, _ failure: NotifyFailure, at now: Duration) {
        guard ticket.epoch == server.epoch, let flight = slots[ticket.key]?.inFlight,
            flight.number == ticket.number
        else { return }
        land(ticket.key)
        switch failure {
        case .excess:
            server.answered()
            slots[ticket.key]?.notBefore = now + Self.excessDelay
        case .timedOut: server.timedOut(at: now)
        case .gone: break
        case .refused:
            server.answered()
            // As good as shown: the same would be refused again.
            slots[ticket.key]?.shown = flight.popup
        }
        refile(ticket.key)
    }

    private mutating func land(_ key: PopupKey) {
        slots[key]?.inFlight = nil
        inFlightCount -= 1
    }

    /// The id is kept whatever it is: some servers give a new one to a replaced popup.
    private mutating func assign(_ id: UInt32, to key: PopupKey) {
        if let old = slots[key]?.id, old != id { keys[old] = nil }
        if let other = keys[id], other != key { slots[other]?.id = nil }
        slots[key]?.id = id
        keys[id] = key
    }

    // MARK: Signals

    mutating func closed(_ id: UInt32, _ reason: CloseReason) -> [Note] {
        guard let key = keys[id], let slot = slots[key] else {
            keepEarly(id, .closed(reason))
            return []
        }
        keys[id] = nil
        slots[key]?.id = nil
        slots[key]?.shown = nil
        let stage = slot.shown?.stage ?? slot.inFlight?.popup.stage ?? .progress
        // An outcome that the progress popup was to turn into still comes, as a popup of its own.
        if slot.wanted?.stage == stage { slots[key]?.wanted = nil }
        refile(key)
        return [.closed(key, stage, reason)]
    }

    /// A click. One that belongs to a popup that has been replaced since, to no popup of ours, or that was
    /// acted on before, is ignored.
    mutating func invoked(_ id: UInt32, _ actionKey: String) -> [Note] {
        guard let key = keys[id], let slot = slots[key], !isForAnswerToCome(actionKey, slot) else {
            keepEarly(id, .invoked(actionKey))
            return []
        }
        guard let popup = slot.shown, let action = action(actionKey, of: popup, generation: slot.generation),
            slots[key]?.consumed.insert(action).inserted == true
        else { return [] }
        let token = slot.activationToken
        slots[key]?.activationToken = nil
        return [.clicked(key, action, popup, activationToken: token)]
    }

    mutating func received(activationToken token: String, for id: UInt32) {
        guard let key = keys[id] else { return keepEarly(id, .token(token)) }
        slots[key]?.activationToken = token
    }

    /// Whether the click was on buttons that are on the screen already, though their answer is on its way.
    private func isForAnswerToCome(_ actionKey: String, _ slot: Slot) -> Bool {
        guard let flight = slot.inFlight, flight.generation != slot.generation else { return false }
        return PopupActionKey(actionKey)?.generation == flight.generation
            || (slot.shown?.defaultButton == nil && actionKey == PopupActionKey.default)
    }

    private func action(_ actionKey: String, of popup: Popup, generation: Int) -> PopupAction? {
        if actionKey == PopupActionKey.default { return popup.defaultButton?.action }
        guard let key = PopupActionKey(actionKey), key.generation == generation,
            popup.buttons.contains(where: { $0.action == key.action })
        else { return nil }
        return key.action
    }

    /// A signal may come before the answer that tells the id: it is kept as long as an answer is awaited.
    private mutating func keepEarly(_ id: UInt32, _ signal: EarlySignal) {
        guard inFlightCount > 0, early.count < Self.earlySignals else { return }
        early.append((id, signal))
    }

    private mutating func replayEarlySignals(for id: UInt32) -> [Note] {
        let signals = early.filter { $0.id == id }
        if inFlightCount == 0 { early = [] } else { early.removeAll { $0.id == id } }
        var notes: [Note] = []
        for (_, signal) in signals {
            switch signal {
            case .closed(let reason): notes += closed(id, reason)
            case .invoked(let key): notes += invoked(id, key)
            case .token(let token): received(activationToken: token, for: id)
            }
        }
        return notes
    }

    // MARK: The server's life

    /// The bus could not start a server.
    mutating func couldNotStart(at now: Duration) { server.couldNotStart(at: now) }

    /// The connection is gone. What is wanted waits for the next one.
    mutating func serverLost() {
        server.disconnected()
        outbox = []
    }

    /// The name has another owner, or none, or the connection is a new one: what is on the screen is not
    /// ours any more. What goes on is shown anew, what is over was seen.
    mutating func serverChanged(isPresent: Bool) {
        server.changed(isPresent: isPresent)
        keys = [:]
        early = []
        outbox = []
        inFlightCount = 0
        for (key, slot) in slots {
            let wasConfirmed = slot.inFlight == nil && slot.shown == slot.wanted
            if slot.wanted == nil || (wasConfirmed && slot.wanted?.stage == .outcome) {
                remove(key)
                continue
            }
            slots[key] = Slot(wanted: slot.wanted)
            queue.append(key)
        }
    }
}

/// What a button is called on the wire: its action and the generation of its popup, so that a click tells
/// which popup it was meant for. The specification gives `default` its fixed name.
struct PopupActionKey: CustomStringConvertible {
    static let `default` = "default"
    var action: PopupAction
    var generation: Int

    init(_ action: PopupAction, generation: Int) {
        self.action = action
        self.generation = generation
    }

    init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let action = PopupAction(rawValue: String(parts[0])),
            let generation = Int(parts[1])
        else { return nil }
        self.init(action, generation: generation)
    }

    var description: String { "\(action.rawValue)@\(generation)" }
}
