// The table of calls by itself: what is kept of calls that nobody waits for.

import Testing

@testable import DBus

@Suite("Table of calls", .timeLimit(.minutes(1)))
struct CallTableTests {
    private func call(_ serial: UInt32, deadline: UInt64 = .max) throws -> PendingCall {
        var method = DBusMethodCall(destination: "a.b", path: "/", interface: "a.b", member: "M")
        method.onLateReply = { _ in }
        let message = try OutgoingMessage.call(method, wantsAnswer: true).encoded()
        let call = PendingCall(method, message, timeout: .seconds(1))
        call.serial = serial
        call.deadline = deadline
        return call
    }

    @Test("of calls that may be answered late, the youngest 1,024 are remembered")
    func late() throws {
        var table = CallTable()
        let most = UInt32(CallTable.mostLate)
        for serial in 1...most + 10 {
            table.insert(try call(serial))
            _ = table.abandon(serial)
        }
        #expect(table.isEmpty)
        for serial in 1...UInt32(10) { #expect(table.removeLate(serial) == nil) }
        for serial in 11...most + 10 { #expect(table.removeLate(serial) != nil) }
        #expect(table.removeLate(11) == nil)
    }

    @Test("the calls whose time is up come out in the order of their times, with the next time of the others")
    func expiry() throws {
        var table = CallTable()
        for (serial, deadline) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
            table.insert(try call(UInt32(serial), deadline: UInt64(deadline)))
        }
        let (expired, next) = table.expire(at: 25)
        #expect(expired.map(\.serial) == [2, 3])
        #expect(next == 30)
        #expect(table.remove(2) == nil)
        #expect(table.removeAll().map(\.serial) == [1, 4])
    }
}
