// A feature whose parameters are a Swift type: it is decoded before the work begins, and its JSON Schema is made of
// it, so that nobody writes either by hand.

public import BelfryCore
import FoundationEssentials

/// A feature with typed parameters.
///
/// ```swift
/// struct Shout: TypedFeature {
///     struct Params: Codable {
///         var text: String
///         var times: Int
///     }
///     let descriptor = FeatureDescriptor(
///         id: "shout", title: "Says it louder", params: Params.self,
///         ["text": .init("What to say"), "times": .init("How often", default: 1, in: 1...9)]
///     )
///     func process(_ params: Params, _ context: FeatureContext) async throws -> TaskResult { … }
/// }
/// ```
public protocol TypedFeature: Feature {
    /// Each stored property is a parameter. One that is optional, or has a default in its ``ParamField``, need not
    /// be given.
    associatedtype Params: Decodable

    func process(_ params: Params, _ context: FeatureContext) async throws -> TaskResult
}

extension TypedFeature {
    public func accept(_ params: JSONValue, from context: SubmissionContext?) throws -> JSONValue {
        let check = ParamsCheck(feature: descriptor.id, schema: descriptor.paramsSchema)
        let accepted = try check.accept(params, workingDirectory: context?.workingDirectory)
        // A reference to another task's result has no type before that task has ended.
        if !accepted.hasTaskReference { _ = try check.decode(Params.self, from: accepted) }
        return accepted
    }

    public func params(from arguments: [(key: String, value: String)]) throws -> JSONValue {
        ParamsCheck(feature: descriptor.id, schema: descriptor.paramsSchema).params(from: arguments)
    }

    public func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        let check = ParamsCheck(feature: descriptor.id, schema: descriptor.paramsSchema)
        return try await process(try check.decode(Params.self, from: params), context)
    }
}

extension FeatureDescriptor {
    /// A descriptor whose ``paramsSchema`` is that of a type.
    ///
    /// - Parameters:
    ///   - params: A structure whose properties are text, numbers, booleans, enumerations of text that are
    ///     `CaseIterable`, and arrays, dictionaries, optionals and structures of such. It is a mistake of the program
    ///     when it is not, and ends it.
    ///   - fields: What the type does not say of its properties, by their names.
    public init<Params: Decodable>(
        id: String,
        title: String,
        summary: String = "",
        params: Params.Type,
        _ fields: [String: ParamField] = [:]
    ) {
        self.init(id: id, title: title, summary: summary)
        paramsSchema = ParamsSchema(of: params, fields: fields).json
    }
}

extension TaskResult {
    /// A result whose value is that of a Swift type, as its JSON.
    ///
    /// - Throws: what the value's own encoding throws.
    public init(encoding value: some Encodable) throws {
        self.init(value: try JSONCoding.encode(value))
    }
}

/// Between Swift's types and ours.
enum JSONCoding {
    static func encode(_ value: some Encodable) throws -> JSONValue {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = .sortedKeys
        return try JSONValue(parsing: encoder.encode(value))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from json: JSONValue) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(type, from: Data(json.encoded))
    }
}
