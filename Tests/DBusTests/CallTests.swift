// Calls: errors, time, cancellation, order, load.

import BusTesting
import DBus
import Synchronization
import Testing

@Suite("Calls", .timeLimit(.minutes(1)))
struct CallTests {
    @Test("what a handler throws is the caller's error, name and message")
    func errors() async throws {
        let pair = try await Pair()
        let thrown = DBusError(name: "org.example.Error.Sad", message: "No such luck.")
        try pair.serve([
            DBusMethod("Known") { _ in throw thrown },
            DBusMethod("Other") { _ in throw Missing(description: "x") },
            DBusMethod("Wrong", out: [DBusArgument("n", "u")]) { _ in [.string("not a number")] },
            DBusMethod("BadName") { _ in throw DBusError(name: "no name", message: "a\0b") },
        ])
        #expect(try await dbusError { try await pair.call("Known") } == thrown)
        for (member, message) in [
            ("Other", "x"), ("Wrong", "Wrong should return “u” and returned “s”."), ("BadName", "a\u{FFFD}b"),
        ] {
            let error = try await dbusError { try await pair.call(member) }
            #expect(error == DBusError(name: DBusError.failed, message: message))
        }
    }

    @Test("calls of what is not there say what is missing")
    func unknown() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("s")])
        let call = pair.makeCall("Echo", [.string("")])
        func name(_ change: (inout DBusMethodCall) -> Void) async throws -> String {
            var changed = call
            change(&changed)
            let final = changed
            return try await dbusError { try await pair.client.call(final) }.name
        }
        #expect(try await name { $0.path = "/elsewhere" } == DBusError.unknownObject)
        #expect(try await name { $0.interface = "org.example.Other" } == DBusError.unknownInterface)
        #expect(try await name { $0.member = "Other" } == DBusError.unknownMethod)
        #expect(try await name { $0.arguments = [.uint32(1)] } == DBusError.invalidArgs)
        #expect(try await name { $0.arguments = [] } == DBusError.invalidArgs)
        #expect(try await name { $0.destination = "org.example.Nobody" } == DBusError.serviceUnknown)
        #expect(try await name { $0.destination = ":1.999" } != DBusError.unknownObject)
    }

    @Test("a call without an interface takes the first method of that name")
    func withoutInterface() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("s")])
        var call = pair.makeCall("Echo", [.string("hi")])
        call.interface = nil
        #expect(try await pair.client.call(call) == [.string("hi")])
    }

    @Test("a peer that does not answer in time is an error, and its late answer is told")
    func timeout() async throws {
        let pair = try await Pair()
        let (entered, leave, late) = (Gate(), Gate(), Inbox<[DBusValue]>())
        try pair.serve([.gated(entered, leave), .echo("s")])
        var call = pair.makeCall("Wait")
        call.onLateReply = { late.put($0) }
        let final = call
        let error = try await dbusError { try await pair.client.call(final, timeout: .milliseconds(20)) }
        #expect(error.name == DBusError.noReply)
        #expect(error.message.contains("org.example.Interface.Wait"))
        await entered.wait()
        leave.open()
        #expect(try await late.next() == [.boolean(true)])
        #expect(try await pair.call("Echo", [.string("still here")]) == [.string("still here")])
        #expect(late.all.count == 1)
    }

    @Test("timeouts end calls by their own time, not by the order they were made in")
    func timeoutOrder() async throws {
        let pair = try await Pair()
        let (entered, leave) = (Gate(), Gate())
        try pair.serve([.gated(entered, leave)])
        async let long = pair.call("Wait", timeout: .seconds(50))
        await entered.wait()
        let error = try await dbusError { try await pair.call("Wait", timeout: .milliseconds(5)) }
        #expect(error.name == DBusError.noReply)
        leave.open()
        #expect(try await long == [.boolean(true)])
    }

    @Test("cancelling forgets the call at once; its late answer is told")
    func cancellation() async throws {
        let pair = try await Pair()
        let (entered, leave, late) = (Gate(), Gate(), Inbox<[DBusValue]>())
        try pair.serve([.gated(entered, leave)])
        var call = pair.makeCall("Wait")
        call.onLateReply = { late.put($0) }
        let final = call
        await withThrowingTaskGroup(of: [DBusValue].self) { group in
            group.addTask { try await pair.client.call(final) }
            await entered.wait()
            group.cancelAll()
            await #expect(throws: CancellationError.self) { try await group.next() }
        }
        leave.open()
        #expect(try await late.next() == [.boolean(true)])
    }

    @Test("a call in a cancelled task is not sent")
    func cancelledBefore() async throws {
        let pair = try await Pair()
        let entered = Mutex(0)
        try pair.serve([
            DBusMethod("Count") { _ in
                entered.withLock { $0 += 1 }
                return []
            }
        ])
        await withThrowingTaskGroup(of: [DBusValue].self) { group in
            group.cancelAll()
            group.addTask { try await pair.call("Count") }
            await #expect(throws: CancellationError.self) { try await group.next() }
        }
        _ = try await pair.call("Count")
        #expect(entered.withLock { $0 } == 1)
    }

    @Test("what one task sends arrives, and is begun to be handled, in order")
    func order() async throws {
        let pair = try await Pair()
        let numbers = Inbox<UInt32>()
        try pair.serve([
            DBusMethod("Note", in: [DBusArgument("n", "u")]) { call in
                numbers.put(call.arguments[0].uint32Value ?? 0)
                await Task.yield()
                return []
            }
        ])
        for number in 0..<1000 {
            try pair.client.send(pair.makeCall("Note", [.uint32(UInt32(number))]))
        }
        _ = try await pair.call("Note", [.uint32(1000)])
        #expect(numbers.all == Array(0...1000))
    }

    @Test("10,000 calls at once are each answered with their own answer")
    func many() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("u")])
        let correct = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<UInt32(10_000) {
                group.addTask {
                    // More at once than the server works on are refused, not lost.
                    while true {
                        do {
                            return try await pair.call("Echo", [.uint32(number)]) == [.uint32(number)]
                        } catch {
                            guard (error as? DBusError)?.name == DBusError.limitsExceeded else {
                                return false
                            }
                        }
                    }
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(correct == 10_000)
    }

    @Test("descriptors go along with a call and come back with its answer")
    func descriptors() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("ah")])
        let file = try TestPipe()
        let argument = DBusValue.array(
            of: "h",
            [.unixDescriptor(try DBusDescriptor(duplicating: file.writer))]
        )
        let answer = try await pair.call("Echo", [argument])
        guard case .unixDescriptor(let returned)? = answer.first?.arrayValue?.first else {
            throw Missing(description: "no descriptor in \(answer)")
        }
        file.write("through the bus", to: returned.fileDescriptor)
        #expect(file.read() == "through the bus")
    }
}
