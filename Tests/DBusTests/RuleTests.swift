// What we let pass must be what libdbus lets pass: it ends the process on everything else.

import CDBus
import Testing

@testable import DBus

@Suite("Rules", .timeLimit(.minutes(1)))
struct RuleTests {
    private static let words = [
        "", "/", "//", "/a", "/a/", "/a/b_1", "/a-b", "a/b", "/ä", "a.b", "a", ".a.b", "a..b", "a.b.", "a.1b",
        "a-b.c",
        "a.b-c", ":1.2", ":1", ":.a", ":a.b-c", ":", "_a._b", "1a", "a_1", "A", "a b.c", "ä.b", "y", "a{sv}",
        "a{vs}",
        "a{s}", "a{sss}", "(", "()", "(i)", "(ii)", "((i))", "a", "aai", "a(i", "{sv}", "ii", "v", "z", "r",
        "e",
        "a{(i)s}", String(repeating: "a", count: 33) + "i", String(repeating: "a", count: 32) + "i",
        String(repeating: "(", count: 33) + "i" + String(repeating: ")", count: 33),
        String(repeating: "(", count: 32) + "i" + String(repeating: ")", count: 32),
        String(repeating: "i", count: 255), String(repeating: "i", count: 256),
        String(repeating: "a", count: 253) + ".b", String(repeating: "a", count: 254) + ".b",
        String(repeating: "a", count: 255), String(repeating: "a", count: 256),
        "/" + String(repeating: "a", count: 1000),
    ]

    private static let judges:
        [(String, @Sendable (String) throws -> Void, @Sendable (String) -> dbus_bool_t)] = [
            ("path", NameRules.checkPath, { dbus_validate_path($0, nil) }),
            ("interface", { try NameRules.checkInterface($0) }, { dbus_validate_interface($0, nil) }),
            ("member", NameRules.checkMember, { dbus_validate_member($0, nil) }),
            ("bus name", NameRules.checkBusName, { dbus_validate_bus_name($0, nil) }),
            ("signature", SignatureRules.check, { dbus_signature_validate($0, nil) }),
            ("one type", { try SignatureRules.checkOne($0) }, { dbus_signature_validate_single($0, nil) }),
        ]

    @Test("names, paths and signatures are judged as libdbus does")
    func known() {
        for word in Self.words { for judge in Self.judges { compare(judge, word) } }
    }

    @Test("so are random ones")
    func random() {
        let alphabet = Array("a1_.-:/(){}vsiy")
        var generator = Generator(state: 20_260_101)
        for _ in 0..<20_000 {
            let length = Int.random(in: 0...9, using: &generator)
            let word = String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
            for judge in Self.judges { compare(judge, word) }
        }
    }

    private func compare(
        _ judge: (
            name: String, ours: @Sendable (String) throws -> Void, theirs: @Sendable (String) -> dbus_bool_t
        ),
        _ word: String
    ) {
        // libdbus takes “:” and “:a” for unique names; the specification, and we, do not.
        if judge.name == "bus name", word.hasPrefix(":"),
            !word.dropFirst().contains(".") || word.hasPrefix(":.")
        {
            return
        }
        let isOurs = (try? judge.ours(word)) != nil
        if isOurs != (judge.theirs(word) != 0) { Issue.record("\(judge.name) “\(word)”: we say \(isOurs)") }
    }

    @Test("values that do not fit together are refused with the reason")
    func mismatches() {
        let bad: [(DBusValue, String)] = [
            (.array(of: "s", [.int32(1)]), "A value of type i is not an element of as."),
            (.array(of: "x y", []), "\"x y\" is not the signature of one type."),
            (.dictionary(key: "v", value: "s", []), "\"v\" is not the signature of a basic type."),
            (.properties([("a\0", .byte(1))]), "The text \"a\\0\" contains U+0000."),
            (.structure([]), "A structure needs at least one field."),
            (.objectPath("x"), "\"x\" is not an object path, such as /org/example/Thing_1."),
            (.signature("a"), "\"a\" is not a signature."),
            (.variant(.string("\0")), "The text \"\\0\" contains U+0000."),
        ]
        for (value, message) in bad {
            let error = #expect(throws: DBusError.self) { try encoded([value]) }
            #expect(error?.message == message)
        }
    }

    @Test("sizes are refused above 64 MiB of an array and 128 MiB of a message")
    func sizes() throws {
        let megabyte = DBusValue.string(String(repeating: "x", count: (1 << 20) - 5))
        // Each string takes 4 bytes of length, itself and a NUL: exactly 1 MiB with its padding.
        try encoded([.array(of: "s", Array(repeating: megabyte, count: 64))])
        let large = DBusValue.array(of: "s", Array(repeating: megabyte, count: 65))
        #expect(throws: DBusError.self) { try encoded([large]) }
        try encoded(Array(repeating: megabyte, count: 127))
        let error = #expect(throws: DBusError.self) {
            try encoded(Array(repeating: megabyte, count: 128))
        }
        #expect(error?.name == DBusError.limitsExceeded)
    }

    private func encoded(_ arguments: [DBusValue]) throws {
        let signal = DBusSignal(path: "/", interface: "a.b", member: "M", arguments: arguments)
        _ = try OutgoingMessage.signal(signal, destination: nil).encoded()
    }
}

/// The same numbers each time (SplitMix64).
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
