// What an error on the bus means for a popup.

import DBus
import Testing

@testable import BelfryDesktop

@Suite("Errors of servers")
struct NotifyErrorTests {
    private func failure(_ name: String, isWatched: Bool = true) -> NotifyFailure {
        NotifyError(DBusError(name: name, message: "No."), isOwnerWatched: isWatched).failure
    }

    @Test("what is only slow, full or gone is told from what refuses")
    func kinds() {
        #expect(failure(DBusError.noReply) == .timedOut)
        #expect(failure(DBusError.timedOut) == .timedOut)
        #expect(failure("org.freedesktop.Notifications.Error.ExcessNotificationGeneration") == .excess)
        #expect(failure(DBusError.disconnected, isWatched: false) == .gone)
        #expect(failure(DBusError.failed) == .refused("No."))
        #expect(NotifyError(CancellationError(), isOwnerWatched: true).failure == .gone)
    }

    @Test(
        "a server whose coming nobody would tell of is not asked again and again",
        arguments: [DBusError.serviceUnknown, DBusError.nameHasNoOwner]
    )
    func unowned(name: String) {
        #expect(failure(name) == .gone)
        #expect(failure(name, isWatched: false) == .refused("No."))
    }
}
