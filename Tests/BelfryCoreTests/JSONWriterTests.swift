// What JSON values look like when written, and that they read back.

import BelfryCore
import BelfryTesting
import Testing

@Suite("Writing JSON")
struct JSONWriterTests {
    @Test("values are compact, in the order of their keys")
    func compact() {
        let value: JSONValue = ["z": [1, 2.5, nil, true], "a": ["k": "v"], "e": [:], "l": []]
        #expect(value.text == #"{"z":[1,2.5,null,true],"a":{"k":"v"},"e":{},"l":[]}"#)
    }

    @Test("control characters are escaped, everything else is as it is")
    func strings() {
        let value = JSONValue.string("\"\\/\n\r\t\u{0}\u{1B}\u{7F}\u{E9}\u{1F600}\u{2028}")
        #expect(value.text == "\"\\\"\\\\/\\n\\r\\t\\u0000\\u001b\\u007f\u{E9}\u{1F600}\u{2028}\"")
    }

    @Test(
        "numbers are written as short as they read back",
        arguments: [
            (JSONValue.double(1), "1"), (.double(-0.0), "0"), (.double(0.1), "0.1"),
            (.double(1e300), "1e+300"),
            (.double(1.5e-10), "1.5e-10"), (.int(.min), "-9223372036854775808"), (.double(.infinity), "null"),
            (.double(.nan), "null"), (.double(12345.678), "12345.678"), (.double(1e15), "1000000000000000"),
        ]
    )
    func numbers(_ value: JSONValue, _ text: String) {
        #expect(value.text == text)
    }

    @Test("whatever a text contains, its value is one line that reads back byte for byte")
    func oneLine() throws {
        var random = SeededRandom(seed: 1)
        for _ in 0..<5_000 {
            let text = random.text(upTo: 40)
            let line = JSONValue.object([text: .string(text)]).encoded
            #expect(!line.contains { $0 < 0x20 || $0 == 0x7F })
            let read = try JSONValue(parsing: line).object
            #expect(read?.keys.first.map { Array($0.utf8) } == Array(text.utf8))
            #expect(read?[text]?.string.map { Array($0.utf8) } == Array(text.utf8))
        }
    }

    @Test("any value reads back as it was, compact and indented", arguments: 0..<40)
    func roundTrip(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<100 {
            let value = random.value(depth: 4)
            #expect(try JSONValue(parsing: value.encoded) == value)
            #expect(try JSONValue(parsing: value.prettyText) == value)
            #expect(try JSONValue(parsing: value.encoded).encoded == value.encoded)
        }
    }

    @Test("the indented form is for people")
    func pretty() {
        let value: JSONValue = ["a": [1, 2], "b": [:], "c": ["d": "e"]]
        let expected = """
            {
              "a": [
                1,
                2
              ],
              "b": {},
              "c": {
                "d": "e"
              }
            }
            """
        #expect(value.prettyText == expected)
    }

    @Test("the canonical form has sorted keys all the way down")
    func canonical() {
        let value: JSONValue = ["b": [["z": 1, "y": 2]], "a": ["d": 1, "c": 2]]
        #expect(value.canonical.text == #"{"a":{"c":2,"d":1},"b":[{"y":2,"z":1}]}"#)
    }

    @Test("an integer is what has no fraction, however it was written")
    func integers() {
        #expect(JSONValue.double(3).int == 3)
        #expect(JSONValue.double(3.5).int == nil)
        #expect(JSONValue.double(1e300).int == nil)
        #expect(JSONValue.int(3).double == 3)
        #expect(JSONValue.string("3").int == nil)
    }

    @Test("an object's members can be set, replaced and removed")
    func members() {
        var object: JSONObject = ["a": 1, "b": 2, "a": 3]
        object.set("c", nil)
        object["b"] = nil
        object.set("d", 4)
        #expect(object.map(\.key) == ["a", "d"])
        #expect(object["a"] == 3)
        #expect(JSONValue.object(object)["d"]?.int == 4)
        #expect(JSONValue.array([])["d"] == nil)
    }
}
