// What becomes of outcomes: a popup each, one for a burst of them, or a place in a report.

import BelfryCore

/// Outcomes that come too fast to be shown one by one.
struct Burst {
    var number: Int
    var tally = OutcomeTally()
    var lastAt: Duration
    /// The person has closed its popup: the rest of it is not shown.
    var isDismissed = false
}

extension PopupPlanner {
    /// Outcomes within this time are counted together.
    static let burstWindow = Duration.seconds(2)
    /// A burst is over after this long without an outcome.
    static let burstEnd = Duration.seconds(5)
    /// A report waits for what comes right behind.
    static let reportDelay = Duration.seconds(1)
    /// Summaries whose buttons still act.
    static let rememberedSummaries = 20

    /// Popups do not reach anybody now, or should not.
    var isHolding: Bool { isQuiet || !board.server.isReachable }

    mutating func intake(_ outcome: Outcome, at moment: Moment) {
        let key = PopupKey.task(outcome.task.id)
        guard let popup = writer.outcome(outcome) else { return board.withdraw(key) }
        let isStale = moment.wall.since(outcome.time) > Self.staleAge
        if isHolding || isStale {
            board.withdraw(key)
            held.add(outcome)
            heldUntil = isStale ? moment.now + Self.reportDelay : moment.now
        } else if popup.urgency == .critical {
            board.show(popup, for: key)
        } else if !joinBurst(at: moment.now, leaving: key, { $0.add(outcome) }) {
            recent.append((key, outcome, moment.now))
            board.show(popup, for: key)
        }
    }

    /// A batch is one outcome, however many tasks it had.
    mutating func intake(_ batch: TaskBatch, _ popup: Popup, happened: Timestamp, at moment: Moment) {
        let isStale = moment.wall.since(happened) > Self.staleAge
        if isHolding || isStale {
            board.withdraw(.batch(batch.id))
            held.add(batch)
            heldUntil = isStale ? moment.now + Self.reportDelay : moment.now
        } else {
            board.show(popup, for: .batch(batch.id))
        }
    }

    /// Adds to the burst that is on, or begins one when there have been too many.
    private mutating func joinBurst(
        at now: Duration,
        leaving key: PopupKey,
        _ add: (inout OutcomeTally) -> Void
    ) -> Bool {
        if let current = burst, now - current.lastAt > Self.burstEnd { burst = nil }
        recent.removeAll { now - $0.at > Self.burstWindow }
        if burst == nil {
            guard recent.count >= configuration.summaryAbove else { return false }
            lastSummary += 1
            burst = Burst(number: lastSummary, lastAt: now)
            for (key, outcome, _) in recent {
                board.withdraw(key)
                burst?.tally.add(outcome)
            }
            recent = []
        }
        guard var current = burst else { return false }
        add(&current.tally)
        current.lastAt = now
        burst = current
        board.withdraw(key)
        if !current.isDismissed { show(current.tally, number: current.number, isReport: false) }
        return true
    }

    /// Ends the time of holding back with one popup: the outcome itself when it is only one.
    mutating func releaseHeld(at moment: Moment) {
        guard held.count > 0, !isHolding, moment.now >= heldUntil else { return }
        let tally = held
        held = OutcomeTally()
        if let outcome = tally.single, let popup = writer.outcome(outcome) {
            return board.show(popup, for: .task(outcome.task.id))
        }
        lastSummary += 1
        show(tally, number: lastSummary, isReport: true)
    }

    private mutating func show(_ tally: OutcomeTally, number: Int, isReport: Bool) {
        tallies[number] = tally
        tallies[number - Self.rememberedSummaries] = nil
        board.show(writer.summary(tally, number: number, isReport: isReport), for: .summary(number))
    }
}
