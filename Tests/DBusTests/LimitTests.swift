// What is too large or cannot be is refused here, and the connection goes on.

import BusTesting
import DBus
import Testing

@Suite("Limits", .timeLimit(.minutes(1)))
struct LimitTests {
    @Test("a message that is too large is refused before it is sent, and the connection stays")
    func tooLarge() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("s")])
        let text = DBusValue.string(String(repeating: "x", count: 128 << 20))
        let error = try await dbusError { try await pair.call("Echo", [text]) }
        #expect(error.name == DBusError.limitsExceeded)
        #expect(throws: DBusError.self) { try pair.client.emit(.example("Large", [text])) }
        #expect(throws: DBusError.self) { try pair.client.send(pair.makeCall("Echo", [text])) }
        #expect(try await pair.call("Echo", [.string("small")]) == [.string("small")])
    }

    @Test("a message of 20 MB passes both ways")
    func large() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("s")])
        let text = DBusValue.string(String(repeating: "x", count: 20_000_000))
        #expect(try await pair.call("Echo", [text]) == [text])
    }

    @Test("names and values that cannot be are refused by every way of sending")
    func badInput() async throws {
        let pair = try await Pair()
        let good = pair.makeCall("Echo")
        let changes: [(inout DBusMethodCall) -> Void] = [
            { $0.destination = "x" }, { $0.path = "x" }, { $0.interface = "x" }, { $0.member = "x.y" },
            { $0.arguments = [.string("\0")] }, { $0.path = "/org/freedesktop/DBus/Local" },
            { $0.interface = "org.freedesktop.DBus.Local" },
        ]
        for change in changes {
            var call = good
            change(&call)
            let bad = call
            await #expect(throws: DBusError.self) { try await pair.client.call(bad) }
            #expect(throws: DBusError.self) { try pair.client.send(bad) }
        }
        for signal in [
            DBusSignal(path: "", interface: "a.b", member: "M"),
            DBusSignal(path: "/", interface: "", member: "M"),
            DBusSignal(path: "/", interface: "a.b", member: ""),
        ] {
            #expect(throws: DBusError.self) { try pair.client.emit(signal) }
        }
        #expect(throws: DBusError.self) { try pair.client.emit(.example("M"), to: "nobody") }
        #expect(pair.client.isOpen)
    }
}
