// Turns a schema into nodes, once, and refuses what it does not understand.

import BelfryCore

struct SchemaCompiler {
    static let maxDepth = 32
    static let maxNodes = 2000

    private(set) var nodes: [SchemaNode] = []
    /// Oddities: sentences for people.
    private(set) var warnings: [String] = []
    /// The schemas by where they stand, which is what a reference names.
    private var locations: [String: Int] = [:]
    private var references: [(node: Int, target: String, pointer: String)] = []
    var depth = 0

    /// Compiles a whole document; its root is node 0.
    mutating func compile(_ document: JSONValue) throws {
        _ = try add(document, at: "")
        noteDialect(document)
        try resolveReferences()
        try refuseEndlessReferences()
    }

    /// Compiles one schema and returns its index.
    mutating func add(_ schema: JSONValue, at pointer: String) throws -> Int {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maxDepth, nodes.count < Self.maxNodes else {
            throw Self.error(
                "the schema is larger than \(Self.maxNodes) parts or nested deeper than \(Self.maxDepth) levels",
                at: pointer,
                fix: "Check less here and the rest in the plugin."
            )
        }
        let index = nodes.count
        nodes.append(SchemaNode(pointer: pointer))
        locations[pointer] = index
        var node = nodes[index]
        switch schema {
        case .bool(let accepts): node.refusesAll = !accepts
        case .object(let members):
            for (keyword, value) in members {
                try read(
                    keyword,
                    value,
                    at: JSONPointer.appending(keyword, to: pointer),
                    into: &node,
                    index: index
                )
            }
        default:
            throw Self.error(
                "a schema must be an object, true or false; got \(schema.excerpt)",
                at: pointer,
                fix: "Write {\"type\": …}."
            )
        }
        nodes[index] = node
        return index
    }

    private mutating func read(
        _ keyword: String,
        _ value: JSONValue,
        at pointer: String,
        into node: inout SchemaNode,
        index: Int
    ) throws {
        if try readValueKeyword(keyword, value, at: pointer, into: &node) { return }
        if try readContainerKeyword(keyword, value, at: pointer, into: &node) { return }
        if try readCombination(keyword, value, at: pointer, into: &node) { return }
        switch keyword {
        case "$ref": references.append((index, try string(value, at: pointer), pointer))
        case "$defs", "definitions":
            for (name, schema) in try object(value, at: pointer) {
                _ = try add(schema, at: JSONPointer.appending(name, to: pointer))
            }
        case "$id" where index != 0:
            throw Self.error(
                "'$id' inside of a schema would change what its references mean",
                at: pointer,
                fix: "Leave it out, and refer to #/$defs/NAME."
            )
        case "default": node.defaultValue = value
        case "writeOnly": node.isWriteOnly = try bool(value, at: pointer)
        case "format": node.format = PathFormat(rawValue: try string(value, at: pointer))
        case let unsupported where Self.unsupported.contains(unsupported):
            throw Self.error(
                "the keyword '\(unsupported)' is outside of the supported part of JSON Schema",
                at: pointer,
                fix: Self.advice[unsupported] ?? "Leave it out and check this in the plugin."
            )
        default: noteUnknown(keyword, at: pointer)
        }
    }

    /// Unknown keywords are annotations, unless they look like a slip of one that checks.
    private mutating func noteUnknown(_ keyword: String, at pointer: String) {
        guard !Self.annotations.contains(keyword), !keyword.hasPrefix("x-"),
            let meant = NameSuggestion.closest(to: keyword, among: Self.known)
        else { return }
        warnings.append("\(pointer): '\(keyword)' checks nothing; did you mean '\(meant)'?")
    }

    /// A schema that says of itself that it is written in something else is read as 2020-12 all the same.
    private mutating func noteDialect(_ document: JSONValue) {
        guard let dialect = document["$schema"]?.string,
            !["https://json-schema.org/", "http://json-schema.org/"].contains(where: dialect.hasPrefix)
        else { return }
        warnings.append("/$schema: \(dialect) is not known; the schema is read as JSON Schema 2020-12")
    }

    private mutating func resolveReferences() throws {
        for (node, target, pointer) in references {
            if target.hasPrefix("#"), let path = Self.percentDecoded(target.dropFirst()),
                let index = locations[path]
            {
                nodes[node].reference = index
                continue
            }
            let known = locations.keys.filter {
                $0.hasPrefix("/$defs/") && $0.split(separator: "/").count == 2
            }
            let names = known.sorted().map { "#\($0)" }
            throw Self.error(
                "there is no '\(target)' to refer to",
                at: pointer,
                fix: names.isEmpty
                    ? "Refer to #/$defs/NAME in the same schema." : "One of \(names.joined(separator: ", "))."
            )
        }
    }

    /// A fragment of a URI as text; nil when it is not UTF-8.
    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// A schema that leads to itself without going into the value would never come to an end.
    private func refuseEndlessReferences() throws {
        var isDone = Array(repeating: false, count: nodes.count)
        var isOpen = isDone
        func visit(_ index: Int) throws {
            if isDone[index] { return }
            if isOpen[index] {
                throw Self.error(
                    "the schema refers to itself without end",
                    at: nodes[index].pointer,
                    fix: "Let it refer to itself only inside of properties or items."
                )
            }
            isOpen[index] = true
            for next in nodes[index].inPlace { try visit(next) }
            isOpen[index] = false
            isDone[index] = true
        }
        for index in nodes.indices { try visit(index) }
    }

    static func error(_ reason: String, at pointer: String, fix: String) -> BelfryError {
        BelfryError(.invalidPlugin, reason, fix: fix, pointer: pointer)
    }
}

extension SchemaCompiler {
    /// Keywords of JSON Schema that check something and that the subset does not have.
    static let unsupported: Set<String> = [
        "dependencies", "unevaluatedItems", "unevaluatedProperties", "additionalItems",
        "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$anchor", "divisibleBy",
        "disallow", "extends",
    ]

    private static let advice: [String: String] = [
        "additionalItems": "Write 'items' beside 'prefixItems'.",
        "divisibleBy": "Write 'multipleOf'.",
        "dependencies": "Write 'dependentRequired' or 'dependentSchemas'.",
        "$anchor": "Refer to #/$defs/NAME.",
        "unevaluatedProperties": "Write 'additionalProperties'.",
        "unevaluatedItems": "Write 'items' beside 'prefixItems'.",
    ]

    static let annotations: Set<String> = [
        "$schema", "$id", "$comment", "$vocabulary", "title", "description", "examples", "deprecated",
        "readOnly",
        "contentEncoding", "contentMediaType", "contentSchema", "nullable", "example", "id",
        "name",
    ]

    static let known: [String] = [
        "type", "enum", "const", "properties", "required", "additionalProperties", "minProperties",
        "maxProperties", "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas",
        "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains",
        "maxContains",
        "minLength", "maxLength", "pattern",
        "format",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "allOf", "anyOf", "oneOf",
        "not",
        "if", "then", "else", "$ref", "$defs", "definitions", "default", "writeOnly",
    ]
}
