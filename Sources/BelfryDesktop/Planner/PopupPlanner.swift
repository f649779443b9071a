// Decides which popups there should be: what runs long enough to be shown, what ended, what is too much to
// be shown one by one, what is held back for later. It follows the events and turns no hands of a clock
// itself: the time comes with every call.

import BelfryCore
import DequeModule

/// Turns events and progress into wishes on a ``PopupBoard``.
struct PopupPlanner {
    /// The shortest time between two looks at the progress of everything.
    static let refreshInterval = Duration.milliseconds(250)
    /// What happened longer ago belongs into a report: nobody waits for it any more.
    static let staleAge = Duration.seconds(60)

    /// The two clocks that matter: one for intervals, one for the time of day.
    struct Moment: Sendable {
        /// On the lease clock.
        var now: Duration
        var wall: Timestamp
    }

    var board = PopupBoard()
    let writer: PopupWriter
    var configuration: DesktopConfiguration { writer.configuration }

    var attempts: [TaskID: RunningAttempt] = [:]
    var batches: [BatchID: RunningBatch] = [:]
    /// Attempts in the order of their starts, until they are old enough to be shown.
    var young: Deque<(id: TaskID, startedAt: Duration)> = []
    /// Attempts that are old enough.
    var ripe: Set<TaskID> = []
    /// Keys of progress popups that are wanted now.
    var visible: Set<PopupKey> = []
    var isAggregated = false
    var isAggregateDismissed = false
    var isProgressStale = false
    var refreshedAt: Duration?

    var recent: [(key: PopupKey, outcome: Outcome, at: Duration)] = []
    var burst: Burst?
    var held = OutcomeTally()
    var heldUntil = Duration.zero
    var lastSummary = 0
    /// What the summaries on the screen stand for, for their buttons.
    var tallies: [Int: OutcomeTally] = [:]
    private(set) var isQuiet = false
    private var isEnding = false
    /// From when until when `isQuiet` holds, by the wall clock; nil until it has been asked.
    private var quietKnown: (from: Timestamp, until: Timestamp?)?
    /// When quiet hours begin or end next, on the lease clock.
    private var quietChange: Duration?
    /// Tasks between two attempts whose popup the person closed.
    private var dismissed: Set<TaskID> = []
    private var batchToCome: BatchID?

    init(_ writer: PopupWriter) { self.writer = writer }

    // MARK: Events

    /// Takes in one event.
    ///
    /// - Throws: what reading the event throws; the planner is then as it was.
    mutating func take(_ record: EventRecord, at moment: Moment) throws {
        followQuietHours(moment)
        switch record.kind {
        case .added:
            // Only the first task of a batch is read: it stands for all of them.
            guard let batch = batchToCome else { return }
            batchToCome = nil
            if let task = try record.event().task, task.batchID == batch {
                batches[batch]?.sample = task
            }
        case .started: start(record, at: moment.now)
        case .completed, .failed, .cancelled: try end(record, at: moment)
        case .retrying: try pause(record, at: moment)
        case .interrupted, .snoozed: stop(record.taskID)
        case .edited, .stashed, .released: break
        case .cancelRequested:
            if let id = record.taskID { attempts[id]?.isCancelling = true }
            isProgressStale = true
        case .retried, .removed:
            stop(record.taskID)
            if let id = record.taskID {
                dismissed.remove(id)
                board.withdraw(.task(id))
            }
        case .batchAdded:
            guard let batch = try record.event().batch else { return }
            batches[batch.id] = RunningBatch(batch: batch, isStale: false)
            batchToCome = batch.id
        case .batchFinished: try finishBatch(record, at: moment)
        }
    }

    private mutating func start(_ record: EventRecord, at now: Duration) {
        guard let id = record.taskID else { return }
        let isDismissed = dismissed.remove(id) != nil || attempts[id]?.isDismissed == true
        attempts[id] = RunningAttempt(startedAt: now, record: record)
        attempts[id]?.isDismissed = isDismissed
        ripe.remove(id)
        young.append((id, now))
    }

    /// Takes in the newest progress of running tasks.
    mutating func take(_ updates: [ProgressUpdate], at now: Duration) {
        for update in updates where attempts[update.task.id] != nil {
            attempts[update.task.id]?.update(update, at: now)
        }
        // What is not shown yet changes nothing on the screen.
        if !ripe.isEmpty || !batches.isEmpty { isProgressStale = true }
    }

    private mutating func stop(_ id: TaskID?) {
        guard let id, attempts.removeValue(forKey: id) != nil else { return }
        ripe.remove(id)
        isProgressStale = true
    }

    private mutating func pause(_ record: EventRecord, at moment: Moment) throws {
        guard let id = record.taskID else { return }
        let isShown = visible.contains(.task(id)) && attempts[id]?.isDismissed == false
        guard isShown, let event = try? record.event(), let task = event.task else {
            if attempts[id]?.isDismissed == true { dismissed.insert(id) }
            return stop(id)
        }
        attempts[id]?.pause = RunningAttempt.Pause(error: event.draft.error?.message)
        attempts[id]?.task = task
        isProgressStale = true
    }

    private mutating func end(_ record: EventRecord, at moment: Moment) throws {
        let event = try record.event()
        guard let outcome = Outcome(event) else { return }
        let id = outcome.task.id
        stop(id)
        dismissed.remove(id)
        visible.remove(.task(id))
        if let batch = outcome.task.batchID { return note(outcome, of: batch, at: moment) }
        intake(outcome, at: moment)
    }

