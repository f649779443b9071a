// Signals: what is promised about order, loss, senders and rules.

import BusTesting
import DBus
import Testing

@Suite("Signals", .timeLimit(.minutes(1)))
struct SignalTests {
    private static let name = "org.example.Service"

    @Test("a signal arrives with its sender, names and arguments")
    func arrives() async throws {
        let pair = try await Pair()
        let signals = try await pair.client.signals(DBusSignalRule(interface: Pair.interface, member: "Done"))
        try pair.server.emit(.example("Other"))
        try pair.server.emit(.example("Done", [.uint32(1), .properties([("k", .byte(2))])]))
        var expected = DBusSignal.example("Done", [.uint32(1), .properties([("k", .byte(2))])])
        expected.sender = pair.server.uniqueName
        #expect(await signals.first { _ in true } == expected)
    }

    @Test("a signal sent just before the answer is there when the answer is")
    func beforeAnswer() async throws {
        let pair = try await Pair()
        let server = pair.server
        try pair.serve([
            DBusMethod("Poke", in: [DBusArgument("n", "u")]) { call in
                try server.emit(.example("Poked", call.arguments))
                return []
            }
        ])
        let signals = try await pair.client.signals(
            DBusSignalRule(sender: pair.server.uniqueName, member: "Poked")
        )
        for number in 0..<UInt32(500) { _ = try await pair.call("Poke", [.uint32(number)]) }
        // Nothing is waited for: all of them came before the last answer.
        signals.cancel()
        let numbers = await signals.reduce(into: []) { $0.append($1.arguments[0].uint32Value) }
        #expect(numbers == Array(0..<500))
        server.unexport(Pair.path)
    }

    @Test("a rule takes only what matches each of its parts")
    func rules() async throws {
        let pair = try await Pair()
        let rules = [
            DBusSignalRule(path: "/other"), DBusSignalRule(interface: "org.example.Other"),
            DBusSignalRule(member: "Other"),
            DBusSignalRule(interface: Pair.interface, argument0: "it's, 'this'"),
        ]
        var listeners: [DBusSignals] = []
        for rule in rules { listeners.append(try await pair.client.signals(rule)) }
        var elsewhere = DBusSignal.example("Same", [.string("path")])
        elsewhere.path = "/other"
        var foreign = DBusSignal.example("Same", [.string("interface")])
        foreign.interface = "org.example.Other"
        let all = [
            elsewhere, foreign, .example("Other", [.string("member")]),
            .example("Same", [.string("it's, 'this'")]),
            .example("Same", [.objectPath("/not/a/string")]), .example("Same"),
        ]
        for signal in all { try pair.server.emit(signal) }
        try await barrier(pair)
        let texts = ["path", "interface", "member", "it's, 'this'"]
        for (listener, text) in zip(listeners, texts) {
            listener.cancel()
            let taken = await listener.reduce(into: []) { $0.append($1.arguments.first?.stringValue) }
            #expect(taken == [text])
        }
    }

    @Test("a signal of somebody who is not the owner of the name is dropped")
    func spoof() async throws {
        let pair = try await Pair()
        try await pair.server.requestName(Self.name)
        let spoofer = try await DBusConnection.open(pair.bus.address)
        let signals = try await pair.client.signals(DBusSignalRule(sender: Self.name))
        // Straight to the client, too: that comes through without any match rule.
        try spoofer.emit(.example("False"))
        try spoofer.emit(.example("False"), to: pair.client.uniqueName)
        await spoofer.close()
        try pair.server.emit(.example("True"))
        #expect(await signals.first { _ in true }?.member == "True")
    }

    @Test("when a name goes to another owner, its signals do too, from that moment on")
    func handover() async throws {
        let pair = try await Pair()
        let heir = try await DBusConnection.open(pair.bus.address)
        try await pair.server.requestName(Self.name, flags: .allowReplacement)
        let signals = try await pair.client.signals(DBusSignalRule(sender: Self.name))
        try heir.emit(.example("TooEarly"))
        try pair.server.emit(.example("First"))
        try await barrier(pair)
        #expect(try await heir.requestName(Self.name, flags: [.replaceExisting, .doNotQueue]))
        try pair.server.emit(.example("TooLate"))
        try await barrier(pair)
        try heir.emit(.example("Second"))
        try await heir.releaseName(Self.name)
        try heir.emit(.example("WithoutName"))
        await heir.close()
        try pair.server.emit(.example("Third"))
        try await barrier(pair)
        signals.cancel()
        // The old owner waited in the queue and has the name again.
        #expect(await signals.reduce(into: []) { $0.append($1.member) } == ["First", "Second", "Third"])
    }

    @Test("a rule for a name without an owner waits for one")
    func ownerlessName() async throws {
        let pair = try await Pair()
        let signals = try await pair.client.signals(DBusSignalRule(sender: Self.name))
        try pair.server.emit(.example("TooEarly"))
        try await pair.server.requestName(Self.name)
        try pair.server.emit(.example("Now"))
        #expect(await signals.first { _ in true }?.member == "Now")
    }

