// Whether it makes sense to ask the server now: it may be absent, starting, or hung.

/// What is known of the server's health.
struct ServerCondition {
    /// How often it is tried to start a server that could not be started: programs get installed.
    static let startRetry = Duration.seconds(600)

    private(set) var epoch = 0
    private(set) var isConnected = false
    private(set) var isPresent = false
    private var isStarting = false
    private var couldNotStart = false
    private var failures = 0
    private var closedUntil = Duration.zero

    /// Whether popups reach a person now, as far as is known.
    var isReachable: Bool { isConnected && (isPresent || !couldNotStart) && !isHung }

    /// Whether it has been asked several times and said nothing.
    var isHung: Bool { failures >= 3 }

    /// A server in doubt is asked with one popup at a time.
    func maySend(at now: Duration, inFlight: Int) -> Bool {
        isConnected && isPresent && closedUntil <= now && (inFlight == 0 || failures == 0)
    }

    func mayStart(at now: Duration) -> Bool { isConnected && !isPresent && !isStarting && closedUntil <= now }

    /// When ``maySend(at:inFlight:)`` or ``mayStart(at:)`` becomes true by itself; nil when something must
    /// happen first.
    func nextOpening(inFlight: Int) -> Duration? {
        guard isConnected, isPresent ? inFlight == 0 || failures == 0 : !isStarting else { return nil }
        return closedUntil
    }

    mutating func changed(isPresent: Bool) {
        self = ServerCondition(epoch: epoch + 1, isConnected: true, isPresent: isPresent)
    }

    mutating func disconnected() { self = ServerCondition(epoch: epoch + 1) }

    mutating func answered() {
        failures = 0
        closedUntil = .zero
    }

    /// 1 s, 2 s, 4 s … 30 s until the next try.
    mutating func timedOut(at now: Duration) {
        failures += 1
        closedUntil = now + min(.seconds(1 << min(failures - 1, 5)), .seconds(30))
    }

    mutating func starting() { isStarting = true }

    /// Its coming by itself is signalled, maybe before this is known.
    mutating func couldNotStart(at now: Duration) {
        guard isConnected, !isPresent else { return }
        isStarting = false
        couldNotStart = true
        closedUntil = now + Self.startRetry
    }
}
