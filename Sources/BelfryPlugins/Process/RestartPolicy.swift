// When a plugin that crashed is started again, and when no more. A value that is told the time, so that a test
// plays an hour of crashes in none.

/// Counts the crashes of a plugin that stays, and says what is to be done about each.
struct RestartPolicy: Sendable {
    enum Verdict: Sendable, Hashable {
        /// Start it again, but not before this time.
        case restart(notBefore: Duration)
        /// It crashed too often: somebody has to look at it.
        case quarantine
    }

    /// The wait after the first crash; each further one within the window doubles it.
    static let initialDelay = Duration.seconds(1)
    static let longestDelay = Duration.seconds(30)

    let restart: PluginManifest.Restart
    private var crashes: [Duration] = []

    init(_ restart: PluginManifest.Restart) { self.restart = restart }

    /// Crashes that still count at `now`.
    func recentCrashes(at now: Duration) -> Int { crashes.count { now - $0 < restart.window } }

    /// Notes a crash.
    ///
    /// - Parameter now: on a clock that only goes forward, such as ``LeaseClock``.
    /// - Returns: quarantine for the crash that makes `restart.max` within the window; a `max` of 0 or 1 means that
    ///   it is never started again.
    mutating func crashed(at now: Duration) -> Verdict {
        crashes.removeAll { now - $0 >= restart.window }
        crashes.append(now)
        return crashes.count < restart.max ? .restart(notBefore: now + delay) : .quarantine
    }

    /// The wait after the last crash.
    var delay: Duration {
        min(Self.initialDelay * (1 << min(max(crashes.count - 1, 0), 10)), Self.longestDelay)
    }

    /// Forgets all crashes: somebody looked at it, or it is another version.
    mutating func forgive() { crashes = [] }
}
