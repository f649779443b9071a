// Tasks and a person's screen, in a time that a test turns: events go into a planner, a server that is
// always right answers at once, and what is on the screen can be looked at.

import BelfryCore

@testable import BelfryDesktop

struct PlannerBench {
    var planner: PopupPlanner
    /// Where the lease clock stands.
    private(set) var now = Duration.seconds(1000)
    var wall = Timestamp("2026-11-24T12:00:00.000Z")!
    /// What a person sees, by id.
    private(set) var screen: [UInt32: Popup] = [:]
    private(set) var keys: [UInt32: PopupKey] = [:]
    /// Every popup ever sent.
    private(set) var sent: [Popup] = []
    /// What the store says of batches.
    var batches: [BatchID: TaskBatch] = [:]
    private var tasks = ExampleTasks()
    private var lastID: UInt32 = 0

    init(_ change: (inout DesktopConfiguration) -> Void = { _ in }, isPresent: Bool = true) {
        var configuration = DesktopConfiguration()
        change(&configuration)
        planner = PopupPlanner(PopupWriter(configuration))
        planner.board.serverChanged(isPresent: isPresent)
    }

    var popups: [Popup] { keys.sorted { $0.key < $1.key }.compactMap { screen[$0.key] } }
    var titles: [String] { popups.map(\.title) }
    func popup(_ key: PopupKey) -> Popup? { keys.first { $0.value == key }.flatMap { screen[$0.key] } }
    func popup(_ task: TaskID) -> Popup? { popup(.task(task)) }
    func id(_ key: PopupKey) -> UInt32? { keys.first { $0.value == key }?.key }

    // MARK: Time

    private var moment: PopupPlanner.Moment { .init(now: now, wall: wall) }

    mutating func advance(_ duration: Duration) {
        let end = now + duration
        settle()
        while let due = planner.nextDue(after: now), due <= end {
            let step = max(due, now)
            wall = wall.adding(step - now)
            now = step
            settle()
        }
        wall = wall.adding(end - now)
        now = end
        settle()
    }

    /// Lets everything happen that is due now.
    private mutating func settle() {
        while true {
            if planner.isRefreshDue(at: now) {
                for id in planner.batchesToRead() { planner.learn(id, batches[id]) }
            }
            planner.refresh(at: moment)
            let effects = planner.board.due(at: now)
            if effects.isEmpty { return }
            for effect in effects { carryOut(effect) }
        }
    }

    private mutating func carryOut(_ effect: PopupBoard.Effect) {
        switch effect {
        case .close(let id):
            screen[id] = nil
            keys[id] = nil
        case .startServer: planner.board.couldNotStart(at: now)
        case .notify(let ticket, let popup, let replacing, _):
            if replacing == 0 { lastID += 1 }
            let id = replacing == 0 ? lastID : replacing
            screen[id] = popup
            keys[id] = ticket.key
            sent.append(popup)
            _ = planner.board.answered(ticket, id: id)
        }
    }

    /// The person closes a popup.
    mutating func dismiss(_ key: PopupKey) {
        guard let id = id(key) else { return }
        screen[id] = nil
        keys[id] = nil
        for case .closed(let key, let stage, let reason) in planner.board.closed(id, .dismissed) {
            planner.closed(key, stage, reason)
        }
        settle()
    }

    // MARK: Tasks

    mutating func add(_ title: String = "A lighthouse", _ change: (inout NewTask) -> Void = { _ in })
        -> TaskID
    {
        let (id, event) = tasks.add(title, at: wall, change)
        take(event)
        return id
    }

    /// A task that has begun.
    mutating func run(_ title: String = "A lighthouse", _ change: (inout NewTask) -> Void = { _ in })
        -> TaskID
    {
        let id = add(title, change)
        start(id)
        return id
    }

    mutating func start(_ id: TaskID) { take(tasks.start(id, at: wall)) }

    mutating func progress(_ id: TaskID, _ percent: Double?, _ message: String? = nil) {
        planner.take([tasks.progress(id, percent, message, at: wall)], at: now)
        settle()
    }

    mutating func complete(_ id: TaskID, _ files: [String] = [], at time: Timestamp? = nil) {
        take(tasks.complete(id, files, at: time ?? wall))
    }

    mutating func fail(_ id: TaskID, _ message: String = "The disk is full.", retrying: Bool = false) {
        take(tasks.fail(id, TaskFailure("x", message), retrying: retrying, at: wall))
    }

    mutating func event(_ kind: TaskEvent.Kind, of id: TaskID) { take(tasks.record(kind, of: id, at: wall)) }

    mutating func event(_ kind: TaskEvent.Kind, of batch: TaskBatch) {
        batches[batch.id] = batch
        take(tasks.record(kind, of: batch, at: wall))
    }

    private mutating func take(_ record: EventRecord) {
        try! planner.take(record, at: moment)  // The event was made here.
        settle()
    }

    mutating func batch(_ title: String, of total: Int) -> TaskBatch {
        let batch = tasks.batch(title, of: total, at: wall)
        event(.batchAdded, of: batch)
        return batch
    }
}
