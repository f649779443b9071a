// The decoder that a type is decoded with to learn what it asks for. It answers with the plainest value there is.

import BelfryCore
import FoundationEssentials

struct RecordingDecoder: Decoder {
    let node: SchemaNode
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ node: SchemaNode) { self.node = node }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        if case .unknown = node.kind { node.kind = .object }
        return KeyedDecodingContainer(RecordedKeys(node: node))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer {
        let element = SchemaNode(depth: node.depth + 1)
        node.kind = .array(element)
        return RecordedElements(node: element)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { RecordedValue(node: node) }

    /// Writes down what `type` is, and makes one.
    static func record<Value: Decodable>(_ type: Value.Type, in node: SchemaNode) throws -> Value {
        if let scalar = type as? any RecordedScalar.Type, let value = scalar.plainest as? Value {
            node.kind = .scalar(scalar.schema)
            return value
        }
        if let choice = type as? any CaseIterable.Type,
            let value = try record(choice: choice, in: node) as? Value
        {
            return value
        }
        return try Value(from: RecordingDecoder(node))
    }

    /// An enumeration of texts or numbers; nil for any other.
    private static func record(choice type: any CaseIterable.Type, in node: SchemaNode) throws -> Any? {
        func cases<Choice: CaseIterable>(_ type: Choice.Type) -> [any RawRepresentable] {
            Array(type.allCases).compactMap { $0 as? any RawRepresentable }
        }
        let all = cases(type)
        let values = all.compactMap { choice -> JSONValue? in
            let raw: Any = choice.rawValue
            return (raw as? String).map { .string($0) } ?? (raw as? Int).map { .int(Int64($0)) }
        }
        guard !values.isEmpty, values.count == all.count else { return nil }
        node.kind = .scalar(["enum": .array(values)])
        return all.first
    }
}

/// A type that JSON has itself, or that has one text for each value.
protocol RecordedScalar {
    static var schema: JSONObject { get }
    static var plainest: Self { get }
}

extension RecordedScalar where Self: FixedWidthInteger {
    static var schema: JSONObject { isSigned ? ["type": "integer"] : ["type": "integer", "minimum": 0] }
    static var plainest: Self { 0 }
}

extension Int: RecordedScalar {}
extension Int8: RecordedScalar {}
extension Int16: RecordedScalar {}
extension Int32: RecordedScalar {}
extension Int64: RecordedScalar {}
extension UInt: RecordedScalar {}
extension UInt8: RecordedScalar {}
extension UInt16: RecordedScalar {}
extension UInt32: RecordedScalar {}
extension UInt64: RecordedScalar {}

extension Double: RecordedScalar {
    static var schema: JSONObject { ["type": "number"] }
    static var plainest: Double { 0 }
}
extension Float: RecordedScalar {
    static var schema: JSONObject { ["type": "number"] }
    static var plainest: Float { 0 }
}
extension Bool: RecordedScalar {
    static var schema: JSONObject { ["type": "boolean"] }
    static var plainest: Bool { false }
}
extension String: RecordedScalar {
    static var schema: JSONObject { ["type": "string"] }
    static var plainest: String { "" }
}
extension URL: RecordedScalar {
    static var schema: JSONObject { ["type": "string"] }
    static var plainest: URL { URL(filePath: "/") }
}
extension UUID: RecordedScalar {
    static var schema: JSONObject { ["type": "string"] }
    static var plainest: UUID { UUID() }
}
extension Date: RecordedScalar {
    static var schema: JSONObject {
        ["type": "string", "description": "A time, such as 2026-07-28T12:00:00Z"]
    }
    static var plainest: Date { Date(timeIntervalSince1970: 0) }
}
extension Data: RecordedScalar {
    static var schema: JSONObject { ["type": "string", "description": "Bytes in base64"] }
    static var plainest: Data { Data() }
}
