// What is on the screen and what should be: the state machine between wanted popups and a server that
// answers late, restarts, refuses or says nothing. It holds no connection and no clock: it is told what
// happened and when, and answers with what to send. So every order of events can be played in a test.

import BelfryCore
import OrderedCollections

/// Brings the server's popups to what is wanted, one call in flight for each.
struct PopupBoard {
    /// The shortest time between two updates of one popup: at most 4 a second.
    static let interval = Duration.milliseconds(250)
    /// How long a popup waits after the server said that there were too many.
    static let excessDelay = Duration.seconds(1)
    /// Outcomes that are remembered for their clicks; of older ones the buttons no longer act.
    static let rememberedOutcomes = 500
    /// Signals that came before the answer that tells whose they are.
    static let earlySignals = 64

    /// One call to the server, so that its answer finds its way back.
    struct Ticket: Hashable, Sendable {
        var key: PopupKey
        var number: Int
        /// The server's life in which the call was made: ids of another life mean nothing.
        var epoch: Int
    }

    /// What to send.
    enum Effect: Hashable, Sendable {
        case notify(Ticket, Popup, replacing: UInt32, generation: Int)
        case close(UInt32)
        /// Nobody owns the server's name: have the bus start one.
        case startServer
    }

    /// What the person did.
    enum Note: Hashable, Sendable {
        /// The popup is gone, by the person or by its time.
        case closed(PopupKey, Popup.Stage, CloseReason)
        case clicked(PopupKey, PopupAction, Popup, activationToken: String?)
    }

    struct Slot {
        /// Nil: to be taken away.
        var wanted: Popup?
        /// What the server has confirmed.
        var shown: Popup?
        var inFlight: (number: Int, popup: Popup, generation: Int)?
        var id: UInt32?
        /// What the buttons on the screen mean, by its number; a click that carries another one is stale.
        var generation = 0
        /// What the buttons that were sent last mean.
        var meaning: (value: Meaning, generation: Int)?
        var consumed: Set<PopupAction> = []
        var notBefore = Duration.zero
        var activationToken: String?
    }

    struct Meaning: Hashable {
        var scope: String
        var buttons: [PopupButton]
        var defaultButton: PopupButton?
    }

    enum EarlySignal {
        case closed(CloseReason)
        case invoked(String)
        case token(String)
    }

    var slots: OrderedDictionary<PopupKey, Slot> = [:]
    var keys: [UInt32: PopupKey] = [:]
    /// Slots whose wanted and shown differ, oldest wish first.
    var queue: OrderedSet<PopupKey> = []
    var outbox: [Effect] = []
    var early: [(id: UInt32, signal: EarlySignal)] = []
    var inFlightCount = 0
    var lastNumber = 0
    var lastGeneration = 0
    var server = ServerCondition()
    /// The hub is about to end: nothing waits for its time any more.
    var isHurrying = false

    // MARK: Wishes

    /// Wants `popup` on the screen under `key`. The newest wish wins.
    mutating func show(_ popup: Popup, for key: PopupKey) {
        slots[key, default: Slot()].wanted = popup
        refile(key)
    }

    /// Wants no popup under `key`.
    mutating func withdraw(_ key: PopupKey) {
        guard slots[key] != nil else { return }
        slots[key]?.wanted = nil
        refile(key)
    }

    /// Takes away everything that says that work goes on; what it says would be wrong from now on.
    mutating func withdrawProgress() {
        for (key, slot) in slots where slot.wanted?.stage == .progress { withdraw(key) }
    }

    /// The popups on the screen that say that work goes on, without those that are just becoming outcomes.
    var progressIDs: Set<UInt32> {
        let shown = slots.values.filter {
            $0.shown?.stage == .progress && $0.inFlight?.popup.stage != .outcome
        }
        return Set(shown.compactMap(\.id))
    }

    /// Whether everything wanted has been confirmed.
    var isSettled: Bool { queue.isEmpty && inFlightCount == 0 && outbox.isEmpty }

    // MARK: Sending

    /// What to send at `now`, which counts as sent.
    mutating func due(at now: Duration) -> [Effect] {
        defer { outbox = [] }
        var effects = outbox
        if !queue.isEmpty, server.mayStart(at: now) {
            server.starting()
            effects.append(.startServer)
        }
        for key in Array(queue) {
            guard server.maySend(at: now, inFlight: inFlightCount) else { break }
            guard let slot = slots[key], slot.inFlight == nil, slot.notBefore <= now || isHurrying,
                let popup = slot.wanted
            else { continue }
            effects.append(send(popup, for: key, at: now))
        }
        return effects
    }

    /// When ``due(at:)`` has something to send next, unless something happens before; nil for never.
    func nextDue(after now: Duration) -> Duration? {
        guard outbox.isEmpty else { return now }
        let earliest = queue.lazy.compactMap { key in
            slots[key].flatMap { $0.inFlight == nil && $0.wanted != nil ? $0.notBefore : nil }
        }.min()
        guard let earliest, let opening = server.nextOpening(inFlight: inFlightCount) else { return nil }
        return max(earliest, opening)
    }

    private mutating func send(_ popup: Popup, for key: PopupKey, at now: Duration) -> Effect {
        let generation = generation(of: popup, for: key)
        lastNumber += 1
        slots[key]?.inFlight = (lastNumber, popup, generation)
        slots[key]?.notBefore = now + Self.interval
        inFlightCount += 1
        queue.remove(key)
        let ticket = Ticket(key: key, number: lastNumber, epoch: server.epoch)
        return .notify(ticket, popup, replacing: slots[key]?.id ?? 0, generation: generation)
    }

    /// The number of what the popup's buttons mean: a new one when that is not what they meant before.
    private mutating func generation(of popup: Popup, for key: PopupKey) -> Int {
        let meaning = Meaning(scope: popup.scope, buttons: popup.buttons, defaultButton: popup.defaultButton)
        if let slot = slots[key], slot.meaning?.value == meaning { return slot.meaning?.generation ?? 0 }
        lastGeneration += 1
        slots[key]?.meaning = (meaning, lastGeneration)
        return lastGeneration
    }

    /// Puts a slot into the queue, closes it, or lets go of it, as its wish and its state say.
    mutating func refile(_ key: PopupKey) {
        guard let slot = slots[key] else { return }
        queue.remove(key)
        if slot.inFlight != nil { return }
        guard let wanted = slot.wanted else {
            if let id = slot.id, server.isConnected { outbox.append(.close(id)) }
            return remove(key)
        }
        if wanted != slot.shown {
            queue.append(key)
        } else if wanted.stage == .outcome {
            forgetOldOutcomes()
        }
    }

    mutating func remove(_ key: PopupKey) {
        if let id = slots[key]?.id { keys[id] = nil }
        queue.remove(key)
        slots[key] = nil
    }

    private mutating func forgetOldOutcomes() {
        guard slots.count > Self.rememberedOutcomes else { return }
        let oldest = slots.first { $0.value.wanted?.stage == .outcome && $0.value.wanted == $0.value.shown }
        if let oldest { remove(oldest.key) }
    }
}
