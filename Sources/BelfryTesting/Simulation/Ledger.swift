// What the simulation knows by itself of every task that was accepted. It is kept from requests, answers and
// events, never from the rules under test.

import BelfryCore

/// Something that must not be.
struct Broken: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

func ensure(_ condition: Bool, _ reason: @autoclosure () -> String) throws {
    guard condition else { throw Broken(reason()) }
}

/// What one step may change.
struct Permit {
    /// The tasks that the step was about, and the events that they may have.
    var subjects: Set<TaskID> = []
    var events: Set<TaskEvent.Kind> = []
    /// Events that any other task may have, by way of what it comes after.
    var others: Set<TaskEvent.Kind> = []
    /// The subjects are gone.
    var removes = false

    static let nothing = Permit()

    static func only(_ id: TaskID, _ events: Set<TaskEvent.Kind>, others: Set<TaskEvent.Kind> = []) -> Permit
    {
        Permit(subjects: [id], events: events, others: others)
    }

    func allows(_ kind: TaskEvent.Kind, of id: TaskID) -> Bool {
        (subjects.contains(id) && events.contains(kind)) || others.contains(kind)
    }
}

/// The books of a simulated life.
struct Ledger {
    struct Account {
        /// As it was last seen.
        var task: BackgroundTask
        var new: NewTask
        /// What it comes after.
        var after: [TaskID]
        /// Those of ``after`` that have been done at some time.
        var gone: Set<TaskID> = []
        var checkpoint: JSONValue?
        /// As the events tell it; nil before the first.
        var status: TaskStatus?
        var wasLookedAt = false
    }

    struct Batch {
        var total: Int
        /// Tasks that were cleared, by how they had ended.
        var cleared: [TaskStatus: Int] = [:]
        var unfinished: Int
        var live: Int
        /// How many `batch.finished` are still to come.
        var owedEvents = 0
    }

    var accounts: [TaskID: Account] = [:]
    /// In the order of their numbers.
    var order: [TaskID] = []
    var cleared: Set<TaskID> = []
    var batches: [BatchID: Batch] = [:]
    var groups: [String: TaskGroup] = [:]
    /// Every event so far: position n is at n - 1.
    var log: [(kind: TaskEvent.Kind, task: TaskID?)] = []
    var epoch = ""
    /// Claims whose one final event has come.
    var ended: Set<Claim> = []
    /// Which tasks come after one.
    var followers: [TaskID: [TaskID]] = [:]

    var newest: Int64 { Int64(log.count) }

    subscript(id: TaskID) -> BackgroundTask? { accounts[id]?.task }

    /// All tasks in the order of their numbers.
    var tasks: [BackgroundTask] { order.compactMap { accounts[$0]?.task } }

    func holds(_ claim: Claim) -> Bool {
        guard let task = self[claim.taskID] else { return false }
        return task.status == .processing && task.fence == claim.fence
    }

    /// Enters what was accepted just now.
    mutating func enter(_ task: BackgroundTask, _ new: NewTask, after: [TaskID]) throws {
        try ensure(accounts[task.id] == nil && !cleared.contains(task.id), "\(task.id) was accepted twice")
        try ensure(
            order.last.flatMap { self[$0] }.map { $0.number < task.number } ?? true,
            "#\(task.number) again"
        )
        var account = Account(task: task, new: new, after: after)
        for id in after {
            followers[id, default: []].append(task.id)
            guard let earlier = accounts[id]?.status else { continue }
            if new.options.onDependencyFailure.verdict(on: earlier) == .go { account.gone.insert(id) }
        }
        accounts[task.id] = account
        order.append(task.id)
        if let id = task.batchID {
            batches[id]?.unfinished += 1
            batches[id]?.live += 1
        }
    }

    /// Books one event.
    mutating func note(_ record: EventRecord, _ permit: Permit) throws {
        try ensure(record.position == newest + 1, "position \(record.position) came after \(newest)")
        log.append((record.kind, record.taskID))
        guard let id = record.taskID else { return try noteBatch(record) }
        guard let account = accounts[id] else {
            throw Broken("\(record.kind.rawValue) of \(id), which is not there")
        }
        let number = account.task.number
        try ensure(
            record.kind == .added || permit.allows(record.kind, of: id),
            "#\(number) has \(record.kind.rawValue), which is not what happened"
        )
        let before = account.status
        let after = try Self.status(after: record.kind, before, number)
        accounts[id]?.status = after
        if record.kind == .removed { return remove(account) }
        guard let after, after.isFinal != (before?.isFinal ?? false) else { return }
        let batch = account.task.batchID
        guard after.isFinal else {
            if let batch { batches[batch]?.unfinished += 1 }
            return
        }
        if before == .processing {
            let claim = Claim(taskID: id, fence: account.task.fence)
            try ensure(
                ended.insert(claim).inserted,
                "#\(number) has two final events of fence \(claim.fence)"
            )
        }
        if let batch { endOne(of: batch) }
        letGo(account, as: after)
    }

    private mutating func endOne(of batch: BatchID) {
        batches[batch]?.unfinished -= 1
        if batches[batch]?.unfinished == 0 { batches[batch]?.owedEvents += 1 }
    }

    private mutating func letGo(_ account: Account, as status: TaskStatus) {
        for follower in followers[account.task.id] ?? [] {
            guard let policy = accounts[follower]?.task.options.onDependencyFailure else { continue }
            if policy.verdict(on: status) == .go { accounts[follower]?.gone.insert(account.task.id) }
        }
    }

    private mutating func noteBatch(_ record: EventRecord) throws {
        guard let id = try record.event().batch?.id, batches[id] != nil else {
            throw Broken("\(record.kind.rawValue) of a batch that is not there")
        }
        guard record.kind == .batchFinished else { return }
        batches[id]?.owedEvents -= 1
        try ensure(batches[id]?.owedEvents == 0, "batch.finished came and the batch is not finished")
    }

    private mutating func remove(_ account: Account) {
        let id = account.task.id
        accounts[id] = nil
        order.removeAll { $0 == id }
        cleared.insert(id)
        guard let batch = account.task.batchID else { return }
        batches[batch]?.cleared[account.task.status, default: 0] += 1
        batches[batch]?.live -= 1
        if batches[batch]?.live == 0 { batches[batch] = nil }
    }

    /// The one place where an event may stand.
    private static func status(after kind: TaskEvent.Kind, _ before: TaskStatus?, _ number: Int64) throws
        -> TaskStatus?
    {
        let (from, to): (Set<TaskStatus>, TaskStatus?) =
            switch kind {
            case .started: ([.pending], .processing)
            case .retrying, .interrupted, .snoozed: ([.processing], .pending)
            case .cancelRequested: ([.processing], .processing)
            case .completed: ([.processing], .completed)
            case .failed: ([.processing, .pending], .failed)
            case .cancelled: ([.processing, .pending], .cancelled)
            case .retried: ([.completed, .failed, .cancelled], .pending)
            case .edited, .stashed, .released: ([.pending], .pending)
            case .removed: ([.completed, .failed, .cancelled], nil)
            case .added, .batchAdded, .batchFinished: ([], .pending)
            }
        try ensure(
            kind == .added ? before == nil : before.map(from.contains) ?? false,
            "#\(number) has \(kind.rawValue) while it is \(before?.rawValue ?? "not there")"
        )
        return to
    }
}
