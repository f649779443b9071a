// A board with a server that does what a test says, when it says so.

import BelfryCore
import OrderedCollections

@testable import BelfryDesktop

/// Plays the server's side of a ``PopupBoard`` by hand.
struct BoardBench {
    var board = PopupBoard()
    var now = Duration.seconds(100)
    /// Calls that the server has and has not answered, oldest first.
    var calls: [(ticket: PopupBoard.Ticket, popup: Popup, replacing: UInt32, generation: Int)] = []
    var closed: [UInt32] = []
    var starts = 0
    private var lastID: UInt32 = 0

    init(isPresent: Bool = true) { board.serverChanged(isPresent: isPresent) }

    /// Lets the board send what is due.
    mutating func send() {
        for effect in board.due(at: now) {
            switch effect {
            case .notify(let ticket, let popup, let replacing, let generation):
                calls.append((ticket, popup, replacing, generation))
            case .close(let id): closed.append(id)
            case .startServer: starts += 1
            }
        }
    }

    mutating func advance(_ duration: Duration) {
        now += duration
        send()
    }

    mutating func show(_ popup: Popup, for key: PopupKey = .running) {
        board.show(popup, for: key)
        send()
    }

    /// Answers the oldest call, as the specification wants it: the replaced id, or a new one.
    @discardableResult
    mutating func answer(newID: Bool = false) -> (id: UInt32, notes: [PopupBoard.Note]) {
        let call = calls.removeFirst()
        if call.replacing == 0 || newID { lastID += 1 }
        let id = call.replacing == 0 || newID ? lastID : call.replacing
        let notes = board.answered(call.ticket, id: id)
        send()
        return (id, notes)
    }

    mutating func fail(_ failure: NotifyFailure) {
        board.failed(calls.removeFirst().ticket, failure, at: now)
        send()
    }

    /// Shows a popup and answers, so that it is on the screen.
    @discardableResult
    mutating func put(_ popup: Popup, for key: PopupKey = .running) -> UInt32 {
        show(popup, for: key)
        return answer().id
    }
}

extension Popup {
    static func progress(_ percent: Int, scope: String = "attempt 1") -> Popup {
        Popup(
            stage: .progress,
            scope: scope,
            sender: .belfry(icon: "belfry"),
            title: "A lighthouse",
            body: "text-to-image · \(percent) %",
            percent: percent,
            urgency: .low,
            category: .transfer,
            buttons: [.cancel]
        )
    }

    static func outcome(_ buttons: [PopupButton] = [.retry, .details], scope: String = "attempt 1 failed")
        -> Popup
    {
        Popup(
            stage: .outcome,
            scope: scope,
            sender: .belfry(icon: "belfry"),
            title: "❌ Generation Failed",
            body: "The disk is full.",
            urgency: .normal,
            category: .error,
            buttons: buttons
        )
    }
}

func key(_ action: PopupAction, _ generation: Int) -> String {
    "\(PopupActionKey(action, generation: generation))"
}

extension PopupBoard {
    /// What is wanted under `key` now.
    func wanted(_ key: PopupKey) -> Popup? { slots[key]?.wanted }
}
