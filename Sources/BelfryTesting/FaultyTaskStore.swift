// A store that fails when a test wants it to. What the service does about a full disk, a lost
// answer or a store that hangs is tested with it, on any engine.

public import BelfryCore
import Synchronization

/// Wraps a ``TaskStore`` and injects faults: calls that fail, calls whose answer is lost, calls
/// that hang until they are released.
public final class FaultyTaskStore: TaskStore {
    /// The kinds of call that faults are set for.
    public enum Call: String, Sendable, CaseIterable {
        case status, add, read, attempts, claim, pendingWork, extendLeases, settle, saveProgress,
            requestCancel
        case retry, edit, setStashed, expire, saveCheckpoint, dependencies, groups, saveGroup, schedules,
            saveSchedule, removeSchedule, fire
        case rescue, clear, pruneEvents, events, cursor, saveCursor, park, parkedEvents, unpark,
            forgetSink, close
    }

    public enum Fault: Sendable {
        /// The call does nothing and throws this.
        case refused(TaskStoreError)
        /// The call does its work, and then throws ``TaskStoreError/outcomeUnknown(_:)``.
        case answerLost

        /// Nothing was changed; the same call may work later.
        public static let unavailable = Fault.refused(
            .unavailable(BelfryError(.storeUnavailable, "The store is out of order.", fix: "Try again."))
        )
    }

    private struct Held {
        var call: Call
        var resume: CheckedContinuation<Void, Never>
    }

    private struct Waiting {
        var call: Call
        var count: Int
        var resume: CheckedContinuation<Void, Never>
    }

    private struct State {
        var faults: [Call: [Fault]] = [:]
        var counts: [Call: Int] = [:]
        var holding: Set<Call> = []
        var holdingAnswers: Set<Call> = []
        var held: [Held] = []
        var waiting: [Waiting] = []

        func heldCalls(_ call: Call) -> Int { held.count { $0.call == call } }

        mutating func takeFault(_ call: Call) -> Fault? {
            guard var faults = faults[call], !faults.isEmpty else { return nil }
            defer { self.faults[call] = faults }
            return faults.removeFirst()
        }

        /// Whoever waited for as many calls as are held now.
        mutating func takeSatisfied() -> [Waiting] {
            let all = waiting
            waiting = all.filter { heldCalls($0.call) < $0.count }
            return all.filter { heldCalls($0.call) >= $0.count }
        }
    }

    private let base: any TaskStore
    private let state = Mutex(State())

    public init(_ base: any TaskStore) { self.base = base }

    /// The next `times` calls of this kind have `fault`, after those that were asked for before.
    public func fail(_ call: Call, times: Int = 1, with fault: Fault = .unavailable) {
        state.withLock { $0.faults[call, default: []] += Array(repeating: fault, count: times) }
    }

    /// Calls of this kind work again.
    public func heal(_ call: Call) { state.withLock { $0.faults[call] = nil } }

    /// Calls of this kind hang, before they do anything, until ``release(_:)``.
    public func hold(_ call: Call) { state.withLock { _ = $0.holding.insert(call) } }

    /// Calls of this kind do their work, and then hang until ``release(_:)``.
    public func holdAnswers(of call: Call) { state.withLock { _ = $0.holdingAnswers.insert(call) } }

    /// Lets the held calls of this kind go on, and later ones through.
    public func release(_ call: Call) {
        let released = state.withLock { state in
            state.holding.remove(call)
            state.holdingAnswers.remove(call)
            let released = state.held.filter { $0.call == call }
            state.held.removeAll { $0.call == call }
            return released
        }
        for held in released { held.resume.resume() }
    }

