// Schemas and values made from a seed: Python's jsonschema must call the same ones valid.

import BelfryCore
import BelfryTesting
import Foundation
import Testing

@testable import BelfryPlugins

@Suite("Agreement with Python's jsonschema", .timeLimit(.minutes(2)))
struct SchemaAgreementTests {
    private static let python = "/usr/bin/python3"
    private static var isThere: Bool { (try? ask([])) != nil }

    private struct Case {
        var schema: JSONValue
        var values: [JSONValue]
    }

    @Test(
        "generated values are valid to both or to neither",
        .enabled(if: isThere, "needs python3-jsonschema: packaging/dependencies --test"),
        arguments: [1, 2, 3, 4] as [UInt64]
    )
    func generated(seed: UInt64) throws {
        var maker = SchemaMaker(random: SeededRandom(seed: seed))
        let cases = (0..<250).map { _ in
            let schema = maker.schema(depth: 3)
            return Case(schema: schema, values: (0..<6).map { _ in maker.value(depth: 3) })
        }
        let answers = try Self.ask(cases)
        try #require(answers.count == cases.count)
        var valid = 0
        for (test, answer) in zip(cases, answers) {
            let schema = try JSONSchema(test.schema)
            for (value, isValid) in zip(test.values, answer) {
                let violations = schema.check(value)
                #expect(violations.isEmpty == isValid, "\(test.schema.text) \(value.text) \(violations)")
                valid += isValid ? 1 : 0
            }
        }
        // A generator whose values all fit, or never do, would show nothing.
        #expect((200...1300).contains(valid), "\(valid) of 1500 are valid")
    }

    private static let script = """
        import json, sys
        from jsonschema import Draft202012Validator as Validator
        def ask(case):
            Validator.check_schema(case["schema"])
            return [Validator(case["schema"]).is_valid(value) for value in case["values"]]
        json.dump([ask(case) for case in json.load(sys.stdin)], sys.stdout)
        """

    private struct Failure: Error { var errors: String }

    /// Input and output go through files: nothing can wait for a full pipe.
    private static func ask(_ cases: [Case]) throws -> [[Bool]] {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let files = ["input", "output", "errors"].map { directory.appendingPathComponent($0) }
        let input = JSONValue.array(cases.map { ["schema": $0.schema, "values": .array($0.values)] })
        try Data(input.encoded).write(to: files[0])
        for file in files[1...] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = ["-c", script]
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(errors: try String(contentsOf: files[2], encoding: .utf8))
        }
        return try JSONValue(parsing: Data(contentsOf: files[1])).array?.map {
            $0.array?.compactMap(\.bool) ?? []
        } ?? []
    }
}

/// Makes schemas of every keyword of the subset, and values that come close to fitting.
private struct SchemaMaker {
    var random: SeededRandom
    /// Not where a reference could lead to itself without end.
    private var mayRefer = false

    init(random: SeededRandom) { self.random = random }

    private static let names = ["a", "b", "ab", "ü", "a/b", "~"]
    private static let texts = ["", "a", "b", "ab", "abc", "ca", "ü", "e\u{301}", "👍🏽", "1", "null"]
    /// What Python's regular expressions and ours understand in the same way.
    private static let patterns = ["^a", "b$", "^[a-c]+$", "^(ab|c)*$", "^.{1,2}$", "ü", "a?b", "^$", "\\d"]

    private mutating func one<T>(_ choices: [T]) -> T { choices.randomElement(using: &random)! }
    private mutating func flip(_ chance: Double) -> Bool { Double.random(in: 0..<1, using: &random) < chance }
    private mutating func count(_ most: Int) -> Int { Int.random(in: 0...most, using: &random) }

    mutating func value(depth: Int) -> JSONValue {
        switch count(depth > 0 ? 8 : 5) {
        case 0: return .null
        case 1: return .bool(flip(0.5))
        case 2: return .int(Int64(count(6)) - 2)
        case 3: return one([.double(0.5), .double(1.0), .double(2.5), .double(-1.5), .int(1)])
        case 4, 5: return .string(one(Self.texts))
        case 6: return .array((0..<count(4)).map { _ in value(depth: depth - 1) })
        default:
            var members = JSONObject()
            for _ in 0..<count(4) { members[one(Self.names)] = value(depth: depth - 1) }
            return .object(members)
        }
    }

