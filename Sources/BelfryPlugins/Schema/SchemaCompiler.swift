// Turns a schema into nodes, once, and refuses what it does not understand.

import BelfryCore

struct SchemaCompiler {
    static let maxDepth = 32
    static let maxNodes = 2000

    private(set) var nodes: [SchemaNode] = []
    /// Oddities: sentences for people.
    private(set) var warnings: [String] = []
    private var definitions: [String: Int] = [:]
    private var references: [(node: Int, target: String, pointer: String)] = []
    var depth = 0

    /// Compiles a whole document; its root is node 0.
    mutating func compile(_ document: JSONValue) throws {
        let root = try add(document, at: "")
        if let members = document["$defs"]?.object {
            for (name, schema) in members {
                definitions[name] = try add(schema, at: JSONPointer.appending(name, to: "/$defs"))
            }
        }
        try resolveReferences(root: root)
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
        case "$defs": _ = try object(value, at: pointer)
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

    private mutating func resolveReferences(root: Int) throws {
        for (node, target, pointer) in references {
            let prefix = "#/$defs/"
            if target == "#" {
                nodes[node].reference = root
            } else if target.hasPrefix(prefix),
                let index = definitions[JSONPointer.unescaped(String(target.dropFirst(prefix.count)))]
            {
                nodes[node].reference = index
            } else {
                let known = definitions.keys.sorted().map { "#/$defs/\($0)" }
                let fix =
                    known.isEmpty
                    ? "Only #/$defs/NAME in the same schema." : "One of \(known.joined(separator: ", "))."
                throw Self.error("there is no '\(target)' to refer to", at: pointer, fix: fix)
            }
        }
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
        "patternProperties", "propertyNames", "contains", "minContains", "maxContains", "dependentRequired",
        "dependentSchemas", "dependencies", "unevaluatedItems", "unevaluatedProperties", "additionalItems",
        "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$anchor", "divisibleBy",
        "disallow", "extends",
    ]

    private static let advice: [String: String] = [
        "additionalItems": "Write 'items' beside 'prefixItems'.",
        "divisibleBy": "Write 'multipleOf'.",
        "dependencies": "Write 'if' and 'then'.",
        "dependentRequired": "Write 'if' and 'then'.",
        "dependentSchemas": "Write 'if' and 'then'.",
        "$anchor": "Refer to #/$defs/NAME.",
        "unevaluatedProperties": "Write 'additionalProperties'.",
        "unevaluatedItems": "Write 'items' beside 'prefixItems'.",
    ]

    static let annotations: Set<String> = [
        "$schema", "$id", "$comment", "$vocabulary", "title", "description", "examples", "deprecated",
        "readOnly",
        "contentEncoding", "contentMediaType", "contentSchema", "definitions", "nullable", "example", "id",
        "name",
    ]

    static let known: [String] = [
        "type", "enum", "const", "properties", "required", "additionalProperties", "minProperties",
        "maxProperties",
        "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern",
        "format",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "allOf", "anyOf", "oneOf",
        "not",
        "if", "then", "else", "$ref", "$defs", "default", "writeOnly",
    ]
}
