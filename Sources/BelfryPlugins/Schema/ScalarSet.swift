// The characters that one place of a regular expression takes, by ECMA-262's definitions: digits and
// word characters are ASCII, spaces are Unicode's.

/// A set of Unicode scalars.
struct ScalarSet: Sendable {
    enum Item: Sendable {
        case one(Unicode.Scalar)
        case range(Unicode.Scalar, Unicode.Scalar)
        // Each with whether it is wanted or excluded.
        case digit(Bool)
        case word(Bool)
        case space(Bool)
        case category(String, Bool)
    }

    private let items: [Item]
    private let isNegated: Bool

    init(_ items: [Item], isNegated: Bool = false) {
        self.items = items
        self.isNegated = isNegated
    }

    init(_ scalar: Unicode.Scalar) { self.init([.one(scalar)]) }

    static let anyButLineEnds = ScalarSet(
        [.one("\n"), .one("\r"), .one("\u{2028}"), .one("\u{2029}")],
        isNegated: true
    )

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        items.contains { Self.matches($0, scalar) } != isNegated
    }

    private static func matches(_ item: Item, _ scalar: Unicode.Scalar) -> Bool {
        switch item {
        case .one(let wanted): scalar == wanted
        case .range(let low, let high): low <= scalar && scalar <= high
        case .digit(let wanted): isDigit(scalar) == wanted
        case .word(let wanted): isWord(scalar) == wanted
        case .space(let wanted): isSpace(scalar) == wanted
        case .category(let name, let wanted): isOf(name, scalar) == wanted
        }
    }

    static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        isDigit(scalar) || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        ("\t"..."\r").contains(scalar) || scalar == "\u{FEFF}" || scalar == "\u{2028}" || scalar == "\u{2029}"
            || scalar.properties.generalCategory == .spaceSeparator
    }

    /// The general categories that `\p{…}` takes.
    static let categoryNames = ["L", "Lu", "Ll", "N", "Nd", "P", "S", "Z"]

    private static func isOf(_ name: String, _ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter: name == "L" || name == "Lu"
        case .lowercaseLetter: name == "L" || name == "Ll"
        case .titlecaseLetter, .modifierLetter, .otherLetter: name == "L"
        case .decimalNumber: name == "N" || name == "Nd"
        case .letterNumber, .otherNumber: name == "N"
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            name == "P"
        case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: name == "S"
        case .spaceSeparator, .lineSeparator, .paragraphSeparator: name == "Z"
        default: false
        }
    }
}