    mutating func schema(depth: Int) -> JSONValue {
        var members = JSONObject()
        members["$defs"] = ["t": keywords(depth: 1), "list": ["items": ["$ref": "#/$defs/list"]]]
        mayRefer = true
        defer { mayRefer = false }
        guard case .object(let rest) = keywords(depth: depth) else { return .object(members) }
        for (key, value) in rest { members[key] = value }
        return .object(members)
    }

    private mutating func keywords(depth: Int) -> JSONValue {
        if flip(0.08) { return .bool(flip(0.7)) }
        var members = JSONObject()
        for _ in 0...count(2) {
            let (key, value) = keyword(depth: depth)
            members[key] = value
        }
        return .object(members)
    }

    private mutating func keyword(depth: Int) -> (String, JSONValue) {
        switch count(depth > 0 ? 5 : 2) {
        case 0: any()
        case 1: number()
        case 2: text()
        case 3: list(depth: depth - 1)
        case 4: object(depth: depth - 1)
        default: combination(depth: depth - 1)
        }
    }

    private mutating func any() -> (String, JSONValue) {
        let types: [JSONValue] = ["null", "boolean", "integer", "number", "string", "array", "object"]
        switch count(3) {
        case 0: return ("type", one(types))
        case 1: return ("type", .array(Array(types.shuffled(using: &random).prefix(3))))
        case 2: return ("enum", .array((0...5).map { _ in value(depth: 1) }))
        default: return ("const", value(depth: 1))
        }
    }

    private mutating func number() -> (String, JSONValue) {
        let bound = one([.int(0), .int(1), .int(2), .double(0.5), .double(2.0)] as [JSONValue])
        let key = one(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])
        return (key, key == "multipleOf" ? one([.int(1), .int(2), .double(0.5)]) : bound)
    }

    private mutating func text() -> (String, JSONValue) {
        switch count(2) {
        case 0: ("minLength", .int(Int64(count(3))))
        case 1: ("maxLength", .int(Int64(count(3))))
        default: ("pattern", .string(one(Self.patterns)))
        }
    }

    private mutating func list(depth: Int) -> (String, JSONValue) {
        let key = one([
            "items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems",
            "uniqueItems",
        ])
        switch key {
        case "items", "contains": return (key, keywords(depth: depth))
        case "prefixItems": return (key, several(depth: depth))
        case "uniqueItems": return (key, .bool(flip(0.8)))
        default: return (key, .int(Int64(count(3))))
        }
    }

    private mutating func object(depth: Int) -> (String, JSONValue) {
        let key = one([
            "properties", "patternProperties", "additionalProperties", "propertyNames", "required",
            "dependentRequired", "dependentSchemas", "minProperties", "maxProperties",
        ])
        var members = JSONObject()
        switch key {
        case "additionalProperties", "propertyNames": return (key, keywords(depth: depth))
        case "required": return (key, .array(names()))
        case "minProperties", "maxProperties": return (key, .int(Int64(count(3))))
        case "dependentRequired":
            for _ in 0...1 { members[one(Self.names)] = .array(names()) }
        default:
            let keys = key == "patternProperties" ? Self.patterns : Self.names
            for _ in 0...1 { members[one(keys)] = keywords(depth: depth) }
        }
        return (key, .object(members))
    }

    private mutating func names() -> [JSONValue] {
        Self.names.shuffled(using: &random).prefix(count(2)).map { .string($0) }
    }

    private mutating func several(depth: Int) -> JSONValue {
        .array((0...count(2)).map { _ in keywords(depth: depth) })
    }

    private mutating func combination(depth: Int) -> (String, JSONValue) {
        let keys = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"]
        let key = one(mayRefer ? keys + ["$ref"] : keys)
        switch key {
        case "allOf", "anyOf", "oneOf": return (key, several(depth: depth))
        case "$ref": return (key, .string(one(["#/$defs/t", "#/$defs/list", "#/$defs/list/items"])))
        default: return (key, keywords(depth: depth))
        }
    }
}
