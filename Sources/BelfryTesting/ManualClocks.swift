// Clocks whose hands a test turns. Nothing waits for them: a test that needs an hour to pass says so.

public import BelfryCore
import Synchronization

/// A time of day that stands still until it is told to move.
public final class ManualWallClock: WallClock {
    private let time: Mutex<Timestamp>

    /// - Parameter start: defaults to 2026-01-01T00:00:00.000Z.
    public init(_ start: Timestamp = Timestamp(milliseconds: 1_767_225_600_000)) { time = Mutex(start) }

    public var now: Timestamp { time.withLock { $0 } }

    /// Moves on by `duration`, or back when it is negative: wall clocks do both.
    public func advance(by duration: Duration) { time.withLock { $0 = $0.adding(duration) } }
}

/// A lease clock that stands still until it is told to move, and a boot that can be another one.
public final class ManualLeaseClock: LeaseClock {
    private let state: Mutex<(bootID: String, now: Duration)>

    public init(bootID: String = "boot-1", now: Duration = .seconds(1000)) { state = Mutex((bootID, now)) }

    /// Set it to play a reboot: leases of another boot are void.
    public var bootID: String {
        get { state.withLock { $0.bootID } }
        set { state.withLock { $0.bootID = newValue } }
    }

    public var now: Duration { state.withLock { $0.now } }

    public func advance(by duration: Duration) { state.withLock { $0.now += duration } }
}
