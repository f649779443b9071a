// Parameters against their schema: what is accepted, what is filled in, and what the errors point at.

import BelfryCore
import FoundationEssentials
import Testing

@testable import BelfryPlugins

@Suite("Parameter schemas")
struct SchemaTests {
    private let schema: JSONValue = [
        "type": "object", "required": ["prompt"], "additionalProperties": false,
        "properties": [
            "prompt": ["type": "string", "minLength": 1, "maxLength": 20],
            "scale": ["enum": [2, 4], "default": 2],
            "width": ["type": "integer", "minimum": 16, "maximum": 2048, "multipleOf": 8],
            "seed": ["type": ["integer", "null"]],
            "tags": ["type": "array", "items": ["type": "string", "pattern": "^[a-z]+$"], "maxItems": 2],
            "hdr": ["type": "boolean"],
            "key": ["type": "string", "writeOnly": true, "minLength": 8],
        ],
    ]

    @Test("fills in defaults and keeps the rest as it is")
    func defaults() throws {
        let params = try JSONSchema(schema).accept(["prompt": "sea"], workingDirectory: nil, featureID: "f")
        #expect(params == ["prompt": "sea", "scale": 2])
    }

    @Test(
        "points at the parameter that breaks the schema, and says what is wanted",
        arguments: [
            ("{}", "/prompt", "missing"), (#"{"prompt":""}"#, "/prompt", "1"),
            (#"{"prompt":7}"#, "/prompt", "text"),
            (#"{"prompt":"123456789012345678901"}"#, "/prompt", "20"),
            (#"{"prompt":"a","scale":3}"#, "/scale", "2, 4"), (#"{"prompt":"a","width":8}"#, "/width", "16"),
            (#"{"prompt":"a","width":4096}"#, "/width", "2048"),
            (#"{"prompt":"a","width":20}"#, "/width", "8"),
            (#"{"prompt":"a","width":16.5}"#, "/width", "whole number"),
            (#"{"prompt":"a","tags":["a","B"]}"#, "/tags/1", "[a-z]"),
            (#"{"prompt":"a","tags":["a","b","c"]}"#, "/tags", "2"),
            (#"{"prompt":"a","hdr":"yes"}"#, "/hdr", "true"),
            (#"{"prompt":"a","promt":"b"}"#, "/promt", "prompt"), ("[]", "", "object"),
        ]
    )
    func violations(params: String, pointer: String, word: String) throws {
        let schema = try JSONSchema(schema)
        let error = try #require(
            #expect(throws: BelfryError.self) {
                try schema.accept(JSONValue(parsing: params), workingDirectory: nil, featureID: "f")
            }
        )
        #expect(error.code == .invalidParams)
        #expect((error.pointer ?? "") == pointer, "\(error)")
        #expect("\(error)".contains(word), "\(error)")
    }

    @Test("a choice that is none is answered with one that is")
    func choice() throws {
        let schema = try JSONSchema([
            "type": "object",
            "properties": ["scale": ["enum": [2, 4]], "format": ["enum": ["jpg", "png", "webp"]]],
        ])
        let typed = #expect(throws: BelfryError.self) { try schema.coerce([("scale", "3")], featureID: "f") }
        let fix = "Give one of them, such as scale=2; what it is for: belfry feature show f"
        #expect(typed?.fix == fix)
        let sent = #expect(throws: BelfryError.self) {
            try schema.accept(["format": "pgn"], workingDirectory: nil)
        }
        #expect(sent?.fix == "Give one of them, such as format=png.")
    }

    @Test("does not repeat a secret in its error")
    func secret() throws {
        let schema = try JSONSchema(schema)
        let error = #expect(throws: BelfryError.self) {
            try schema.accept(["prompt": "a", "key": "hunter2"], workingDirectory: nil, featureID: "f")
        }
        #expect(!"\(String(describing: error))".contains("hunter2"))
    }

    @Test("takes key=value arguments as what the schema says they are")
    func coerce() throws {
        let params = try JSONSchema(schema).coerce([
            ("prompt", "42"), ("scale", "4"), ("seed", "7"), ("hdr", "yes"), ("tags", "a"), ("tags", "b"),
        ])
        #expect(params == ["prompt": "42", "scale": 4, "seed": 7, "hdr": true, "tags": ["a", "b"]])
    }

    @Test("makes paths absolute from where the submitter stands, and wants files to be there")
    func paths() throws {
        let schema = try JSONSchema([
            "type": "object", "properties": ["image": ["type": "string", "format": "file"]],
        ])
        let directory =
            FileManager.default.temporaryDirectory.path() + "belfry-schema-\(UInt64.random(in: 0...(.max)))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try "x".write(toFile: directory + "/in.png", atomically: true, encoding: .utf8)
        let params = try schema.accept(["image": "in.png"], workingDirectory: directory, featureID: "f")
        #expect(params["image"]?.string == directory + "/in.png")
        let error = #expect(throws: BelfryError.self) {
            try schema.accept(["image": "gone.png"], workingDirectory: directory, featureID: "f")
        }
        #expect(error?.pointer == "/image")
        #expect("\(String(describing: error))".contains(directory + "/gone.png"))
    }

    @Test("refuses a schema that asks for what is not checked, so that nobody believes in it")
    func unknownKeyword() {
        #expect(throws: BelfryError.self) {
            try JSONSchema(["type": "object", "unevaluatedProperties": false])
        }
        #expect(throws: BelfryError.self) { try JSONSchema(["type": "objet"]) }
        #expect(throws: BelfryError.self) { try JSONSchema(["pattern": "("]) }
    }

    @Test("a schema that refers to itself is checked to the depth of the value")
    func recursion() throws {
        let schema = try JSONSchema([
            "type": "object", "additionalProperties": false, "properties": ["next": ["$ref": "#"]],
        ])
        #expect(schema.check(["next": ["next": [:]]]).isEmpty)
        #expect(schema.check(["next": ["next": ["other": 1]]]).first?.pointer.hasPrefix("/next/next") == true)
    }
}
