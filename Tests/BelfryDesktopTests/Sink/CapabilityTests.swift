// What a server can do may change while it runs, as xfce's does with Do-Not-Disturb.

import BelfryCore
import BusTesting
import DBus
import DesktopTesting
import Logging
import Synchronization
import Testing

@testable import BelfryDesktop

@Suite("What the server can do", .timeLimit(.minutes(1)))
struct CapabilityTests {
    private final class HandClock: LeaseClock {
        let bootID = "boot"
        private let time = Mutex(Duration.seconds(1000))
        var now: Duration { time.withLock { $0 } }
        func advance(by duration: Duration) { time.withLock { $0 += duration } }
    }

    @Test("28. what the server can do is asked again now and then, and not for every popup")
    func nowAndThen() async throws {
        let bus = try await PrivateBus()
        let faulty = try await FaultyNotificationServer.open(on: bus.address)
        let clock = HandClock()
        let server = FreedesktopServer(
            try await DBusConnection.open(bus.address),
            timeout: .seconds(10),
            clock: clock,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            for await _ in server.signals { break }
            for percent in 1...20 { try await notify(.progress(percent), server) }
            #expect(faulty.count(of: .getCapabilities) == 1)
            faulty.capabilities = ["body"]
            clock.advance(by: FreedesktopServer.capabilityAge)
            try await notify(.progress(21), server)
            #expect(faulty.count(of: .getCapabilities) == 2)
            #expect(faulty.notifications.last?.actions.isEmpty == true)
            group.cancelAll()
        }
        await faulty.vanish()
    }

    private func notify(_ popup: Popup, _ server: FreedesktopServer) async throws {
        _ = try await server.notify(popup, replacing: 0, generation: 1, late: { _ in })
    }
}
