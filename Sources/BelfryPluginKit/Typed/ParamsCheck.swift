// Checks params against what a typed feature says of them, where no hub has done it: in-process, and for other hosts
// of MCP. The type itself does most of it; this adds what a type cannot say.

import BelfryCore

struct ParamsCheck {
    let feature: String
    let schema: JSONValue

    /// The params with their defaults, and with paths that mean the same everywhere.
    ///
    /// - Throws: ``BelfryError`` `invalid_params` that points at the parameter.
    func accept(_ params: JSONValue, workingDirectory: String?) throws -> JSONValue {
        guard var members = params.object else { throw error("", "must be an object") }
        let properties = schema["properties"]?.object ?? [:]
        if schema["additionalProperties"]?.bool == false {
            for key in members.keys where properties[key] == nil { throw unknown(key, properties.keys) }
        }
        for (name, property) in properties {
            guard let value = members[name] ?? property["default"] else { continue }
            try check(value, name, property)
            members[name] = resolved(value, property["format"]?.string, workingDirectory)
        }
        return .object(members)
    }

    private func check(_ value: JSONValue, _ name: String, _ property: JSONValue) throws {
        guard !value.hasTaskReference else { return }
        if let values = property["enum"]?.array, !value.isNull, !values.contains(value) {
            let all = values.map { $0.string ?? $0.text }.joined(separator: ", ")
            throw error(name, "must be one of: \(all)")
        }
        guard let number = value.double else { return }
        if let least = property["minimum"]?.double, number < least {
            throw error(name, "must be at least \(text(least))")
        }
        if let most = property["maximum"]?.double, number > most {
            throw error(name, "must be at most \(text(most))")
        }
    }

    private func text(_ number: Double) -> String { JSONValue.double(number).text }

    private func resolved(_ value: JSONValue, _ format: String?, _ directory: String?) -> JSONValue {
        guard format == "file" || format == "path", let path = value.string, let directory,
            !path.hasPrefix("/"),
            !value.hasTaskReference
        else { return value }
        return .string("\(directory)/\(path)")
    }

    private func unknown(_ key: String, _ known: [String]) -> BelfryError {
        let hint = NameSuggestion.closest(to: key, among: known).map { "; did you mean '\($0)'?" } ?? "."
        return BelfryError(
            .invalidParams,
            "\(feature) has no parameter '\(key)'\(hint)",
            fix: "Its parameters: \(known.joined(separator: ", "))",
            pointer: "/\(key)"
        )
    }

    private func error(_ name: String, _ what: String) -> BelfryError {
        BelfryError(
            .invalidParams,
            name.isEmpty
                ? "The params of \(feature) \(what)." : "The parameter '\(name)' of \(feature) \(what).",
            pointer: "/\(name)"
        )
    }

    /// What was typed for a text is that text, for anything else it is JSON.
    func params(from arguments: [(key: String, value: String)]) -> JSONValue {
        var object = JSONObject()
        for (key, value) in arguments {
            let type = schema["properties"]?[key]?["type"]?.string
            let parsed = type == "string" ? nil : try? JSONValue(parsing: value)
            object[key] = parsed ?? .string(value)
        }
        return .object(object)
    }

    /// - Throws: ``BelfryError`` `invalid_params` that points at the parameter.
    func decode<Params: Decodable>(_ type: Params.Type, from params: JSONValue) throws -> Params {
        do { return try JSONCoding.decode(type, from: params) } catch let error as DecodingError {
            switch error {
            case .keyNotFound(let key, let context): throw wrong(context.codingPath + [key], "is missing")
            case .valueNotFound(_, let context): throw wrong(context.codingPath, "must not be null")
            case .typeMismatch(let type, let context):
                throw wrong(context.codingPath, "must be \(Self.name(of: type))")
            case .dataCorrupted(let context):
                throw wrong(context.codingPath, "is wrong: \(context.debugDescription)")
            @unknown default: throw wrong([], "are wrong: \(error)")
            }
        }
    }

    private func wrong(_ path: [any CodingKey], _ what: String) -> BelfryError {
        error(path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: "/"), what)
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any FixedWidthInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type: "a number"
        case is [Any].Type: "a list"
        default: "\(type)"
        }
    }
}
