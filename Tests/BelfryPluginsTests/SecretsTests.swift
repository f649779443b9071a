// Which parts of params are secrets, by the schema's `writeOnly`.

import BelfryCore
import Testing

@testable import BelfryPlugins

@Suite("Secrets in parameters")
struct SecretsTests {
    private func paths(_ schema: JSONValue, _ value: JSONValue) throws -> [String] {
        try JSONSchema(schema).writeOnlyPaths(in: value)
    }

    private let secret: JSONValue = ["type": "string", "writeOnly": true]

    @Test("a secret is found wherever it stands, also in lists, under any name and behind a reference")
    func places() throws {
        let schema: JSONValue = [
            "properties": [
                "key": secret, "a/b": secret,
                "servers": ["items": ["properties": ["token": ["$ref": "#/$defs/token"], "name": true]]],
                "pair": ["prefixItems": [true, secret], "items": false],
                "headers": ["properties": ["accept": true], "additionalProperties": secret],
            ],
            "$defs": ["token": ["allOf": [secret]]],
        ]
        let value: JSONValue = [
            "a/b": "1", "key": "2", "other": "3", "servers": [["name": "n", "token": "4"], ["token": "5"]],
            "pair": ["6", "7"], "headers": ["accept": "8", "authorization": "9"],
        ]
        #expect(
            try Set(paths(schema, value)) == [
                "/a~1b", "/key", "/servers/0/token", "/servers/1/token", "/pair/1", "/headers/authorization",
            ]
        )
        #expect(try JSONSchema(schema).hasWriteOnly)
    }

    @Test("what any form calls a secret is one, whichever form the value has", arguments: ["anyOf", "oneOf"])
    func forms(keyword: String) throws {
        let schema: JSONValue = [
            "properties": ["login": .object([keyword: [["type": "integer"], secret]])]
        ]
        #expect(try paths(schema, ["login": 7]) == ["/login"])
        let branches: JSONValue = ["if": true, "then": true, "else": ["properties": ["pin": secret]]]
        #expect(try paths(branches, ["pin": "1"]) == ["/pin"])
    }

    @Test("a secret object or list is told once, as a whole; the whole value is the empty pointer")
    func whole() throws {
        let object: JSONValue = ["writeOnly": true, "properties": ["password": secret]]
        #expect(try paths(["properties": ["login": object]], ["login": ["password": "x"]]) == ["/login"])
        #expect(try paths(object, ["password": "x"]) == [""])
    }

    @Test("secrets are found to the depth of the value in a schema that refers to itself")
    func recursion() throws {
        let schema: JSONValue = ["properties": ["next": ["$ref": "#"], "key": secret]]
        #expect(try paths(schema, ["key": 1, "next": ["next": ["key": 2]]]) == ["/key", "/next/next/key"])
    }

    @Test("a schema without secrets finds none, and writeOnly false is none")
    func none() throws {
        let schema: JSONValue = ["properties": ["key": ["writeOnly": false]]]
        #expect(try paths(schema, ["key": "x"]).isEmpty)
        #expect(try !JSONSchema(schema).hasWriteOnly)
    }
}
