// Time, injected: tests and the simulation turn the hands themselves.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The time of day.
public protocol WallClock: Sendable {
    var now: Timestamp { get }
}

/// The clock that leases are counted on: stops while the machine sleeps, starts anew at boot.
public protocol LeaseClock: Sendable {
    /// Names the boot, so that a lease from before a reboot is known to be void.
    var bootID: String { get }
    var now: Duration { get }
}

/// The system's own clocks.
public struct SystemWallClock: WallClock {
    public init() {}

    public var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// `CLOCK_MONOTONIC`, which Linux stops during suspend, and the kernel's boot id.
public struct SystemLeaseClock: LeaseClock {
    public let bootID: String

    public init() {
        let kernelID = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        bootID = kernelID.map { String($0.prefix { $0 != "\n" }) } ?? "unknown-boot"
    }

    public var now: Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}

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
