// Parameters that nobody but their feature may see. They are marked in the params themselves rather than by
// the schema: a task outlives the plugin that knew which of its parameters were secret.

/// Seals, opens and masks the parts of params that a schema calls `"writeOnly": true`.
public enum SecretParams {
    /// The one key of the object that stands around a sealed value.
    public static let key = "$secret"
    /// What is shown in the place of a sealed value.
    public static let mask = JSONValue.string("***")
    /// As deep as JSON is read; a schema may refer to itself.
    private static let maxDepth = 64

    /// `value` with everything sealed that `schema` calls write-only. Sealed parts stay as they are.
    public static func sealed(_ value: JSONValue, by schema: JSONValue) -> JSONValue {
        sealed(value, by: schema, root: schema, depth: 0)
    }

    /// `value` as it was before it was sealed.
    public static func opened(_ value: JSONValue) -> JSONValue { replaced(value) { opened($0) } }

    /// `value` for everybody to see.
    public static func masked(_ value: JSONValue) -> JSONValue { replaced(value) { _ in mask } }

    private static func content(_ value: JSONValue) -> JSONValue? {
        guard let object = value.object, object.count == 1 else { return nil }
        return object[key]
    }

    private static func replaced(_ value: JSONValue, _ replace: (JSONValue) -> JSONValue) -> JSONValue {
        if let content = content(value) { return replace(content) }
        switch value {
        case .object(let members):
            var members = members
            for (name, member) in members { members[name] = replaced(member, replace) }
            return .object(members)
        case .array(let items): return .array(items.map { replaced($0, replace) })
        default: return value
        }
    }

    private static func sealed(_ value: JSONValue, by schema: JSONValue, root: JSONValue, depth: Int)
        -> JSONValue
    {
        guard depth < maxDepth, content(value) == nil, let keywords = schema.object else { return value }
        if keywords["writeOnly"] == true { return .object([key: value]) }
        var value = value
        for part in applied(keywords, root: root) {
            value = sealed(value, by: part, root: root, depth: depth + 1)
        }
        switch value {
        case .object(var members) where content(value) == nil:
            let properties = keywords["properties"]?.object ?? [:]
            for (name, member) in members {
                guard let part = properties[name] ?? keywords["additionalProperties"] else { continue }
                members[name] = sealed(member, by: part, root: root, depth: depth + 1)
            }
            return .object(members)
        case .array(let items):
            let leading = keywords["prefixItems"]?.array ?? []
            return .array(
                items.enumerated().map { index, item in
                    guard let part = index < leading.count ? leading[index] : keywords["items"] else {
                        return item
                    }
                    return sealed(item, by: part, root: root, depth: depth + 1)
                }
            )
        default: return value
        }
    }

    /// The schemas that speak of the same value.
    private static func applied(_ keywords: JSONObject, root: JSONValue) -> [JSONValue] {
        var parts = ["allOf", "anyOf", "oneOf"].flatMap { keywords[$0]?.array ?? [] }
        parts += ["if", "then", "else"].compactMap { keywords[$0] }
        if let reference = keywords["$ref"]?.string {
            if reference == "#" { parts.append(root) }
            if reference.hasPrefix("#/$defs/"),
                let definition = root["$defs"]?[String(reference.dropFirst(8))]
            {
                parts.append(definition)
            }
        }
        return parts
    }
}
