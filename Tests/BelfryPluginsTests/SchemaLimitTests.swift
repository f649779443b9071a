// Schemas, patterns and values that were made to be too much: each is refused, and nothing waits for it.

import BelfryCore
import Testing

@testable import BelfryPlugins

@Suite("Limits of schemas", .timeLimit(.minutes(1)))
struct SchemaLimitTests {
    private func refusal(_ schema: JSONValue) -> BelfryError? {
        do {
            _ = try JSONSchema(schema)
            return nil
        } catch { return error as? BelfryError }
    }

    @Test("a schema that is too deep or has too many parts is refused, and where it became too much is told")
    func largeSchema() {
        var deep: JSONValue = true
        for _ in 0..<32 { deep = ["items": deep] }
        #expect(refusal(deep)?.pointer == String(repeating: "/items", count: 32))
        #expect(refusal(["items": true]) == nil)
        let many = (0..<2000).reduce(into: JSONObject()) { $0["p\($1)"] = true }
        #expect(refusal(["properties": .object(many)])?.pointer == "/properties/p1999")
    }

    @Test(
        "a reference that leads nowhere, out of the document or to itself without end is refused",
        arguments: [
            ("#/$defs/gone", "/$ref"), ("other.json", "/$ref"), ("#/$defs/%ZZ", "/$ref"), ("#", ""),
            ("#/$defs/a", "/$defs/a"),
        ]
    )
    func references(target: String, pointer: String) {
        let schema: JSONValue = [
            "$ref": .string(target),
            "$defs": ["a": ["allOf": [["$ref": "#/$defs/b"]]], "b": ["$ref": "#/$defs/a"]],
        ]
        // An empty pointer is none.
        #expect((refusal(schema)?.pointer ?? "") == pointer)
        #expect(refusal(schema)?.fix != nil)
    }

    @Test("a reference may go to any schema in the document")
    func pointers() throws {
        let schema = try JSONSchema([
            "properties": ["a b": ["type": "integer"], "copy": ["$ref": "#/properties/a%20b"]],
            "definitions": ["x/y": ["items": ["type": "string"]]],
            "additionalProperties": ["$ref": "#/definitions/x~1y/items"],
        ])
        #expect(schema.check(["copy": 1, "more": "text"]).isEmpty)
        #expect(schema.check(["copy": "1"]).first?.pointer == "/copy")
        #expect(schema.check(["more": 1]).first?.pointer == "/more")
    }

    @Test("a schema that doubles its work on each level is given up, and so is a chain that is too long")
    func work() throws {
        let twice: JSONValue = [
            "items": ["anyOf": [["$ref": "#"], ["allOf": [["$ref": "#"]]]]], "type": "array",
        ]
        var value: JSONValue = 1
        for _ in 0..<40 { value = [value] }
        #expect(
            try JSONSchema(twice).check(value).map(\.wanted) == [
                "must be simpler: checking takes too many steps"
            ]
        )
        var links = JSONObject()
        for link in 0..<900 { links["d\(link)"] = ["$ref": .string("#/$defs/d\(link + 1)")] }
        links["d900"] = ["properties": ["next": ["$ref": "#/$defs/d0"]]]
        let chain: JSONValue = ["$ref": "#/$defs/d0", "$defs": .object(links)]
        #expect(try JSONSchema(chain).check([:]).map(\.pointer) == [""])
    }

    @Test("paths are looked for within the same bound, so that no value costs it once for each of its parts")
    func pathWork() throws {
        let again: JSONValue = ["$ref": "#/$defs/dear"]
        let schema = try JSONSchema([
            "anyOf": [again, true], "additionalProperties": ["$ref": "#"],
            "$defs": [
                "dear": [
                    "additionalProperties": ["anyOf": [again, again, again, again, again, again]],
                    "type": "object", "properties": ["file": ["format": "path"]],
                ]
            ],
        ])
        var tree: JSONValue = 1
        for _ in 0..<10 { tree = ["a": tree, "b": tree, "c": tree] }
        // With a bound for each of its 88,000 parts this would take minutes.
        #expect(schema.resolvingPaths(tree, workingDirectory: "/") == tree)
    }

    @Test(
        "a pattern that a backtracking engine never ends with is answered; one that is too much work is refused"
    )
    func patterns() throws {
        let evil = try JSONSchema(["pattern": "^(a+)+$"])
        let text = String(repeating: "a", count: 20_000)
        #expect(evil.check(.string(text)).isEmpty)
        #expect(evil.check(.string(text + "!")).map(\.wanted) == ["must match ^(a+)+$"])
        let heavy = try JSONSchema(["pattern": "(a{0,900}){5}b"])
        #expect(
            heavy.check(.string(text)).map(\.wanted) == ["is too long to be checked against (a{0,900}){5}b"]
        )
        #expect(refusal(["pattern": "(a{1000}){1000}"])?.message.contains("too large") ?? false)
        #expect(
            refusal(["pattern": .string(String(repeating: "(", count: 51))])?.message.contains("deeper")
                ?? false
        )
    }

    @Test("what a schema refuses many times over is told twenty times")
    func manyViolations() throws {
        let schema = try JSONSchema(["properties": ["wanted": true], "additionalProperties": false])
        let value = (0..<50_000).reduce(into: JSONObject()) { $0["wamted\($1)"] = 1 }
        let violations = schema.check(.object(value))
        #expect(violations.count == 20)
        #expect(violations.allSatisfy { $0.wanted.hasPrefix("is not known") })
    }
}
