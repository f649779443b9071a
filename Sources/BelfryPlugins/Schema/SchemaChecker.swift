// Walks a value along a schema and says in words what does not fit.
//
// A string that speaks of an earlier task fits everything, so that of a value with such strings only what is
// certainly wrong is told.

import BelfryCore

struct SchemaChecker {
    typealias Violation = JSONSchema.Violation

    /// A schema that refers to itself twice on each level would take 2^depth steps.
    static let maxSteps = 200_000
    /// Schemas inside of each other, on the way down a value: each takes a part of the stack.
    static let maxDepth = 400

    let nodes: [SchemaNode]
    let checksFiles: Bool
    private var steps = 0
    private var depth = 0

    init(nodes: [SchemaNode], checksFiles: Bool) {
        self.nodes = nodes
        self.checksFiles = checksFiles
    }

    mutating func violations(of value: JSONValue, by index: Int) -> [Violation] {
        let found = check(Place(value, "", isSecret: false), by: index)
        guard steps <= Self.maxSteps else {
            return [
                Violation(pointer: "", wanted: "must be simpler: checking takes too many steps", got: nil)
            ]
        }
        return found
    }

    /// A value, where it stands, and whether it may be shown.
    private struct Place {
        let value: JSONValue
        let pointer: String
        var isSecret: Bool

        init(_ value: JSONValue, _ pointer: String, isSecret: Bool) {
            self.value = value
            self.pointer = pointer
            self.isSecret = isSecret
        }

        /// Whether parts of it are to come from earlier tasks, so that what fits now may not fit then.
        var isOpen: Bool { value.hasTaskReference }

        func violation(_ wanted: String, got: String? = nil) -> Violation {
            Violation(pointer: pointer, wanted: wanted, got: isSecret ? nil : got ?? value.excerpt)
        }

        /// For a sentence that says by itself what is there.
        func plain(_ wanted: String) -> Violation { Violation(pointer: pointer, wanted: wanted, got: nil) }
    }

    private mutating func check(_ place: Place, by index: Int) -> [Violation] {
        steps += 1
        if depth >= Self.maxDepth { steps = Self.maxSteps + 1 }
        guard steps <= Self.maxSteps else { return [] }
        depth += 1
        defer { depth -= 1 }
        let node = nodes[index]
        var place = place
        place.isSecret = place.isSecret || node.isWriteOnly
        if node.refusesAll { return [place.plain("is not allowed")] }
        // What it stands for is not known yet, and is checked when it is.
        if place.value.string?.hasTaskReference ?? false { return [] }
        if let violation = mismatch(place, node) { return [violation] }
        var found: [Violation]
        switch place.value {
        case .string(let text): found = check(text, place, node)
        case .int, .double: found = checkNumber(place, node)
        case .array(let items): found = check(items, place, node)
        case .object(let members): found = check(members, place, node)
        case .null, .bool: found = []
        }
        found += checkCombinations(place, node)
        return found
    }

    private mutating func fits(_ place: Place, _ index: Int) -> Bool { check(place, by: index).isEmpty }

    // MARK: Any value

    /// What makes every other check pointless.
    private func mismatch(_ place: Place, _ node: SchemaNode) -> Violation? {
        if let types = node.types, !types.contains(where: { $0.contains(place.value) }) {
            return place.violation("must be \(types.map(\.phrase).joined(separator: " or "))")
        }
        if let choices = node.choices, !choices.contains(where: { $0.isSame(as: place.value) }) {
            let words = choices.prefix(12).map(Self.word)
            let list = words.joined(separator: ", ") + (choices.count > 12 ? ", …" : "")
            let got = Self.word(place.value)
            guard choices.count > 1 else { return place.violation("must be \(list)", got: got) }
            var violation = place.violation("must be one of \(list)", got: got)
            let meant = place.isSecret ? nil : NameSuggestion.closest(to: got, among: words)
            violation.choice = meant ?? words.first
            return violation
        }
        if let constant = node.constant, !constant.isSame(as: place.value) {
            return place.violation("must be \(Self.word(constant))", got: Self.word(place.value))
        }
        return nil
    }

    /// A choice as people would type it: words without quotes.
    private static func word(_ value: JSONValue) -> String {
        guard case .string(let text) = value, !text.isEmpty, text.utf8.count <= 60,
            text.unicodeScalars.allSatisfy({ ScalarSet.isWord($0) || "-./:+".unicodeScalars.contains($0) })
        else { return value.excerpt }
        return text
    }

    // MARK: Text and numbers

