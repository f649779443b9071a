// The life of a connection: opening, closing, loss.

import BusTesting
import DBus
import Glibc
import Testing

@Suite("Connections", .timeLimit(.minutes(1)))
struct ConnectionTests {
    @Test("where no bus is, opening is an error that says so")
    func noServer() async throws {
        let error = try await dbusError { try await DBusConnection.open(.at("unix:path=/nonexistent/bus")) }
        #expect(error.name == DBusError.noServer)
        #expect(error.message.contains("/nonexistent/bus"))
        for address in ["", "nonsense", "unix:", "foo:bar=1", "unix:path=/a\0b"] {
            await #expect(throws: DBusError.self) { try await DBusConnection.open(.at(address)) }
        }
    }

    @Test("a bus that is killed ends every call in flight, every sequence and every wait")
    func busKilled() async throws {
        let pair = try await Pair()
        let (entered, ended) = (Gate(), Gate())
        try pair.serve([
            DBusMethod("Wait") { _ in
                entered.open()
                await Gate().wait()
                ended.open()
                return []
            }
        ])
        let signals = try await pair.client.signals(DBusSignalRule(member: "Never"))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    let error = try? await dbusError { try await pair.call("Wait") }
                    #expect(error?.isDisconnect == true)
                }
            }
            group.addTask { for await _ in signals { Issue.record("a signal came") } }
            group.addTask { await pair.client.untilClosed() }
            group.addTask { await pair.server.untilClosed() }
            // Its handler is cancelled.
            group.addTask { await ended.wait() }
            await entered.wait()
            pair.bus.kill()
        }
        #expect(!pair.client.isOpen)
        let error = try await dbusError { try await pair.call("Wait") }
        #expect(error.isDisconnect)
        #expect(throws: DBusError.self) { try pair.client.emit(.example("Late")) }
        #expect(throws: DBusError.self) { try pair.client.send(pair.makeCall("Wait")) }
        await #expect(throws: DBusError.self) {
            try await pair.client.signals(DBusSignalRule(member: "Late"))
        }
        await pair.client.flush()
        await pair.client.close()
    }

    @Test("closing writes what was sent, then fails what waits")
    func close() async throws {
        let pair = try await Pair()
        let entered = Gate()
        try pair.serve([.gated(entered, Gate())])
        let signals = try await pair.server.signals(DBusSignalRule(member: "Last"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let error = try await dbusError { try await pair.call("Wait") }
                #expect(error.isDisconnect)
            }
            await entered.wait()
            for number in 0..<UInt32(1000) { try pair.client.emit(.example("Last", [.uint32(number)])) }
            await pair.client.close()
            try await group.waitForAll()
        }
        let numbers = await signals.prefix(1000).reduce(into: []) { $0.append($1.arguments[0].uint32Value) }
        #expect(numbers == Array(0..<1000))
        #expect(pair.server.isOpen)
    }

    @Test("flushing returns when everything is written")
    func flush() async throws {
        let pair = try await Pair()
        let signals = try await pair.server.signals(DBusSignalRule(member: "Big"))
        let text = String(repeating: "x", count: 100_000)
        for _ in 0..<50 { try pair.client.emit(.example("Big", [.string(text)])) }
        await pair.client.flush()
        let sizes = await signals.prefix(50).reduce(into: []) {
            $0.append($1.arguments[0].stringValue?.utf8.count)
        }
        #expect(sizes == Array(repeating: 100_000, count: 50))
    }

    @Test("a connection that nobody holds any more leaves the bus")
    func release() async throws {
        let pair = try await Pair()
        var third: DBusConnection? = try await DBusConnection.open(pair.bus.address)
        let name = third?.uniqueName ?? ""
        let changes = try await pair.client.signals(
            DBusSignalRule(sender: "org.freedesktop.DBus", member: "NameOwnerChanged", argument0: name)
        )
        third = nil
        #expect(await changes.first { _ in true }?.arguments[2] == .string(""))
    }

    @Test("a bus that says nothing is given up after the timeout, or when the task is cancelled")
    func silentBus() async throws {
        let listener = try RawBus()
        let error = try await dbusError {
            try await DBusConnection.open(.at(listener.address), timeout: .milliseconds(30))
        }
        #expect(error.name == DBusError.timedOut)
        await withThrowingTaskGroup(of: DBusConnection.self) { group in
            group.addTask { try await DBusConnection.open(.at(listener.address)) }
            group.cancelAll()
            await #expect(throws: CancellationError.self) { try await group.next() }
        }
    }

    @Test("an attempt that was given up hangs up at once, not when the bus should have answered")
    func abandonedAttempt() async throws {
        let listener = try RawBus()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: CancellationError.self) {
                    _ = try await DBusConnection.open(.at(listener.address), timeout: .seconds(100_000))
                }
            }
            await listener.listenUntilHungUp { group.cancelAll() }
        }
    }

    @Test("a peer that sends nonsense loses us; the call in flight fails", arguments: RawBus.nonsense)
    func nonsense(_ nonsense: RawBus.Nonsense) async throws {
        let listener = try RawBus()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.serve(afterHello: nonsense.bytes) }
            group.addTask {
                let connection = try await DBusConnection.open(.at(listener.address), timeout: .seconds(50))
                #expect(connection.uniqueName == ":1.7")
                let error = try await dbusError { try await connection.owner(of: "a.b") }
                #expect(error.isDisconnect)
                await connection.untilClosed()
            }
            try await group.waitForAll()
        }
    }
}
