// Params whose values an earlier task is to make: let through where they stand, checked around them, and
// checked themselves once they are known.

import BelfryCore
import Testing

@testable import BelfryPlugins

@Suite("Params that speak of earlier tasks")
struct ReferenceTests {
    private static let reference: JSONValue = "${task.result.path}"

    @Test(
        "fit every schema of a value",
        arguments: [
            #"{"type":"integer","minimum":16,"multipleOf":8}"#, #"{"type":"boolean"}"#, #"{"type":"null"}"#,
            #"{"type":"array","items":{"type":"string"},"minItems":2}"#,
            #"{"type":"object","required":["x"]}"#, #"{"enum":[2,4]}"#, #"{"const":"a"}"#,
            #"{"type":"string","pattern":"^[a-z]+$"}"#, #"{"type":"string","maxLength":3}"#,
            #"{"type":"string","format":"file"}"#, #"{"type":"string","format":"directory"}"#,
            #"{"not":{"type":"string"}}"#, ##"{"$ref":"#/$defs/n"}"##, ##"{"allOf":[{"$ref":"#/$defs/n"}]}"##,
            #"{"oneOf":[{"type":"string"},{"type":["string","null"]}]}"#,
            #"{"anyOf":[{"type":"integer"},{"type":"boolean"}]}"#,
            #"{"if":{"type":"string"},"then":{"maxLength":2}}"#,
        ]
    )
    func fits(schema: String) throws {
        let whole: JSONValue = [
            "type": "object", "$defs": ["n": ["type": "number"]],
            "properties": ["x": try JSONValue(parsing: schema)],
        ]
        let schema = try JSONSchema(whole)
        for value in [Self.reference, "a ${task2.number} b"] {
            let params: JSONValue = ["x": value]
            #expect(try schema.accept(params, workingDirectory: "/tmp", featureID: "f") == params)
        }
        // Shows that the schema would refuse what only looks like one.
        #expect(throws: BelfryError.self) {
            try schema.accept(["x": "${task}"], workingDirectory: "/nowhere", featureID: "f")
        }
    }

    @Test(
        "do not excuse what is wrong around them",
        arguments: [
            (#"{"x":"${task.id}"}"#, "/y"), (#"{"x":"${task.id}","y":1,"z":"${task.id}"}"#, "/z"),
            (#"{"x":["${task.id}",3],"y":1}"#, "/x/1"),
            (#"{"x":"${task.id}","y":1,"no":"${task.id}"}"#, "/no"),
            (#"{"x":["${task.id}","a","b"],"y":1}"#, "/x"),
        ]
    )
    func around(params: String, pointer: String) throws {
        let schema = try JSONSchema([
            "type": "object", "required": ["x", "y"], "additionalProperties": false,
            "properties": [
                "x": ["type": "array", "items": ["type": "string"], "maxItems": 2], "y": ["type": "integer"],
                "no": false,
            ],
        ])
        let error = #expect(throws: BelfryError.self) {
            try schema.accept(JSONValue(parsing: params), workingDirectory: nil, featureID: "f")
        }
        #expect(error?.pointer == pointer)
    }

    @Test(
        "refuse nothing that may come to fit, and everything that cannot",
        arguments: [
            (#"{"oneOf":[{"properties":{"k":{"const":1}}},{"properties":{"k":{"const":2}}}]}"#, true),
            (#"{"oneOf":[{"required":["a"]},{"required":["b"]}]}"#, false),
            (#"{"not":{"properties":{"k":{"const":1}}}}"#, true),
            (#"{"if":{"properties":{"k":{"const":1}}},"then":{"required":["a"]}}"#, true),
            (
                #"{"if":{"properties":{"k":{"const":1}}},"then":{"required":["a"]},"else":{"required":["b"]}}"#,
                false
            ),
            (#"{"if":{"required":["a"]},"then":{},"else":{"required":["b"]}}"#, false),
        ]
    )
    func open(schema: String, isAccepted: Bool) throws {
        let schema = try JSONSchema(JSONValue(parsing: schema))
        #expect(schema.check(["k": "${task.result.value}"]).isEmpty == isAccepted)
    }

    @Test("are checked as what they stand for, when that is there")
    func checkedAfterwards() throws {
        let schema = try JSONSchema([
            "type": "object",
            "properties": ["image": ["type": "string", "format": "file"], "width": ["type": "integer"]],
        ])
        #expect(throws: BelfryError.self) {
            try schema.accept(["image": "/gone/a.png"], workingDirectory: nil, featureID: "f")
        }
        #expect(throws: BelfryError.self) {
            try schema.accept(["width": "wide"], workingDirectory: nil, featureID: "f")
        }
        #expect(try schema.accept(["width": 8], workingDirectory: nil, featureID: "f") == ["width": 8])
    }

    @Test("stay as they are typed, also where no text is wanted; in JSON they stay where they stand")
    func coercion() throws {
        let schema = try JSONSchema([
            "type": "object",
            "properties": [
                "image": ["type": "string", "format": "file"], "width": ["type": "integer", "minimum": 1],
                "hdr": ["type": "boolean"], "list": ["type": "array", "items": ["type": "integer"]],
                "scale": ["enum": [2, 4]], "more": ["type": "array", "items": ["type": "integer"]],
                "any": [:], "all": ["type": "array", "items": ["type": "string"]],
            ],
        ])
        let params = try schema.coerce([
            ("image", "${task.result.path}"), ("width", "${task.result.value.width}"), ("hdr", "${task.id}"),
            ("list", #"[1, "${task.number}"]"#), ("scale", "${task2.result.value}"),
            ("more", "${task.number}"), ("more", "3"), ("any", "${task.id}"),
            ("all", "${task.result.paths}"),
        ])
        #expect(
            params == [
                "image": "${task.result.path}", "width": "${task.result.value.width}", "hdr": "${task.id}",
                "list": [1, "${task.number}"], "scale": "${task2.result.value}",
                "more": ["${task.number}", 3],
                "any": "${task.id}", "all": "${task.result.paths}",
            ]
        )
        #expect(throws: BelfryError.self) { try schema.coerce([("width", "${task}")]) }
    }

    @Test("may be arguments of a command, but not its program")
    func shell() throws {
        let shell = try ShellFeature(launcher: "/usr/bin/env")
        let params: JSONValue = ["command": ["/bin/echo", "${task.result.path}", "a${task2.number}"]]
        #expect(try shell.accept(params, from: nil) == params)
        for command: JSONValue in [
            ["${task.result.path}", "x"], ["/bin/${task.id}"], "${task.result.paths}",
        ] {
            let error = #expect(throws: BelfryError.self) {
                try shell.accept(["command": command], from: nil)
            }
            #expect(error?.pointer == "/command/0")
            #expect(error?.message.contains("earlier task") == true, "\(String(describing: error))")
        }
    }

    @Test("in a command: a number is written out, and a list becomes as many arguments")
    func shellValues() throws {
        let shell = try ShellFeature(launcher: "/usr/bin/env")
        let accepted = try shell.accept(
            ["command": ["/bin/echo", 7, ["/a b", "/c"], true, [1]]],
            from: nil
        )
        #expect(accepted == ["command": ["/bin/echo", "7", "/a b", "/c", "true", "1"]])
        for wrong: JSONValue in [nil, ["a": 1], [["deep"]]] {
            #expect(throws: BelfryError.self) {
                try shell.accept(["command": ["/bin/echo", wrong]], from: nil)
            }
        }
    }
}
