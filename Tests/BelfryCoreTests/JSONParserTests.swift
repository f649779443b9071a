// What the JSON parser takes, and everything it refuses.

import BelfryCore
import BelfryTesting
import Testing

@Suite("Parsing JSON")
struct JSONParserTests {
    private func parse(_ text: String, limits: JSONLimits = JSONLimits()) throws -> JSONValue {
        try JSONValue(parsing: text, limits: limits)
    }

    @Test("every kind of value is read")
    func kinds() throws {
        let text =
            #" { "n" : null , "t":true,"f":false,"i":-12,"d":1.5e2,"s":"x","a":[1,[],{}],"o":{"k":0} } "#
        let expected: JSONValue = [
            "n": nil, "t": true, "f": false, "i": -12, "d": 150.0, "s": "x", "a": [1, [], [:]], "o": ["k": 0],
        ]
        #expect(try parse(text + "\r\n\t") == expected)
    }

    @Test("the order of keys is kept")
    func order() throws {
        #expect(try parse(#"{"z":1,"a":2,"m":3}"#).object?.keys == ["z", "a", "m"])
    }

    @Test(
        "whole numbers are exact as far as 64 bits go, fractions beyond",
        arguments: [
            ("9223372036854775807", JSONValue.int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .double(9_223_372_036_854_775_808)),
            ("9007199254740993", .int(9_007_199_254_740_993)),
            ("0", .int(0)), ("-0", .int(0)), ("1.0", .double(1)), ("1e2", .double(100)),
            ("1E+2", .double(100)),
            ("25e-1", .double(2.5)), ("0.1", .double(0.1)), ("1e-400", .double(0)),
            ("123456789012345678901234567890", .double(1.2345678901234568e29)),
        ]
    )
    func numbers(_ text: String, _ value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test(
        "numbers that no double holds are refused",
        arguments: ["1e999", "-1e999", "1e309", "[1,2,1e99999999999]"]
    )
    func outOfRange(_ text: String) {
        let error = #expect(throws: JSONError.self) { try parse(text) }
        #expect(error?.reason == "a number out of range")
    }

    @Test(
        "what is not JSON is refused",
        arguments: [
            "", " ", "nul", "nulll", "tru", "True", "'a'", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]",
            "[1 2]",
            "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\":1 \"b\":2}", "{\"a\" 1}", "1 2",
            "[] []",
            "01", "-01", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+", "0x10", "NaN", "Infinity", "-Infinity",
            "--1",
            "\"", "\"a", "\"\\", "\"\\\"", "\"\\x\"", "\"\\u\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\u+123\"",
            "\"\\u-123\"", "\"\\U0041\"", "\u{FEFF}1", "// a\n1", "1 /* a */", "\"a\nb\"", "\"a\tb\"",
            "\"a\u{0}b\"",
            "\"\\n\u{1}\"",
        ]
    )
    func refused(_ text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test("an error says where")
    func offset() {
        let error = #expect(throws: JSONError.self) { try parse(#"{"a": tru}"#) }
        #expect(error?.offset == 6)
        #expect(error?.description == "unexpected character at byte 6")
    }

    @Test("escapes are undone")
    func escapes() throws {
        let text = #""\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\u0000""#
        #expect(try parse(text) == .string("\"\\/\u{8}\u{C}\n\r\tA\u{E9}\u{20AC}\u{0}"))
    }

    @Test(
        "surrogate pairs are joined, lone surrogates become U+FFFD",
        arguments: [
            (#""\ud83d\ude00""#, "\u{1F600}"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"), (#""\ud83d""#, "\u{FFFD}"),
            (#""\ude00x""#, "\u{FFFD}x"), (#""\ud83dA""#, "\u{FFFD}A"), (#""\ud83d\n""#, "\u{FFFD}\n"),
            (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\ud83d\ud83d\ude00""#, "\u{FFFD}\u{1F600}"),
            (#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}"),
        ]
    )
    func surrogates(_ text: String, _ string: String) throws {
        #expect(try parse(text) == .string(string))
    }

    @Test(
        "strings that are not UTF-8 are refused",
        arguments: [
            [0xFF], [0xC3], [0xC0, 0xAF], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]]
    )
    func invalidUTF8(_ bytes: [UInt8]) {
        let quote = [UInt8(ascii: "\"")]
        #expect(throws: JSONError.self) { try JSONValue(parsing: quote + bytes + quote) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: quote + [0x5C, 0x6E] + bytes + quote) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
    }

    @Test("a key that appears twice is refused, also when written otherwise", arguments: ["a", #"\u0061"#])
    func duplicateKeys(_ second: String) {
        let error = #expect(throws: JSONError.self) {
            try parse(#"{"a":1,"b":{"a":2},""# + second + #"":3}"#)
        }
        #expect(error?.reason == "the key 'a' appears twice")
    }

    @Test("nesting is taken up to the limit and refused beyond")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        let limits = JSONLimits(depth: 10)
        #expect(throws: Never.self) { try parse(nested(11), limits: limits) }
        #expect(throws: JSONError.self) { try parse(nested(12), limits: limits) }
        #expect(throws: JSONError.self) { try parse(nested(100_000)) }
        #expect(throws: JSONError.self) { try parse(String(repeating: #"{"a":"#, count: 100_000)) }
        #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
    }

    @Test("keys are counted in the whole document")
    func keys() throws {
        let limits = JSONLimits(keys: 4)
        #expect(throws: Never.self) { try parse(#"[{"a":1,"b":2},{"a":{"b":2}}]"#, limits: limits) }
        let error = #expect(throws: JSONError.self) {
            try parse(#"[{"a":1,"b":2},{"a":{"b":2}},{"c":0}]"#, limits: limits)
        }
        #expect(error?.reason == "more than 4 keys")
    }

    @Test("every cut of a document is refused, and no cut crashes")
    func truncated() {
        let text = Array(#"{"a":[1.5e3,"\u00e9\ud83d\ude00",{"b":null}],"c":true}"#.utf8)
        for count in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: text.prefix(count)) }
        }
    }

    @Test("random changes of a document are read or refused, and what is read is written the same")
    func mutated() throws {
        var random = SeededRandom(seed: 7)
        let text = Array(#"{"a":[1.5e3,"\u00e9\ud83d\ude00 caf\u00e9",{"b":null}],"c":true,"d":-0.25}"#.utf8)
        var read = 0
        for _ in 0..<20_000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            read += 1
            let again = try JSONValue(parsing: value.encoded)
            #expect(again.encoded == value.encoded)
        }
        #expect(read > 100)
    }
}
