// Reads the regular expressions of ECMA-262 in Unicode mode and says by name what it does not take.

/// The parts of a regular expression.
indirect enum PatternSyntax {
    case empty
    case scalar(ScalarSet)
    case start
    case end
    case wordBoundary(Bool)
    case sequence([PatternSyntax])
    case alternatives([PatternSyntax])
    /// At least, at most (nil: any number).
    case repetition(PatternSyntax, Int, Int?)
}

struct PatternParser {
    static let maxLength = 1000
    static let maxDepth = 50
    static let maxCount = 1000

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var depth = 0

    init(_ source: String) { scalars = Array(source.unicodeScalars) }

    private var current: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private func error(_ reason: String) -> PatternError {
        PatternError(reason: "\(reason) (at character \(index + 1))")
    }

    private mutating func skip(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[index...].starts(with: wanted) else { return false }
        index += wanted.count
        return true
    }

    mutating func parse() throws(PatternError) -> PatternSyntax {
        guard scalars.count <= Self.maxLength else {
            throw PatternError(reason: "is longer than \(Self.maxLength) characters")
        }
        let syntax = try alternatives()
        guard current == nil else { throw error("has a ')' without its '('") }
        return syntax
    }

    private mutating func alternatives() throws(PatternError) -> PatternSyntax {
        var branches = [try sequence()]
        while skip("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence() throws(PatternError) -> PatternSyntax {
        var parts: [PatternSyntax] = []
        while let scalar = current, scalar != "|", scalar != ")" { parts.append(try term()) }
        return parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func term() throws(PatternError) -> PatternSyntax {
        let atom = try atom()
        guard let (least, most) = try quantifier() else { return atom }
        switch atom {
        case .start, .end, .wordBoundary: throw error("repeats something that has no length")
        default: break
        }
        // Lazy or greedy makes no difference to whether there is a match.
        _ = skip("?")
        return .repetition(atom, least, most)
    }

    private mutating func quantifier() throws(PatternError) -> (Int, Int?)? {
        if skip("*") { return (0, nil) }
        if skip("+") { return (1, nil) }
        if skip("?") { return (0, 1) }
        guard skip("{") else { return nil }
        guard let least = number() else { throw error("has a '{' that starts no count; write '\\{'") }
        if skip("}") { return (least, least) }
        guard skip(",") else { throw error("has a count without its '}'") }
        if skip("}") { return (least, nil) }
        guard let most = number(), skip("}") else { throw error("has a count without its '}'") }
        guard most >= least else { throw error("has a count whose end is before its start") }
        return (least, most)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let scalar = current, ScalarSet.isDigit(scalar) {
            value = min((value ?? 0) * 10 + Int(scalar.value - 0x30), Self.maxCount + 1)
            index += 1
        }
        guard let value, value <= Self.maxCount else { return nil }
        return value
    }

    private mutating func atom() throws(PatternError) -> PatternSyntax {
        guard let scalar = current else { return .empty }
        switch scalar {
        case "(": return try group()
        case "[": return .scalar(try characterClass())
        case "\\": return try escapedAtom()
        case "*", "+", "?", "{": throw error("has a '\(scalar)' with nothing before it to repeat")
        case "]", "}": throw error("has a '\(scalar)' without its opening; write '\\\(scalar)'")
        default: break
        }
        index += 1
        switch scalar {
        case "^": return .start
        case "$": return .end
        case ".": return .scalar(.anyButLineEnds)
        default: return .scalar(ScalarSet(scalar))
        }
    }

    private mutating func group() throws(PatternError) -> PatternSyntax {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maxDepth else { throw error("is nested deeper than \(Self.maxDepth) levels") }
        index += 1
        if skip("?") {
            for lookAround in ["=", "!", "<=", "<!"] where skip(lookAround) {
                throw error("uses look-around '(?\(lookAround)', which is outside of the supported subset")
            }
            if skip("<") {
                try skipGroupName()
            } else if !skip(":") {
                throw error("has an unknown group '(?'")
            }
        }
        let syntax = try alternatives()
        guard skip(")") else { throw error("has a '(' without its ')'") }
        return syntax
    }

    private mutating func skipGroupName() throws(PatternError) {
        while let scalar = current, ScalarSet.isWord(scalar) { index += 1 }
        guard skip(">") else { throw error("has a group name without its '>'") }
    }

    private mutating func escapedAtom() throws(PatternError) -> PatternSyntax {
        if skip("\\b") { return .wordBoundary(true) }
        if skip("\\B") { return .wordBoundary(false) }
        return .scalar(ScalarSet([try escape()]))
    }

    /// An escape that stands for characters, inside or outside of a class.
    private mutating func escape() throws(PatternError) -> ScalarSet.Item {
        index += 1
        guard let scalar = current else { throw error("ends in a '\\'") }
        index += 1
        switch scalar {
        case "d", "D": return .digit(scalar == "d")
        case "w", "W": return .word(scalar == "w")
        case "s", "S": return .space(scalar == "s")
        case "p", "P": return try category(isWanted: scalar == "p")
        case "n": return .one("\n")
        case "r": return .one("\r")
        case "t": return .one("\t")
        case "v": return .one("\u{B}")
        case "f": return .one("\u{C}")
        case "x": return .one(try hex(digits: 2))
        case "u": return .one(try skip("{") ? bracedHex() : hex(digits: 4))
        case "1"..."9", "k": throw error("uses a back reference, which is outside of the supported subset")
        default:
            guard "^$\\.*+?()[]{}|/-".unicodeScalars.contains(scalar) else {
                throw error("has an unknown escape '\\\(scalar)'")
            }
            return .one(scalar)
        }
    }

    private mutating func category(isWanted: Bool) throws(PatternError) -> ScalarSet.Item {
        guard skip("{") else { throw error("has a '\\p' without '{'") }
        var name = ""
        while let scalar = current, scalar != "}" {
            name.unicodeScalars.append(scalar)
            index += 1
        }
        guard skip("}"), ScalarSet.categoryNames.contains(name) else {
            throw error("uses \\p{\(name)}; supported are \(ScalarSet.categoryNames.joined(separator: ", "))")
        }
        return .category(name, isWanted)
    }

    private mutating func hex(digits: Int) throws(PatternError) -> Unicode.Scalar {
        let end = min(index + digits, scalars.count)
        let text = String(String.UnicodeScalarView(scalars[index..<end]))
        guard text.count == digits, let value = UInt32(text, radix: 16), let scalar = Unicode.Scalar(value)
        else {
            throw error("has an escape without its \(digits) hexadecimal digits")
        }
        index = end
        return scalar
    }

    private mutating func bracedHex() throws(PatternError) -> Unicode.Scalar {
        var text = ""
        while let scalar = current, scalar != "}" {
            text.unicodeScalars.append(scalar)
            index += 1
        }
        guard skip("}"), text.count <= 6, let value = UInt32(text, radix: 16),
            let scalar = Unicode.Scalar(value)
        else {
            throw error("has a '\\u{' without a code point and '}'")
        }
        return scalar
    }

    private mutating func characterClass() throws(PatternError) -> ScalarSet {
        index += 1
        let isNegated = skip("^")
        var items: [ScalarSet.Item] = []
        while !skip("]") {
            guard current != nil else { throw error("has a '[' without its ']'") }
            let first = try classAtom()
            guard current == "-", index + 1 < scalars.count, scalars[index + 1] != "]" else {
                items.append(first)
                continue
            }
            index += 1
            guard case .one(let low) = first, case .one(let high) = try classAtom(), low <= high else {
                throw error("has a range that goes from nowhere to nowhere")
            }
            items.append(.range(low, high))
        }
        return ScalarSet(items, isNegated: isNegated)
    }

    private mutating func classAtom() throws(PatternError) -> ScalarSet.Item {
        if skip("\\b") { return .one("\u{8}") }
        guard let scalar = current, scalar != "\\" else { return try escape() }
        index += 1
        return .one(scalar)
    }
}
