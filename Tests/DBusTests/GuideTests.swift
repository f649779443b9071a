// The examples of Sources/DBus/DBus.md, run; the last test holds them against the page, line by line.

import BusTesting
import DBus
import FoundationEssentials
import Testing

@Suite("The module's page", .timeLimit(.minutes(1)))
struct GuideTests {
    @Test("a call is answered")
    func call() async throws {
        let bus = try await PrivateBus()
        let connection = try await DBusConnection.open(bus.address)
        let names = try await connection.call(
            DBusMethodCall(
                destination: "org.freedesktop.DBus",
                path: "/org/freedesktop/DBus",
                interface: "org.freedesktop.DBus",
                member: "ListNames",
                arguments: []
            )
        )
        for name in names[0].stringsValue ?? [] { print(name) }
        #expect(names[0].stringsValue?.contains(connection.uniqueName) == true)
    }

    @Test("signals of a name's owner arrive, and an exported object answers")
    func serving() async throws {
        let pair = try await Pair()
        let connection = pair.server
        let echo = DBusMethod("Echo", in: [DBusArgument("text", "s")], out: [DBusArgument("text", "s")]) {
            call in
            call.arguments
        }
        try connection.export(
            DBusObject(interfaces: [DBusInterface("org.example.Echo", methods: [echo])]),
            at: "/echo"
        )
        _ = try await connection.requestName("org.example.Echo")
        let answer = try await pair.client.call(
            DBusMethodCall(
                destination: "org.example.Echo",
                path: "/echo",
                interface: "org.example.Echo",
                member: "Echo",
                arguments: [.string("hello")]
            )
        )
        #expect(answer == [.string("hello")])
    }

    @Test("a rule for a server's signals can be asked for before there is a server")
    func listening() async throws {
        let bus = try await PrivateBus()
        let connection = try await DBusConnection.open(bus.address)
        let closed = try await connection.signals(
            DBusSignalRule(
                sender: "org.freedesktop.Notifications",
                interface: "org.freedesktop.Notifications",
                member: "NotificationClosed"
            )
        )
        await connection.close()
        for await signal in closed { print(signal.arguments) }
    }

    @Test("each line of the page's examples stands in this file")
    func page() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = try String(contentsOfFile: root + "/Sources/DBus/DBus.md", encoding: .utf8)
        let examples = page.split(separator: "```swift\n").dropFirst().map { $0.prefix { $0 != "`" } }
        #expect(examples.count == 3)
        func words(_ text: some StringProtocol) -> String {
            text.split(whereSeparator: \.isWhitespace).joined()
        }
        let here = words(try String(contentsOfFile: #filePath, encoding: .utf8))
        for line in examples.joined(separator: "\n").split(separator: "\n")
        where !line.contains("open(.session)") {
            #expect(here.contains(words(line)), "\(line)")
        }
    }
}