    private func check(_ text: String, _ place: Place, _ node: SchemaNode) -> [Violation] {
        var found: [Violation] = []
        if node.minLength != nil || node.maxLength != nil {
            let length = text.unicodeScalars.count
            if let least = node.minLength, length < least {
                found.append(place.plain("must have at least \(counted(least, "character")); has \(length)"))
            }
            if let most = node.maxLength, length > most {
                found.append(place.plain("must have at most \(counted(most, "character")); has \(length)"))
            }
        }
        if let pattern = node.pattern {
            switch pattern.matches(text) {
            case true?: break
            case false?: found.append(place.violation("must match \(pattern.source)"))
            case nil: found.append(place.plain("is too long to be checked against \(pattern.source)"))
            }
        }
        if checksFiles, let format = node.format, let wanted = PathCheck.complaint(about: text, format) {
            found.append(place.plain(wanted))
        }
        return found
    }

    private func checkNumber(_ place: Place, _ node: SchemaNode) -> [Violation] {
        var found: [Violation] = []
        func refuse(_ bound: JSONValue?, _ phrase: String, when isWrong: (JSONValue, JSONValue) -> Bool) {
            if let bound, isWrong(place.value, bound) {
                found.append(place.violation("must be \(phrase) \(bound.text)"))
            }
        }
        refuse(node.minimum, "at least") { JSONNumber.isLess($0, $1) }
        refuse(node.maximum, "at most") { JSONNumber.isLess($1, $0) }
        refuse(node.exclusiveMinimum, "more than") { !JSONNumber.isLess($1, $0) }
        refuse(node.exclusiveMaximum, "less than") { !JSONNumber.isLess($0, $1) }
        refuse(node.multipleOf, "a multiple of") { !JSONNumber.isMultiple($0, of: $1) }
        return found
    }

    // MARK: Lists and objects

    private mutating func check(_ items: [JSONValue], _ place: Place, _ node: SchemaNode) -> [Violation] {
        var found: [Violation] = []
        if let least = node.minItems, items.count < least {
            found.append(place.plain("must have at least \(counted(least, "item")); has \(items.count)"))
        }
        if let most = node.maxItems, items.count > most {
            found.append(place.plain("must have at most \(counted(most, "item")); has \(items.count)"))
        }
        if node.hasUniqueItems, let (first, second) = Self.repetition(in: items) {
            found.append(
                place.plain("must not repeat an item; item \(second + 1) is the same as item \(first + 1)")
            )
        }
        found += checkContents(items, place, node)
        for (offset, item) in items.enumerated() {
            guard let schema = offset < node.prefixItems.count ? node.prefixItems[offset] : node.items else {
                break
            }
            found += check(
                Place(item, JSONPointer.appending(offset, to: place.pointer), isSecret: place.isSecret),
                by: schema
            )
        }
        return found
    }

    private mutating func checkContents(_ items: [JSONValue], _ place: Place, _ node: SchemaNode)
        -> [Violation]
    {
        guard let schema = node.contains else { return [] }
        // Items that speak of earlier tasks may come to fit or not.
        let open = items.count(where: \.hasTaskReference)
        let fitting = items.count { !$0.hasTaskReference && fits(Place($0, "", isSecret: false), schema) }
        let least = node.minContains ?? 1
        if fitting + open < least {
            return [place.plain("must have at least \(counted(least, "item")) of a kind; has \(fitting)")]
        }
        guard let most = node.maxContains, fitting > most else { return [] }
        return [place.plain("must have at most \(counted(most, "item")) of a kind; has \(fitting)")]
    }

    private static func repetition(in items: [JSONValue]) -> (Int, Int)? {
        var seen: [[UInt8]: Int] = [:]
        for (offset, item) in items.enumerated() {
            if let earlier = seen.updateValue(offset, forKey: item.identity) { return (earlier, offset) }
        }
        return nil
    }

    private mutating func check(_ members: JSONObject, _ place: Place, _ node: SchemaNode) -> [Violation] {
        var found: [Violation] = []
        for name in node.required where members[name] == nil {
            found.append(
                Violation(
                    pointer: JSONPointer.appending(name, to: place.pointer),
                    wanted: "is missing",
                    got: nil
                )
            )
        }
        if let least = node.minProperties, members.count < least {
            found.append(place.plain("must have at least \(counted(least, "member")); has \(members.count)"))
        }
        if let most = node.maxProperties, members.count > most {
            found.append(place.plain("must have at most \(counted(most, "member")); has \(members.count)"))
        }
        for (name, value) in members {
            let pointer = JSONPointer.appending(name, to: place.pointer)
            let member = Place(value, pointer, isSecret: place.isSecret)
            let schemas = node.schemas(ofMember: name)
            if schemas.count == 1, schemas[0] == node.additionalProperties, nodes[schemas[0]].refusesAll {
                found.append(unknown(name, member, node, isFirst: found.count < 20))
            } else {
                for schema in schemas { found += check(member, by: schema) }
            }
        }
        return found + checkNames(members, place, node)
    }

