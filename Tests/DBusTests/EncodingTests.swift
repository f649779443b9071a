// What we write must be, byte for byte, what libdbus's own iterators write.

import CDBus
import Glibc
import Testing

@testable import DBus

@Suite("Encoding", .timeLimit(.minutes(1)))
struct EncodingTests {
    @Test("every kind of message is written as libdbus writes it, whatever its arguments")
    func sameAsLibdbus() throws {
        for arguments in [[]] + samples.map({ [$0] }) + [samples] {
            let lists = arguments.signatureLength <= 255 ? [arguments] : arguments.map { [$0] }
            for list in lists { for message in messages(list) { try compare(message) } }
        }
    }

    @Test("arguments at every offset are aligned as libdbus aligns them")
    func alignment() throws {
        for sample in samples {
            for count in 1...8 {
                let bytes = Array(repeating: DBusValue.byte(7), count: count)
                try compare(messages(bytes + [sample, .variant(sample), .structure([.byte(1), sample])])[0])
            }
        }
    }

    @Test("bytes that libdbus does not take are an error, not the end of the process")
    func refusal() throws {
        var message = try messages([.string("x")])[0].encoded()
        message.bytes[0] = 0
        let bad = message
        let error = #expect(throws: DBusError.self) { _ = try bad.makeMessage(serial: 1) }
        #expect(error?.name == DBusError.limitsExceeded)
    }

    private func messages(_ arguments: [DBusValue]) -> [OutgoingMessage] {
        var call = DBusMethodCall(
            destination: "org.example.Name",
            path: "/org/example",
            interface: "org.example.A",
            member: "M",
            arguments: arguments
        )
        let full = call
        call.destination = nil
        call.interface = nil
        call.isAutoStarting = false
        let signal = DBusSignal(path: "/", interface: "a.b", member: "Member", arguments: arguments)
        let address = ReplyAddress(caller: ":1.42", serial: 77, isWanted: true)
        return [
            .call(full, wantsAnswer: true), .call(full, wantsAnswer: false), .call(call, wantsAnswer: true),
            .signal(signal, destination: nil), .signal(signal, destination: ":1.1"),
            .answer(address, arguments),
            .refusal(address, DBusError(name: "org.example.Error", message: "Grüße")),
        ]
    }

    private func compare(_ message: OutgoingMessage) throws {
        let ours = try bytes(message.encoded().makeMessage(serial: 9))
        let theirs = try bytes(message.makeMessage(serial: 9))
        if ours != theirs { Issue.record("\(message)\nours   \(ours)\ntheirs \(theirs)") }
    }

    private func bytes(_ message: OpaquePointer) throws -> [UInt8] {
        defer { dbus_message_unref(message) }
        var data: UnsafeMutablePointer<CChar>?
        var count: Int32 = 0
        guard dbus_message_marshal(message, &data, &count) != 0 else {
            throw Missing(description: "no memory")
        }
        defer { dbus_free(data) }
        return UnsafeRawBufferPointer(start: data, count: Int(count)).map { $0 }
    }
}

extension [DBusValue] {
    fileprivate var signatureLength: Int { reduce(0) { $0 + $1.signatureLength } }
}
