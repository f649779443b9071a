// Whether an observer crashes by itself or from one event. What only ever sees the crash cannot know: the event is
// put aside, and how the next one goes is the proof.

import BelfryCore

/// Counts the crashes of an observer, and says what is to be done about each.
struct CrashJudge: Sendable {
    enum Verdict: Sendable, Hashable {
        /// Start it again, but not before this time.
        case restart(notBefore: Duration)
        /// This event crashes it: go on without, but not before this time.
        case poison(Int64, notBefore: Duration)
        /// It crashes whatever it is given. The event that was put aside for the last crashes is not at fault.
        case quarantine(acquitting: Int64?)
    }

    private var policy: RestartPolicy
    /// What it had in its hands at the last crash, and how many crashes in a row may be the fault of the same event.
    private var suspects: (positions: [Int64], crashes: Int)?
    /// Put aside, and nothing was answered since.
    private var putAside: Int64?

    /// Whether it is to have one event at a time, whatever its window: a crash shall tell which event it had.
    private(set) var isWary = false

    init(_ restart: PluginManifest.Restart) { policy = RestartPolicy(restart) }

    /// Notes that it answered an event: so it does work.
    mutating func answered() { putAside = nil }

    /// Notes that everything it was given is done.
    mutating func caughtUp() { isWary = false }

    /// Notes a crash.
    ///
    /// - Parameters:
    ///   - now: on a clock that only goes forward, such as ``LeaseClock``.
    ///   - positions: the events in its hands that it had not answered.
    /// - Returns: `poison` for the crash that makes `restart.max` in a row with the same event within the window;
    ///   `quarantine` for the one that makes `restart.max` within the window with different events, with none, or with an event after
    ///   another was put aside and before anything was answered.
    mutating func crashed(at now: Duration, with positions: [Int64]) -> Verdict {
        isWary = true
        let verdict = policy.crashed(at: now)
        // Only what also counts as a row of crashes: one that hangs, as when the other end is away, gets its events
        // in order once it works again, however long that takes.
        let crashes = min(note(positions), policy.recentCrashes(at: now))
        if putAside == nil, policy.restart.max > 1, positions.count == 1, let position = positions.first {
            if crashes >= policy.restart.max { return poison(position, at: now) }
            // The event is to have all of its tries.
            if verdict == .quarantine, crashes > 1 { return .restart(notBefore: now + policy.delay) }
        }
        switch verdict {
        case .restart(let notBefore): return .restart(notBefore: notBefore)
        case .quarantine: return .quarantine(acquitting: putAside)
        }
    }

    /// - Returns: how many crashes in a row may be the fault of the same event.
    private mutating func note(_ positions: [Int64]) -> Int {
        let isSame = suspects.map { last in positions.contains { last.positions.contains($0) } } ?? false
        let crashes = isSame ? (suspects?.crashes ?? 0) + 1 : 1
        suspects = (positions, crashes)
        return crashes
    }

    private mutating func poison(_ position: Int64, at now: Duration) -> Verdict {
        (putAside, suspects) = (position, nil)
        policy.forgive()
        return .poison(position, notBefore: now + RestartPolicy.initialDelay)
    }
}
