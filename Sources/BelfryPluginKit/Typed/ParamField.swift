// What a type does not say of its properties: what they are for, and what they may be.

public import BelfryCore

/// What is to be said of one parameter beyond its type.
public struct ParamField: Sendable {
    /// Members of JSON Schema, laid over what the type gives.
    public let schema: JSONObject

    /// - Parameters:
    ///   - description: what it is for, in a few words.
    ///   - default: what it is when it is not given. Defaults to none: it must be given, unless it is optional.
    ///   - range: the bounds of a number, both included.
    ///   - values: all that it may be.
    public init(
        _ description: String? = nil,
        default: JSONValue? = nil,
        in range: ClosedRange<Double>? = nil,
        values: [JSONValue]? = nil
    ) {
        var object = JSONObject()
        object.set("description", description.map { .string($0) })
        object.set("default", `default`)
        object.set("minimum", range.map { .double($0.lowerBound) })
        object.set("maximum", range.map { .double($0.upperBound) })
        object.set("enum", values.map { .array($0) })
        schema = object
    }

    /// A file that must be there. Relative paths mean what they mean where the task is submitted.
    public static func file(_ description: String? = nil) -> ParamField { text(description, format: "file") }

    /// A path. Relative ones mean what they mean where the task is submitted.
    public static func path(_ description: String? = nil) -> ParamField { text(description, format: "path") }

    /// Any members of JSON Schema.
    public static func schema(_ members: JSONObject) -> ParamField { ParamField(members: members) }

    private static func text(_ description: String?, format: String) -> ParamField {
        var object = ParamField(description).schema
        object["format"] = .string(format)
        return ParamField(members: object)
    }

    private init(members: JSONObject) { schema = members }
}