    /// Returns when at least `count` calls of this kind are held.
    public func waitUntilHeld(_ call: Call, count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.heldCalls(call) >= count { return true }
                state.waiting.append(Waiting(call: call, count: count, resume: continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// How many calls of this kind came, failed and held ones included.
    public func calls(_ call: Call) -> Int { state.withLock { $0.counts[call, default: 0] } }

    private func run<Value: Sendable>(_ call: Call, _ work: () async throws -> Value) async throws -> Value {
        let fault = state.withLock { state in
            state.counts[call, default: 0] += 1
            return state.takeFault(call)
        }
        await holdIfAsked(call, in: \.holding)
        switch fault {
        case .refused(let error): throw error
        case .answerLost:
            _ = try await work()
            throw TaskStoreError.outcomeUnknown("The answer to \(call.rawValue) was lost.")
        case nil:
            let answer = try await work()
            await holdIfAsked(call, in: \.holdingAnswers)
            return answer
        }
    }

    private func holdIfAsked(_ call: Call, in held: any KeyPath<State, Set<Call>> & Sendable) async {
        await withCheckedContinuation { continuation in
            let (isHeld, satisfied) = state.withLock { state -> (Bool, [Waiting]) in
                guard state[keyPath: held].contains(call) else { return (false, []) }
                state.held.append(Held(call: call, resume: continuation))
                return (true, state.takeSatisfied())
            }
            for waiting in satisfied { waiting.resume.resume() }
            if !isHeld { continuation.resume() }
        }
    }
}

extension FaultyTaskStore {
    public func status() async throws -> StoreStatus { try await run(.status) { try await base.status() } }

    public func add(_ tasks: [AcceptedTask], batch: TaskBatch?, at now: Timestamp) async throws -> [AddedTask]
    {
        try await run(.add) { try await base.add(tasks, batch: batch, at: now) }
    }

    public func task(_ id: TaskID) async throws -> BackgroundTask? {
        try await run(.read) { try await base.task(id) }
    }

    public func task(number: Int64) async throws -> BackgroundTask? {
        try await run(.read) { try await base.task(number: number) }
    }

    public func tasks(_ query: TaskQuery) async throws -> TaskPage {
        try await run(.read) { try await base.tasks(query) }
    }

    public func batch(_ id: BatchID) async throws -> TaskBatch? {
        try await run(.read) { try await base.batch(id) }
    }

    public func attempts(of id: TaskID) async throws -> [Attempt] {
        try await run(.attempts) { try await base.attempts(of: id) }
    }

    public func claim(_ request: ClaimRequest, at now: Timestamp) async throws -> [ClaimedTask] {
        try await run(.claim) { try await base.claim(request, at: now) }
    }

    public func pendingWork() async throws -> PendingWork {
        try await run(.pendingWork) { try await base.pendingWork() }
    }

    public func oldestDue(at now: Timestamp) async throws -> Timestamp? {
        try await run(.read) { try await base.oldestDue(at: now) }
    }

    public func extendLeases(_ claims: [Claim], to lease: Lease) async throws -> [Claim] {
        try await run(.extendLeases) { try await base.extendLeases(claims, to: lease) }
    }

    public func settle(_ settlement: Settlement, at now: Timestamp) async throws -> BackgroundTask {
        try await run(.settle) { try await base.settle(settlement, at: now) }
    }

    public func saveProgress(_ values: [ProgressValue], at now: Timestamp) async throws -> [Claim] {
        try await run(.saveProgress) { try await base.saveProgress(values, at: now) }
    }

    public func requestCancel(_ id: TaskID, at now: Timestamp) async throws -> BackgroundTask {
        try await run(.requestCancel) { try await base.requestCancel(id, at: now) }
    }

    public func retry(
        _ id: TaskID,
        attempts: Int,
        context: SubmissionContext?,
        at now: Timestamp
    ) async throws -> BackgroundTask {
        try await run(.retry) { try await base.retry(id, attempts: attempts, context: context, at: now) }
    }

    public func edit(_ id: TaskID, _ edit: TaskEdit, at now: Timestamp) async throws -> BackgroundTask {
        try await run(.edit) { try await base.edit(id, edit, at: now) }
    }

    public func setStashed(_ isStashed: Bool, _ id: TaskID, at now: Timestamp) async throws -> BackgroundTask
    {
        try await run(.setStashed) { try await base.setStashed(isStashed, id, at: now) }
    }

    public func expire(limit: Int, at now: Timestamp) async throws -> [BackgroundTask] {
        try await run(.expire) { try await base.expire(limit: limit, at: now) }
    }

    public func saveCheckpoint(_ checkpoint: JSONValue?, of claim: Claim) async throws {
        try await run(.saveCheckpoint) { try await base.saveCheckpoint(checkpoint, of: claim) }
    }

    public func dependencies(of ids: [TaskID]) async throws -> [TaskID: [TaskDependency]] {
        try await run(.dependencies) { try await base.dependencies(of: ids) }
    }

    public func countClearable(_ filter: ClearFilter) async throws -> Int {
        try await run(.read) { try await base.countClearable(filter) }
    }

    public func pruneEvents(before time: Timestamp, limit: Int) async throws -> Int {
        try await run(.pruneEvents) { try await base.pruneEvents(before: time, limit: limit) }
    }

    public func groups() async throws -> [TaskGroup] { try await run(.groups) { try await base.groups() } }

    public func saveGroup(_ group: TaskGroup) async throws {
        try await run(.saveGroup) { try await base.saveGroup(group) }
    }

    public func schedules() async throws -> [Schedule] {
        try await run(.schedules) { try await base.schedules() }
    }

    public func saveSchedule(_ schedule: Schedule, replacing revision: Int64?) async throws {
        try await run(.saveSchedule) { try await base.saveSchedule(schedule, replacing: revision) }
    }

    public func removeSchedule(_ name: String) async throws -> Bool {
        try await run(.removeSchedule) { try await base.removeSchedule(name) }
    }

    public func fire(_ firing: ScheduleFiring, at now: Timestamp) async throws -> [AddedTask]? {
        try await run(.fire) { try await base.fire(firing, at: now) }
    }

    public func rescue(_ rescue: Rescue, at now: Timestamp) async throws -> [BackgroundTask] {
        try await run(.rescue) { try await base.rescue(rescue, at: now) }
    }

    public func clear(_ filter: ClearFilter, at now: Timestamp) async throws -> [TaskSummary] {
        try await run(.clear) { try await base.clear(filter, at: now) }
    }

    public func events(after position: Int64, limit: Int) async throws -> EventPage {
        try await run(.events) { try await base.events(after: position, limit: limit) }
    }

    public func events(of id: TaskID, limit: Int) async throws -> [EventRecord] {
        try await run(.events) { try await base.events(of: id, limit: limit) }
    }

    public func cursor(of sink: String) async throws -> EventCursor? {
        try await run(.cursor) { try await base.cursor(of: sink) }
    }

    public func saveCursor(_ cursor: EventCursor, of sink: String) async throws {
        try await run(.saveCursor) { try await base.saveCursor(cursor, of: sink) }
    }

    public func park(_ parked: ParkedEvent) async throws {
        try await run(.park) { try await base.park(parked) }
    }

    public func parkedEvents(of sink: String) async throws -> [ParkedEvent] {
        try await run(.parkedEvents) { try await base.parkedEvents(of: sink) }
    }

    public func unpark(_ positions: [Int64], of sink: String) async throws {
        try await run(.unpark) { try await base.unpark(positions, of: sink) }
    }

    public func forgetSink(_ name: String) async throws {
        try await run(.forgetSink) { try await base.forgetSink(name) }
    }

    public func close() async throws { try await run(.close) { try await base.close() } }
}
