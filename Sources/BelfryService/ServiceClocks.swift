// Time as the service uses it, in one value, so that a test hands over its own.

public import BelfryCore

/// The clocks of a hub, and how it sleeps.
public struct Clocks: Sendable {
    public var wall: any WallClock
    public var lease: any LeaseClock
    /// Sleeps; throws `CancellationError` when cancelled.
    public var sleep: @Sendable (Duration) async throws -> Void
    /// A random number in 0..<1, for jitter.
    public var random: @Sendable () -> Double

    public init(
        wall: any WallClock = SystemWallClock(),
        lease: any LeaseClock = SystemLeaseClock(),
        sleep: @escaping @Sendable (Duration) async throws -> Void = {
            try await ContinuousClock().sleep(for: $0)
        },
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.wall = wall
        self.lease = lease
        self.sleep = sleep
        self.random = random
    }
}

enum Backoff {
    /// 0.1 s, 0.2 s, 0.4 s … up to `limit`.
    static func delay(_ failures: Int, upTo limit: Duration) -> Duration {
        min(.milliseconds(100 << min(max(failures - 1, 0), 16)), limit)
    }
}
