// The JSON Schema of a type: the type is decoded from nothing, and what it asks for on the way is written down.

import BelfryCore

struct ParamsSchema {
    let json: JSONValue

    init<Params: Decodable>(of type: Params.Type, fields: [String: ParamField]) {
        let root = SchemaNode()
        let sample: Params
        do { sample = try Params(from: RecordingDecoder(root)) } catch {
            fatalError(
                "\(Params.self) cannot be made into a JSON Schema: \(error). Enumerations must be CaseIterable; what else is odd wants a schema by hand: set the descriptor's paramsSchema."
            )
        }
        guard case .object(var members) = root.json else {
            fatalError("\(Params.self) is no structure: params are an object of named values.")
        }
        var properties = members["properties"]?.object ?? [:]
        let defaults = Self.defaults(of: sample, root)
        for (name, value) in defaults { Self.add(["default": value], to: name, &properties) }
        for (name, field) in fields {
            guard properties[name] != nil else {
                fatalError("\(Params.self) has no property '\(name)' to describe.")
            }
            Self.add(field.schema, to: name, &properties)
        }
        let required = (members["required"]?.array ?? []).filter {
            properties[$0.string ?? ""]?["default"] == nil
        }
        members["properties"] = .object(properties)
        members["required"] = required.isEmpty ? nil : .array(required)
        members["additionalProperties"] = false
        json = .object(members)
    }

    private static func add(_ more: JSONObject, to name: String, _ properties: inout JSONObject) {
        var property = properties[name]?.object ?? [:]
        for (key, value) in more { property[key] = value }
        properties[name] = .object(property)
    }

    /// A property that was asked for as one that may be missing, and is something all the same, has a default.
    private static func defaults(of sample: some Decodable, _ root: SchemaNode) -> JSONObject {
        guard let encodable = sample as? any Encodable, let json = try? JSONCoding.encode(encodable) else {
            return [:]
        }
        var defaults = JSONObject()
        for name in root.optional { defaults.set(name, json[name].flatMap { $0.isNull ? nil : $0 }) }
        return defaults
    }
}

/// What a type asked its decoder for.
final class SchemaNode {
    enum Kind {
        case unknown
        /// A scalar's schema.
        case scalar(JSONObject)
        case array(SchemaNode)
        case object
        /// An object of names that the type does not know.
        case map
    }

    var kind = Kind.unknown
    private(set) var properties: [(name: String, node: SchemaNode)] = []
    private(set) var optional: Set<String> = []
    let depth: Int

    init(depth: Int = 0) { self.depth = depth }

    /// Types that hold themselves have no end; nobody types params that deep.
    var isTooDeep: Bool { depth > 8 }

    func property(_ name: String, isOptional: Bool) -> SchemaNode {
        if isOptional { optional.insert(name) }
        if let known = properties.first(where: { $0.name == name }) { return known.node }
        let node = SchemaNode(depth: depth + 1)
        properties.append((name, node))
        return node
    }

    var json: JSONValue {
        switch kind {
        case .unknown: return [:]
        case .scalar(let schema): return .object(schema)
        case .array(let element): return ["type": "array", "items": element.json]
        case .map: return ["type": "object", "additionalProperties": properties.first?.node.json ?? [:]]
        case .object:
            var members = JSONObject()
            for (name, node) in properties { members[name] = node.json }
            var object: JSONObject = ["type": "object", "properties": .object(members)]
            let required = properties.map(\.name).filter { !optional.contains($0) }
            if !required.isEmpty { object["required"] = .array(required.map { .string($0) }) }
            return .object(object)
        }
    }
}