    private mutating func checkNames(_ members: JSONObject, _ place: Place, _ node: SchemaNode) -> [Violation]
    {
        var found: [Violation] = []
        if let schema = node.nameSchema {
            for name in members.keys {
                guard let wrong = check(Place(.string(name), "", isSecret: false), by: schema).first else {
                    continue
                }
                let pointer = JSONPointer.appending(name, to: place.pointer)
                found.append(Violation(pointer: pointer, wanted: "has a name that \(wrong.wanted)", got: nil))
            }
        }
        for (name, others) in node.dependentNames where members[name] != nil {
            for other in others where members[other] == nil {
                let pointer = JSONPointer.appending(other, to: place.pointer)
                found.append(Violation(pointer: pointer, wanted: "is missing beside '\(name)'", got: nil))
            }
        }
        return found
    }

    /// Looking for what was meant is dear: only the first few violations are shown to anybody.
    private func unknown(_ name: String, _ member: Place, _ node: SchemaNode, isFirst: Bool) -> Violation {
        guard isFirst else { return member.plain("is not known") }
        let meant = NameSuggestion.closest(to: name, among: node.propertyNames)
        return member.plain(meant.map { "is not known; did you mean '\($0)'?" } ?? "is not known")
    }

    // MARK: Combinations

    private mutating func checkCombinations(_ place: Place, _ node: SchemaNode) -> [Violation] {
        var found: [Violation] = []
        if let reference = node.reference { found += check(place, by: reference) }
        for schema in node.allOf { found += check(place, by: schema) }
        if !node.anyOf.isEmpty { found += checkAny(place, node.anyOf) }
        if !node.oneOf.isEmpty { found += checkOne(place, node.oneOf) }
        if let schema = node.not, fits(place, schema), !place.isOpen {
            found.append(place.violation(exclusion(nodes[schema])))
        }
        for (name, schema) in node.dependentSchemas where place.value[name] != nil {
            found += check(place, by: schema)
        }
        if let condition = node.condition { found += check(place, node, if: condition) }
        return found
    }

    private mutating func check(_ place: Place, _ node: SchemaNode, if condition: Int) -> [Violation] {
        guard fits(place, condition) else { return node.otherwise.map { check(place, by: $0) } ?? [] }
        let found = node.then.map { check(place, by: $0) } ?? []
        if found.isEmpty || !place.isOpen { return found }
        // It may come to fit the condition or not: it is wrong only when it is wrong either way.
        guard let otherwise = node.otherwise, !fits(place, otherwise) else { return [] }
        return found
    }

    private func exclusion(_ node: SchemaNode) -> String {
        if let choices = node.choices {
            return "must not be \(choices.map(Self.word).joined(separator: " or "))"
        }
        if let constant = node.constant { return "must not be \(Self.word(constant))" }
        if let types = node.types { return "must not be \(types.map(\.phrase).joined(separator: " or "))" }
        return "has a form that is not allowed"
    }

    private mutating func checkAny(_ place: Place, _ branches: [Int]) -> [Violation] {
        var complaints: [[Violation]] = []
        for branch in branches {
            let found = check(place, by: branch)
            if found.isEmpty { return [] }
            complaints.append(found)
        }
        return [summary(of: complaints, place)]
    }

    private mutating func checkOne(_ place: Place, _ branches: [Int]) -> [Violation] {
        let complaints = branches.map { check(place, by: $0) }
        let count = complaints.count(where: \.isEmpty)
        if count == 0 { return [summary(of: complaints, place)] }
        if count == 1 || place.isOpen { return [] }
        return [place.violation("must fit exactly one of \(branches.count) forms, but fits \(count)")]
    }

    /// One sentence for several forms of which none fits: `must be text, or 'size' is missing`.
    private func summary(of complaints: [[Violation]], _ place: Place) -> Violation {
        var phrases: [String] = []
        for complaint in complaints.compactMap(\.first) {
            let isHere = complaint.pointer == place.pointer
            let below = String(complaint.pointer.dropFirst(place.pointer.count))
            let phrase =
                isHere ? complaint.wanted : "its '\(JSONPointer.name(below) ?? below)' \(complaint.wanted)"
            if !phrases.contains(phrase) { phrases.append(phrase) }
        }
        return place.violation(phrases.prefix(5).joined(separator: ", or "))
    }

    private func counted(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }
}

/// Arithmetic on JSON numbers that keeps integers exact.
enum JSONNumber {
    static func isLess(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if case .int(let left) = left, case .int(let right) = right { return left < right }
        return (left.double ?? .nan) < (right.double ?? .nan)
    }

    /// By decimal arithmetic: 0.3 is a multiple of 0.1, though its nearest double is not.
    static func isMultiple(_ value: JSONValue, of step: JSONValue) -> Bool {
        if let value = value.int, let step = step.int { return step == -1 || value % step == 0 }
        let quotient = (value.double ?? .nan) / (step.double ?? .nan)
        return abs(quotient - quotient.rounded()) <= 1e-12 * max(1, abs(quotient))
    }
}
