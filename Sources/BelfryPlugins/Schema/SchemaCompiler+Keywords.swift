// The keywords of the subset, each with the check of its own form.

import BelfryCore

extension SchemaCompiler {
    /// Keywords about one value. False when `keyword` is none of them.
    func readValueKeyword(
        _ keyword: String,
        _ value: JSONValue,
        at pointer: String,
        into node: inout SchemaNode
    ) throws -> Bool {
        switch keyword {
        case "type": node.types = try types(value, at: pointer)
        case "enum": node.choices = try nonEmptyList(value, at: pointer)
        case "const": node.constant = value
        case "minLength": node.minLength = try count(value, at: pointer)
        case "maxLength": node.maxLength = try count(value, at: pointer)
        case "pattern": node.pattern = try pattern(value, at: pointer)
        case "minimum": node.minimum = try number(value, at: pointer)
        case "maximum": node.maximum = try number(value, at: pointer)
        case "exclusiveMinimum": node.exclusiveMinimum = try number(value, at: pointer)
        case "exclusiveMaximum": node.exclusiveMaximum = try number(value, at: pointer)
        case "multipleOf":
            guard let step = value.double, step > 0 else {
                throw wanted("a number above 0", value, at: pointer)
            }
            node.multipleOf = value
        default: return false
        }
        return true
    }

    /// Keywords about lists and objects.
    mutating func readContainerKeyword(
        _ keyword: String,
        _ value: JSONValue,
        at pointer: String,
        into node: inout SchemaNode
    ) throws -> Bool {
        switch keyword {
        case "properties":
            for (name, schema) in try object(value, at: pointer) {
                node.properties[name] = try add(schema, at: JSONPointer.appending(name, to: pointer))
                node.propertyNames.append(name)
            }
        case "required": node.required = try names(value, at: pointer)
        case "additionalProperties": node.additionalProperties = try add(value, at: pointer)
        case "patternProperties":
            for (source, schema) in try object(value, at: pointer) {
                let place = JSONPointer.appending(source, to: pointer)
                let pattern = try pattern(.string(source), at: place)
                node.patternProperties.append((pattern, try add(schema, at: place)))
            }
        case "propertyNames": node.nameSchema = try add(value, at: pointer)
        case "dependentRequired":
            for (name, list) in try object(value, at: pointer) {
                node.dependentNames[name] = try names(list, at: JSONPointer.appending(name, to: pointer))
            }
        case "dependentSchemas":
            for (name, schema) in try object(value, at: pointer) {
                let place = JSONPointer.appending(name, to: pointer)
                node.dependentSchemas[name] = try add(schema, at: place)
            }
        case "contains": node.contains = try add(value, at: pointer)
        case "minContains": node.minContains = try count(value, at: pointer)
        case "maxContains": node.maxContains = try count(value, at: pointer)
        case "minProperties": node.minProperties = try count(value, at: pointer)
        case "maxProperties": node.maxProperties = try count(value, at: pointer)
        case "items":
            guard value.array == nil else {
                throw wanted("one schema (a list is written 'prefixItems')", value, at: pointer)
            }
            node.items = try add(value, at: pointer)
        case "prefixItems": node.prefixItems = try schemas(value, at: pointer)
        case "minItems": node.minItems = try count(value, at: pointer)
        case "maxItems": node.maxItems = try count(value, at: pointer)
        case "uniqueItems": node.hasUniqueItems = try bool(value, at: pointer)
        default: return false
        }
        return true
    }

    /// Keywords that combine schemas.
    mutating func readCombination(
        _ keyword: String,
        _ value: JSONValue,
        at pointer: String,
        into node: inout SchemaNode
    ) throws -> Bool {
        switch keyword {
        case "allOf": node.allOf = try schemas(value, at: pointer)
        case "anyOf": node.anyOf = try schemas(value, at: pointer)
        case "oneOf": node.oneOf = try schemas(value, at: pointer)
        case "not": node.not = try add(value, at: pointer)
        case "if": node.condition = try add(value, at: pointer)
        case "then": node.then = try add(value, at: pointer)
        case "else": node.otherwise = try add(value, at: pointer)
        default: return false
        }
        return true
    }

    // MARK: Forms of keywords

    func wanted(_ form: String, _ value: JSONValue, at pointer: String) -> BelfryError {
        Self.error(
            "'\(JSONPointer.steps(pointer).last ?? "schema")' must be \(form); got \(value.excerpt)",
            at: pointer,
            fix: "Write \(form)."
        )
    }

    func bool(_ value: JSONValue, at pointer: String) throws -> Bool {
        guard let bool = value.bool else { throw wanted("true or false", value, at: pointer) }
        return bool
    }

    func string(_ value: JSONValue, at pointer: String) throws -> String {
        guard let string = value.string else { throw wanted("text", value, at: pointer) }
        return string
    }

    func object(_ value: JSONValue, at pointer: String) throws -> JSONObject {
        guard let object = value.object else { throw wanted("an object of schemas", value, at: pointer) }
        return object
    }

    private func number(_ value: JSONValue, at pointer: String) throws -> JSONValue {
        guard value.double != nil else { throw wanted("a number", value, at: pointer) }
        return value
    }

    private func count(_ value: JSONValue, at pointer: String) throws -> Int {
        guard let count = value.int, count >= 0 else {
            throw wanted("a whole number from 0", value, at: pointer)
        }
        return Int(count)
    }

    private func nonEmptyList(_ value: JSONValue, at pointer: String) throws -> [JSONValue] {
        guard let list = value.array, !list.isEmpty else {
            throw wanted("a list that is not empty", value, at: pointer)
        }
        return list
    }

    private func names(_ value: JSONValue, at pointer: String) throws -> [String] {
        let names = value.array?.compactMap(\.string)
        guard let names, names.count == value.array?.count else {
            throw wanted("a list of names", value, at: pointer)
        }
        return names
    }

    private mutating func schemas(_ value: JSONValue, at pointer: String) throws -> [Int] {
        var indices: [Int] = []
        for (offset, schema) in try nonEmptyList(value, at: pointer).enumerated() {
            indices.append(try add(schema, at: JSONPointer.appending(offset, to: pointer)))
        }
        return indices
    }

    private func types(_ value: JSONValue, at pointer: String) throws -> [SchemaType] {
        let list = value.array ?? [value]
        let types = list.compactMap { $0.string.flatMap(SchemaType.init(rawValue:)) }
        guard !list.isEmpty, types.count == list.count else {
            throw wanted(
                "one or several of \(SchemaType.allCases.map(\.rawValue).joined(separator: ", "))",
                value,
                at: pointer
            )
        }
        return types
    }

    private func pattern(_ value: JSONValue, at pointer: String) throws -> Pattern {
        do throws(PatternError) {
            return try Pattern(try textOfPattern(value))
        } catch {
            throw Self.error(
                "the pattern \(value.excerpt) \(error.reason)",
                at: pointer,
                fix: "Write a regular expression of ECMA-262 without back references and look-around."
            )
        }
    }

    private func textOfPattern(_ value: JSONValue) throws(PatternError) -> String {
        guard let text = value.string else { throw PatternError(reason: "is not text") }
        return text
    }
}
