// The arguments of a call, held against what the tool's definition says of them: a wrong one would silently be without
// effect, and a model learns from being told.

import BelfryAPI
import BelfryCore

/// The arguments of a call, all of them known and of the kind that the definition says. Null is as good as missing.
struct ToolArguments {
    private let members: JSONObject

    /// - Throws: ``BelfryError`` `invalid_params` or `invalid_request` that names the argument and what it must be.
    init(_ json: JSONValue, of tool: HubTools.Tool) throws {
        let given = try JSONReader(json, what: "call of \(tool.rawValue)").members(
            among: tool.parameters.keys
        )
        var members = JSONObject()
        for (name, value) in given where !value.isNull {
            if let rule = tool.parameters[name], !ArgumentRule(rule).takes(value) {
                throw BelfryError(
                    .invalidParams,
                    "'\(name)' must be \(ArgumentRule(rule).words), not \(value.text.truncated(toUTF8: 80)).",
                    pointer: "/\(name)"
                )
            }
            members[name] = value
        }
        self.members = members
    }

    subscript(name: String) -> JSONValue? { members[name] }
    func string(_ name: String) -> String? { members[name]?.string }
    func int(_ name: String) -> Int64? { members[name]?.int }
    func strings(_ name: String) -> [String] { (members[name]?.array ?? []).compactMap(\.string) }

    func required(_ name: String) throws -> String {
        guard let text = string(name), !text.isEmpty else {
            throw BelfryError(.invalidParams, "'\(name)' is missing.", pointer: "/\(name)")
        }
        return text
    }

    /// Where the API has the task.
    func taskPath() throws -> String {
        guard let name = members["task"]?.taskName, !name.isEmpty else {
            throw BelfryError(
                .invalidParams,
                "'task' is missing.",
                fix: "Give its number; call list to find it.",
                pointer: "/task"
            )
        }
        return "/v1/tasks/\(URLText.encode(name))"
    }
}

/// The part of JSON Schema that the tools' definitions are written in.
private struct ArgumentRule {
    private let schema: JSONValue

    init(_ schema: JSONValue) { self.schema = schema }

    private var types: [String] { (schema["type"]?.array ?? [schema["type"] ?? .null]).compactMap(\.string) }

    func takes(_ value: JSONValue) -> Bool {
        if let choices = schema["enum"]?.array { return choices.contains(value) }
        guard types.contains(where: { Self.has(value, the: $0) }) else { return false }
        if let number = value.double {
            if let least = schema["minimum"]?.double, number < least { return false }
            if let most = schema["maximum"]?.double, number > most { return false }
        }
        guard let items = value.array else { return true }
        let rule = schema["items"].map(ArgumentRule.init)
        return items.count >= schema["minItems"]?.int ?? 0 && items.allSatisfy { rule?.takes($0) ?? true }
    }

    private static func has(_ value: JSONValue, the type: String) -> Bool {
        switch type {
        case "integer": value.int != nil
        case "number": value.double != nil
        default: value.typeName == type
        }
    }

    /// For people: `a number from 0 to 55`.
    var words: String {
        if let choices = schema["enum"]?.array { return choices.map(\.text).joined(separator: ", ") }
        let kinds = types.map { Self.names[$0] ?? $0 }.joined(separator: " or ")
        if let least = schema["minimum"]?.text, let most = schema["maximum"]?.text {
            return "\(kinds) from \(least) to \(most)"
        }
        guard let items = schema["items"] else { return kinds }
        return "\(kinds), each \(ArgumentRule(items).words)"
    }

    private static let names = [
        "string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
        "array": "a list", "object": "an object",
    ]
}
