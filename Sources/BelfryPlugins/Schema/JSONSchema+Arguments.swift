// `key=value` as typed in a shell becomes JSON by what the schema says the key is, so that nobody
// has to quote `"4"` against `4`.

public import BelfryCore

extension JSONSchema {
    /// Makes parameters of `key=value` arguments.
    ///
    /// A number, `true` or `false` (also yes, no, on, off) is taken as that where the schema wants
    /// it, and as text where it wants text. A list is a key given several times, or JSON; an object is JSON.
    /// Text that speaks of an earlier task (``TaskReference``) stays as it is, whatever the schema wants.
    ///
    /// - Parameter featureID: names the feature in the fix.
    /// - Throws: ``BelfryError`` `invalid_params` that names the parameter and points at it.
    public func coerce(_ pairs: [(key: String, value: String)], featureID: String? = nil) throws -> JSONValue
    {
        var order: [String] = []
        var texts: [String: [String]] = [:]
        for (key, value) in pairs {
            if texts[key] == nil { order.append(key) }
            texts[key, default: []].append(value)
        }
        var params = JSONObject()
        for key in order {
            let argument = Argument(key: key, texts: texts[key] ?? [], featureID: featureID)
            params[key] = try coerce(argument)
        }
        return .object(params)
    }

    /// One parameter and everything that was given for it.
    private struct Argument {
        let key: String
        let texts: [String]
        let featureID: String?
    }

    private func error(_ argument: Argument, _ sentence: String, choice: String? = nil) -> BelfryError {
        let pointer = JSONPointer.appending(argument.key, to: "")
        let violation = Violation(pointer: pointer, wanted: sentence, got: nil, choice: choice)
        return BelfryError(
            .invalidParams,
            "'\(argument.key)' \(sentence)",
            fix: fix(violation, featureID: argument.featureID),
            pointer: pointer
        )
    }

    private func coerce(_ argument: Argument) throws -> JSONValue {
        let schemas = try schemas(for: argument)
        guard let schema = schemas.first else { return try Self.untyped(argument.texts) }
        if argument.texts.count == 1 { return try coerce(argument.texts[0], schema, argument) }
        guard let items = shape(of: schema).first(where: { types(of: $0)?.contains(.array) ?? false }) else {
            throw error(argument, "is given \(argument.texts.count) times, and it is no list")
        }
        return .array(
            try argument.texts.enumerated().map { offset, text in
                try coerce(text, item: offset, of: items, argument)
            }
        )
    }

    /// The schemas of a named parameter; none when the schema says nothing about it and takes it.
    ///
    /// Stricter than the schema about unknown names: a slip in a shell is likelier than an extra.
    private func schemas(for argument: Argument) throws -> [Int] {
        let shape = shape(of: 0)
        let named = shape.flatMap { nodes[$0].schemas(ofNamed: argument.key) }
        if !named.isEmpty { return named }
        let extras = shape.compactMap { nodes[$0].additionalProperties }.filter { !nodes[$0].refusesAll }
        let names = parameterNames
        if names.isEmpty || !extras.isEmpty { return extras }
        let meant = NameSuggestion.closest(to: argument.key, among: names)
        throw error(argument, meant.map { "is not known; did you mean '\($0)'?" } ?? "is not known")
    }

    private static func untyped(_ texts: [String]) throws -> JSONValue {
        let values = texts.map { text in (try? JSONValue(parsing: text)) ?? .string(text) }
        return values.count == 1 ? values[0] : .array(values)
    }

    private func coerce(_ text: String, item offset: Int, of list: Int, _ argument: Argument) throws
        -> JSONValue
    {
        let prefix = nodes[list].prefixItems
        guard let schema = offset < prefix.count ? prefix[offset] : nodes[list].items else {
            return try Self.untyped([text])
        }
        return try coerce(text, schema, argument)
    }

    /// The first reading of `text` that fits, or the complaint about the likeliest.
    private func coerce(_ text: String, _ schema: Int, _ argument: Argument) throws -> JSONValue {
        let readings = try Self.isReference(text) ? [.string(text)] : readings(of: text, schema, argument)
        var complaint: Violation?
        for reading in readings {
            var checker = SchemaChecker(nodes: nodes, checksFiles: false)
            guard let violation = checker.violations(of: reading, by: schema).first else { return reading }
            complaint = complaint ?? violation
        }
        // In the words of the type: nobody who typed `abc` for a number typed quotes.
        let sentence = complaint?.sentence ?? "cannot be read: \(text)"
        throw error(argument, sentence, choice: complaint?.choice)
    }

    /// Whether text speaks of an earlier task; a list or an object in JSON is read, and may do so inside.
    private static func isReference(_ text: String) -> Bool {
        guard text.hasTaskReference else { return false }
        let json = try? JSONValue(parsing: text)
        return json?.array == nil && json?.object == nil
    }

    private func readings(of text: String, _ schema: Int, _ argument: Argument) throws -> [JSONValue] {
        let shape = shape(of: schema)
        let wanted = Set(shape.flatMap { types(of: $0) ?? [] })
        let json = try? JSONValue(parsing: text)
        guard !wanted.isEmpty else { return [json, .string(text)].compactMap { $0 } }
        var readings: [JSONValue] = []
        if let json, wanted.contains(where: { $0 != .string && $0.contains(json) }) { readings.append(json) }
        if wanted.contains(.integer) || wanted.contains(.number), let json, json.double != nil {
            readings.append(json)
        }
        if wanted.contains(.boolean) {
            readings += Self.switches[text.lowercased()].map { [.bool($0)] } ?? []
        }
        if wanted.contains(.array), json?.array == nil,
            let list = shape.first(where: { types(of: $0)?.contains(.array) ?? false }),
            let item = try? coerce(text, item: 0, of: list, argument)
        {
            readings.append(.array([item]))
        }
        if wanted.contains(.string) {
            readings.append(.string(text))
        } else if readings.isEmpty {
            // What was typed as an object is told of as one.
            let isNested = json?.object != nil || json?.array != nil
            readings.append(isNested ? json ?? .string(text) : .string(text))
        }
        return readings
    }

    private static let switches: [String: Bool] = [
        "true": true, "yes": true, "on": true, "1": true, "false": false, "no": false, "off": false,
        "0": false,
    ]

    /// What a schema says its values are, by `type` or by the values it lists.
    private func types(of index: Int) -> [SchemaType]? {
        let node = nodes[index]
        if let types = node.types { return types }
        if let values = node.choices ?? node.constant.map({ [$0] }) {
            return SchemaType.allCases.filter { type in values.contains(where: type.contains) }
        }
        if node.items != nil || !node.prefixItems.isEmpty { return [.array] }
        if !node.properties.isEmpty { return [.object] }
        if node.pattern != nil || node.format != nil || node.minLength != nil || node.maxLength != nil {
            return [.string]
        }
        if node.minimum != nil || node.maximum != nil || node.multipleOf != nil { return [.number] }
        return nil
    }
}