    @Test("two rules for one name follow its owner until the last one ends")
    func sharedName() async throws {
        let pair = try await Pair()
        try await pair.server.requestName(Self.name)
        let first = try await pair.client.signals(DBusSignalRule(sender: Self.name, member: "A"))
        var second: DBusSignals? = try await pair.client.signals(
            DBusSignalRule(sender: Self.name, member: "B")
        )
        try pair.server.emit(.example("B"))
        #expect(await second?.first { _ in true }?.member == "B")
        second = nil
        let heir = try await DBusConnection.open(pair.bus.address)
        try await pair.server.releaseName(Self.name)
        try await heir.requestName(Self.name)
        try heir.emit(.example("A"))
        #expect(await first.first { _ in true }?.sender == heir.uniqueName)
    }

    @Test("the rule is gone from the bus with the last copy of the sequence")
    func removal() async throws {
        let pair = try await Pair()
        let text = "type='signal',member='Gone'"
        func remove() async throws -> [DBusValue] {
            let call = DBusMethodCall(
                destination: "org.freedesktop.DBus",
                path: "/org/freedesktop/DBus",
                interface: "org.freedesktop.DBus",
                member: "RemoveMatch",
                arguments: [.string(text)]
            )
            return try await pair.client.call(call)
        }
        var signals: DBusSignals? = try await pair.client.signals(DBusSignalRule(member: "Gone"))
        var iterator = signals?.makeAsyncIterator()
        signals = nil
        // An iterator holds it, so the rule is still there to be removed (by the test).
        _ = try await remove()
        _ = iterator
        iterator = nil
        let again = try await pair.client.signals(DBusSignalRule(member: "Gone"))
        again.cancel()
        let error = try await dbusError { try await remove() }
        #expect(error.name == "org.freedesktop.DBus.Error.MatchRuleNotFound")
    }

    @Test("a listener that is slow loses the oldest signals and is told how many")
    func limit() async throws {
        let pair = try await Pair()
        let signals = try await pair.client.signals(DBusSignalRule(member: "Tick"), limit: 10)
        for number in 0..<UInt32(100) { try pair.server.emit(.example("Tick", [.uint32(number)])) }
        try await barrier(pair)
        #expect(signals.dropped == 90)
        signals.cancel()
        let numbers = await signals.reduce(into: []) { $0.append($1.arguments[0].uint32Value) }
        #expect(numbers == Array(90..<100))
    }

    @Test("listening in a task that is cancelled before, or at that moment, is told so once")
    func cancelledListening() async throws {
        let bus = try await PrivateBus()
        let connection = try await DBusConnection.open(bus.address)
        for _ in 0..<500 {
            await withDiscardingTaskGroup { group in
                group.cancelAll()
                group.addTask {
                    await #expect(throws: CancellationError.self) {
                        _ = try await connection.signals(DBusSignalRule(interface: "a.b"))
                    }
                }
                group.addTask { _ = try? await connection.signals(DBusSignalRule(interface: "c.d")) }
            }
        }
        await connection.close()
    }

    @Test("cancelling the task ends the iteration")
    func cancellation() async throws {
        let pair = try await Pair()
        let signals = try await pair.client.signals(DBusSignalRule(member: "Never"))
        let count = await withTaskGroup(of: Int.self) { group in
            group.addTask { await signals.reduce(into: 0) { count, _ in count += 1 } }
            group.cancelAll()
            return await group.next()
        }
        #expect(count == 0)
        try pair.server.emit(.example("Never"))
        #expect(await signals.first { _ in true }?.member == "Never")
    }

    @Test("a rule that the bus or the specification does not allow is an error")
    func badRules() async throws {
        let pair = try await Pair()
        let rules = [
            DBusSignalRule(sender: "nodot"), DBusSignalRule(path: "no/slash"), DBusSignalRule(interface: "x"),
            DBusSignalRule(member: "a.b"), DBusSignalRule(argument0: "\0"),
            DBusSignalRule(argument0: String(repeating: "x", count: 5000)),
        ]
        for rule in rules { await #expect(throws: DBusError.self) { try await pair.client.signals(rule) } }
        #expect(pair.client.isOpen)
    }

    @Test("a rule that the bus refuses leaves the same rule of another listener alone")
    func refusedRule() async throws {
        let bus = try await PrivateBus(
            configuration: "<limit name=\"max_match_rules_per_connection\">4</limit>"
        )
        let server = try await DBusConnection.open(bus.address)
        let client = try await DBusConnection.open(bus.address)
        try await server.requestName(Self.name)
        let rule = DBusSignalRule(sender: Self.name, member: "Wanted")
        // Three of four rules: what follows an owner is one, too.
        let first = try await client.signals(rule)
        let other = try await client.signals(DBusSignalRule(member: "Other"))
        let error = try await dbusError { try await client.signals(rule) }
        #expect(error.name == DBusError.limitsExceeded)
        // What was said after the refusal has reached the bus, then the signal, then it has come back.
        _ = try await client.owner(of: Self.name)
        try server.emit(.example("Wanted"))
        _ = try await server.owner(of: Self.name)
        _ = try await client.owner(of: Self.name)
        first.cancel()
        #expect(await first.reduce(into: 0) { count, _ in count += 1 } == 1)
        other.cancel()
    }

    /// Returns when the client has everything that the server has sent so far.
    private func barrier(_ pair: Pair) async throws {
        let call = DBusMethodCall(
            destination: pair.client.uniqueName,
            path: "/",
            interface: "org.freedesktop.DBus.Peer",
            member: "Ping"
        )
        _ = try await pair.server.call(call)
    }
}
