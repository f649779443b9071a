// Secret params are sealed by their schema, and masked without it.

import BelfryCore
import Testing

@Suite("Secret params")
struct SecretParamsTests {
    private let schema: JSONValue = [
        "type": "object", "$defs": ["key": ["type": "string", "writeOnly": true]],
        "properties": [
            "name": ["type": "string"], "token": ["type": "string", "writeOnly": true],
            "keys": ["type": "array", "items": ["$ref": "#/$defs/key"]],
            "inner": ["allOf": [["properties": ["pin": ["writeOnly": true]]]]],
        ],
    ]
    private let params: JSONValue = [
        "name": "n", "token": "t0ken", "keys": ["k1", "k2"], "inner": ["pin": 1234, "open": true],
    ]

    @Test("everything that is write-only is masked, wherever the schema says so, and opens as it was")
    func sealing() {
        let sealed = SecretParams.sealed(params, by: schema)
        #expect(
            SecretParams.masked(sealed) == [
                "name": "n", "token": "***", "keys": ["***", "***"], "inner": ["pin": "***", "open": true],
            ]
        )
        #expect(SecretParams.opened(sealed) == params)
        #expect(SecretParams.sealed(sealed, by: schema) == sealed)
    }

    @Test("a schema that refers to itself ends")
    func recursion() {
        let schema: JSONValue = ["$ref": "#"]
        #expect(SecretParams.sealed(["a": 1], by: schema) == ["a": 1])
    }
}
