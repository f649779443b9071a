// A schema after compilation: plain values in one array, which refer to each other by index, so that
// a schema that refers to itself needs no cycle of objects.

import BelfryCore

/// The types that JSON Schema knows.
enum SchemaType: String, CaseIterable, Sendable {
    case null, boolean, integer, number, string, array, object

    /// For people.
    var phrase: String {
        switch self {
        case .null: "null"
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .number: "a number"
        case .string: "text"
        case .array: "a list"
        case .object: "an object"
        }
    }

    func contains(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.null, .null), (.boolean, .bool), (.string, .string), (.array, .array), (.object, .object): true
        case (.integer, .int), (.number, .int), (.number, .double): true
        // JSON has one number type: 3.0 is a whole number.
        case (.integer, .double(let number)): number.rounded(.towardZero) == number
        default: false
        }
    }
}

/// Strings that name something in the file system.
enum PathFormat: String, Sendable {
    /// Must be a readable file when the task is submitted.
    case file
    /// Must be a directory when the task is submitted.
    case directory
    /// Need not exist.
    case path
}

/// One schema object.
struct SchemaNode: Sendable {
    /// Where it stands in the source.
    var pointer: String
    /// The schema `false`.
    var refusesAll = false
    var types: [SchemaType]?
    var choices: [JSONValue]?
    var constant: JSONValue?

    var properties: [String: Int] = [:]
    /// The names in ``properties`` as they were written.
    var propertyNames: [String] = []
    var required: [String] = []
    var additionalProperties: Int?
    var patternProperties: [(pattern: Pattern, schema: Int)] = []
    /// What every name must fit.
    var nameSchema: Int?
    /// The names that must be there beside another one.
    var dependentNames: [String: [String]] = [:]
    /// What the object must fit when it has a name.
    var dependentSchemas: [String: Int] = [:]
    var minProperties: Int?
    var maxProperties: Int?

    var prefixItems: [Int] = []
    var items: Int?
    var minItems: Int?
    var maxItems: Int?
    var hasUniqueItems = false
    var contains: Int?
    var minContains: Int?
    var maxContains: Int?

    var minLength: Int?
    var maxLength: Int?
    var pattern: Pattern?
    var format: PathFormat?

    // Kept as JSON: integers stay exact and are shown as they were written.
    var minimum: JSONValue?
    var maximum: JSONValue?
    var exclusiveMinimum: JSONValue?
    var exclusiveMaximum: JSONValue?
    var multipleOf: JSONValue?

    var reference: Int?
    var allOf: [Int] = []
    var anyOf: [Int] = []
    var oneOf: [Int] = []
    var not: Int?
    var condition: Int?
    var then: Int?
    var otherwise: Int?

    var defaultValue: JSONValue?
    /// The value is a secret: errors do not show it.
    var isWriteOnly = false

    init(pointer: String) { self.pointer = pointer }

    /// The schemas that look at the member `name` of an object.
    func schemas(ofMember name: String) -> [Int] {
        let named = schemas(ofNamed: name)
        return named.isEmpty ? [additionalProperties].compactMap { $0 } : named
    }

    /// Those that speak of the name.
    func schemas(ofNamed name: String) -> [Int] {
        let exact = [properties[name]].compactMap { $0 }
        if patternProperties.isEmpty { return exact }
        // A name that is too long for a pattern is checked as if it fitted.
        return exact + patternProperties.filter { $0.pattern.matches(name) ?? true }.map(\.schema)
    }

    /// The schemas that look at the same value as this one.
    var inPlace: [Int] {
        [reference, not, condition, then, otherwise].compactMap { $0 } + allOf + anyOf + oneOf
            + dependentSchemas.values
    }
}

extension JSONValue {
    /// Equality as JSON Schema has it: numbers by value, objects without order, strings by scalar.
    func isSame(as other: JSONValue) -> Bool {
        switch (self, other) {
        case (.int(let left), .int(let right)): left == right
        case (.int, .double), (.double, .int), (.double, .double): double == other.double
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isSame(as: $1) }
        case (.object(let left), .object(let right)):
            left.count == right.count && left.allSatisfy { right[$0.key]?.isSame(as: $0.value) ?? false }
        default: self == other
        }
    }

    /// The same for every value that ``isSame(as:)`` calls the same.
    var identity: [UInt8] { numbersUnified.canonical.encoded }

    private var numbersUnified: JSONValue {
        switch self {
        case .double(let number): Int64(exactly: number).map { .int($0) } ?? self
        case .array(let items): .array(items.map(\.numbersUnified))
        case .object(let members):
            .object(members.reduce(into: JSONObject()) { $0[$1.key] = $1.value.numbersUnified })
        default: self
        }
    }

    /// The value in an error for people: JSON, cut after 60 characters.
    var excerpt: String {
        let text = text
        return text.count <= 60 ? text : text.prefix(57) + "…"
    }
}
