// Workflows that say themselves where things go: `{{prompt}}`, `{{seed}}` and others in their inputs.

import BelfryCore

extension Workflow {
    /// The places that the workflow names.
    var places: Set<String> {
        var found: Set<String> = []
        for (_, node) in nodes { Self.eachPlace(in: node["inputs"] ?? .null) { found.insert($0) } }
        return found
    }

    /// Puts the values where the workflow says, or where its nodes take them when it says nothing.
    mutating func fill(_ values: WorkflowValues) throws {
        let places = places
        guard !places.isEmpty else { return try fillNodes(values) }
        if let unknown = places.sorted().first(where: { !WorkflowValues.names.contains($0) }) {
            throw TaskFailure(
                "bad_workflow",
                "The workflow has a place '{{\(unknown)}}', which is none.",
                fix: "There are \(WorkflowValues.names.map { "{{\($0)}}" }.joined(separator: ", "))."
            )
        }
        try values.requirePlaces(places) {
            "Write {{\($0)}} as the value of the input that takes it, or leave it out."
        }
        for (name, node) in nodes {
            guard var object = node.object, let inputs = object["inputs"] else { continue }
            object["inputs"] = Self.filled(inputs, values.values)
            nodes[name] = .object(object)
        }
    }

    /// A text that is one place becomes the value itself, so that numbers stay numbers; elsewhere its words.
    private static func filled(_ value: JSONValue, _ values: [String: JSONValue]) -> JSONValue {
        switch value {
        case .string(let text):
            let pieces = pieces(text)
            if pieces.count == 1, case .place(let name) = pieces[0] { return values[name] ?? value }
            return .string(pieces.map { $0.text(values) }.joined())
        case .array(let items): return .array(items.map { filled($0, values) })
        case .object(let members):
            var result = JSONObject()
            for (key, member) in members { result[key] = filled(member, values) }
            return .object(result)
        default: return value
        }
    }

    private static func eachPlace(in value: JSONValue, _ body: (String) -> Void) {
        switch value {
        case .string(let text): for case .place(let name) in pieces(text) { body(name) }
        case .array(let items): for item in items { eachPlace(in: item, body) }
        case .object(let members): for (_, member) in members { eachPlace(in: member, body) }
        default: break
        }
    }

    private enum Piece {
        case text(Substring)
        case place(String)

        func text(_ values: [String: JSONValue]) -> String {
            switch self {
            case .text(let text): String(text)
            case .place(let name): values[name].map { $0.string ?? $0.text } ?? ""
            }
        }
    }

    private static func pieces(_ text: String) -> [Piece] {
        var pieces: [Piece] = []
        var rest = text[...]
        while let match = rest.firstMatch(of: #/\{\{ *([a-z_]+) *\}\}/#) {
            if match.range.lowerBound > rest.startIndex {
                pieces.append(.text(rest[..<match.range.lowerBound]))
            }
            pieces.append(.place(String(match.output.1)))
            rest = rest[match.range.upperBound...]
        }
        if !rest.isEmpty || pieces.isEmpty { pieces.append(.text(rest)) }
        return pieces
    }
}