    private mutating func note(_ outcome: Outcome, of id: BatchID, at moment: Moment) {
        board.withdraw(.task(outcome.task.id))
        var batch = batches[id] ?? RunningBatch()
        batch.sample = batch.sample ?? outcome.task
        batch.isStale = true
        if batch.startedAt == nil { batch.startedAt = moment.now - (outcome.duration ?? .zero) }
        batches[id] = batch
        isProgressStale = true
    }

    // MARK: Batches

    /// Batches whose counts must be read before they can be shown.
    func batchesToRead() -> [BatchID] {
        guard configuration.showsProgress, !isQuiet else { return [] }
        return batches.compactMap { $0.value.isStale ? $0.key : nil }
    }

    /// What the store says of a batch now; nil when it is gone.
    ///
    /// One that is over is not shown any more, but known until its last event has come: that tells of the
    /// outcome, if the submitter wants to hear of it.
    mutating func learn(_ id: BatchID, _ batch: TaskBatch?) {
        batches[id]?.batch = batch.flatMap { $0.finished < $0.total ? $0 : nil }
        batches[id]?.isStale = false
        isProgressStale = true
    }

    private mutating func finishBatch(_ record: EventRecord, at moment: Moment) throws {
        let event = try record.event()
        guard let batch = event.batch else { return }
        let known = batches.removeValue(forKey: batch.id)
        visible.remove(.batch(batch.id))
        isProgressStale = true
        let duration = known?.startedAt.map { moment.now - $0 }
        let popup = writer.batchOutcome(batch, like: known?.sample, duration: duration, at: event.time)
        guard let popup else { return board.withdraw(.batch(batch.id)) }
        intake(batch, popup, happened: event.time, at: moment)
    }

    // MARK: Clicks and closings

    /// The person closed a popup, or its time was over.
    mutating func closed(_ key: PopupKey, _ stage: Popup.Stage, _ reason: CloseReason) {
        guard reason != .closedByCall else { return }
        if case .summary(let number) = key, number == burst?.number { burst?.isDismissed = true }
        guard stage == .progress else { return }
        visible.remove(key)
        switch key {
        case .task(let id): attempts[id]?.isDismissed = true
        case .batch(let id): batches[id]?.isDismissed = true
        case .running: isAggregateDismissed = true
        case .summary, .test: break
        }
        isProgressStale = true
    }

    // MARK: Time

    /// Brings the wishes up to date.
    mutating func refresh(at moment: Moment) {
        followQuietHours(moment)
        ripen(moment.now)
        if isRefreshDue(at: moment.now) {
            refreshedAt = moment.now
            isProgressStale = false
            refreshProgress(at: moment.now)
        }
        releaseHeld(at: moment)
    }

    func isRefreshDue(at now: Duration) -> Bool {
        isProgressStale && !isEnding && refreshedAt.map { now - $0 >= Self.refreshInterval } ?? true
    }

    /// No more progress is shown: the hub is about to end.
    mutating func stopProgress() { isEnding = true }

    /// When something happens by itself next; nil for never.
    func nextDue(after now: Duration) -> Duration? {
        let refresh =
            isProgressStale && !isEnding
            ? max(now, (refreshedAt ?? now - Self.refreshInterval) + Self.refreshInterval) : nil
        let ripening = young.first.map { $0.startedAt + configuration.progressDelay }
        let release = held.count > 0 && !isHolding ? max(now, heldUntil) : nil
        return [refresh, ripening, release, quietChange, board.nextDue(after: now)].compactMap { $0 }.min()
    }

    private mutating func ripen(_ now: Duration) {
        while let first = young.first, first.startedAt + configuration.progressDelay <= now {
            young.removeFirst()
            // Only the attempt that was put there: a later one of the same task has its own place.
            guard let attempt = attempts[first.id], attempt.startedAt == first.startedAt, attempt.pause == nil
            else { continue }
            if attempt.task == nil { attempts[first.id]?.task = try? attempt.record?.event().task }
            attempts[first.id]?.record = nil
            guard let task = attempts[first.id]?.task else { continue }
            if let batch = task.batchID { adopt(batch, task, startedAt: first.startedAt) }
            ripe.insert(first.id)
            isProgressStale = true
        }
    }

    /// A batch that was there before this hub began.
    private mutating func adopt(_ id: BatchID, _ task: TaskSummary, startedAt: Duration) {
        if batches[id] == nil { batches[id] = RunningBatch(sample: task) }
        if batches[id]?.startedAt == nil { batches[id]?.startedAt = startedAt }
    }

    private mutating func followQuietHours(_ moment: Moment) {
        guard let hours = configuration.quietHours, !hours.isEmpty else { return }
        let wasQuiet = isQuiet
        if !isQuietKnown(at: moment.wall) {
            isQuiet = hours.contains(moment.wall)
            quietKnown = (moment.wall, hours.nextChange(after: moment.wall))
        }
        quietKnown?.from = moment.wall
        let change = quietKnown?.until.map { moment.now + max($0.since(moment.wall), .seconds(1)) }
        // The two clocks drift apart by little, which is no reason to set another timer.
        let isNear = change.flatMap { change in quietChange.map { abs(change, $0) < .seconds(2) } } ?? false
        if !isNear || quietChange.map({ $0 <= moment.now }) ?? true { quietChange = change }
        if isQuiet != wasQuiet { isProgressStale = true }
    }

    /// Whether nothing has changed since this was looked up. The wall clock decides, as it alone goes on
    /// while the machine sleeps; and it may be set, forward or back.
    private func isQuietKnown(at wall: Timestamp) -> Bool {
        guard let quietKnown, quietKnown.from <= wall else { return false }
        return quietKnown.until.map { wall < $0 } ?? true
    }

    private func abs(_ one: Duration, _ other: Duration) -> Duration { max(one, other) - min(one, other) }
}
