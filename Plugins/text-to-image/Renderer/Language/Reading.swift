// Turns the prompt's words into things to paint. Not a language model: a small lexicon with
// singulars, pairs of words and "without …", which is what short prompts need.

/// What was understood of a prompt.
struct Reading: Sendable, Equatable {
    /// In the order of the prompt, each once.
    private(set) var elements: [Element] = []
    /// What the prompt asks to leave out.
    private(set) var excluded: [Element] = []
    /// The first style named.
    private(set) var style: PictureStyle?
    /// The colours named, in order, each once.
    private(set) var tints: [Tint] = []
    /// Words that ask for drama or calm: -1 calm … 1 dramatic.
    private(set) var drama: Float = 0

    init(_ prompt: String) {
        let words = Self.words(of: prompt)
        var index = 0
        var negated = false
        while index < words.count {
            let word = words[index]
            if Self.negations.contains(word) {
                negated = true
                index += 1
                continue
            }
            let known = elements.count + excluded.count
            index += take(words[index...], negated: negated)
            // A refusal holds up to the thing refused, and on to the next after "or":
            // "no dark clouds or birds, a boat" has a boat.
            let found = elements.count + excluded.count > known
            let next = index < words.count ? words[index] : ","
            negated = negated && next != "," && (!found || next == "or" || next == "nor")
        }
        elements.removeAll { excluded.contains($0) }
    }

    /// Reads the first word, or the first two if they mean something together.
    private mutating func take(_ words: ArraySlice<String>, negated: Bool) -> Int {
        let first = words[words.startIndex]
        let second = words.dropFirst().first
        for one in Self.singulars(first) {
            for two in second.map(Self.singulars) ?? [] {
                if let pair = Element.pairs[one + " " + two] {
                    note(pair, negated: negated)
                    return 2
                }
            }
        }
        if let found = Self.singulars(first).lazy.compactMap({ Element.words[$0] }).first {
            note(found, negated: negated)
        }
        guard !negated else { return 1 }
        style = style ?? PictureStyle.named(first)
        if let tint = Tint(rawValue: Self.colourSynonyms[first] ?? first), !tints.contains(tint) {
            tints.append(tint)
        }
        drama += Self.dramas[first] ?? 0
        return 1
    }

    private mutating func note(_ found: [Element], negated: Bool) {
        // "no snowfall" refuses the snow, not the winter that goes with it.
        for element in negated ? Array(found.prefix(1)) : found {
            if negated {
                excluded.append(element)
            } else if !elements.contains(element) {
                elements.append(element)
            }
        }
    }

    /// Lowercase words of letters and digits; a comma or full stop stands as a word, because it ends a negation.
    private static func words(of prompt: String) -> [String] {
        var words: [String] = []
        var word = ""
        for character in prompt.lowercased() + " " {
            if character.isLetter || character.isNumber {
                word.append(character)
                continue
            }
            if !word.isEmpty { words.append(word) }
            word = ""
            if ",.;:".contains(character) { words.append(",") }
        }
        return words
    }

    /// The word itself and what it may be the plural of.
    private static func singulars(_ word: String) -> [String] {
        var forms = [word]
        if word.hasSuffix("ies") { forms.append(word.dropLast(3) + "y") }
        if word.hasSuffix("es") { forms.append(String(word.dropLast(2))) }
        if word.hasSuffix("s") { forms.append(String(word.dropLast())) }
        return forms
    }

    private static let negations: Set = ["no", "without"]

    private static let colourSynonyms: [String: String] = [
        "golden": "gold", "amber": "gold", "yellow": "gold", "crimson": "red", "scarlet": "red",
        "ruby": "red", "rose": "pink", "pastel": "pink", "magenta": "pink", "violet": "purple",
        "lilac": "purple", "lavender": "purple", "indigo": "blue", "azure": "blue", "navy": "blue",
        "turquoise": "teal", "cyan": "teal", "aqua": "teal", "emerald": "green", "jade": "green",
        "gray": "grey", "silver": "grey", "monochrome": "grey", "peach": "orange", "coral": "orange",
    ]

    private static let dramas: [String: Float] = [
        "dramatic": 1, "epic": 1, "wild": 0.7, "majestic": 0.6, "rugged": 0.6, "fiery": 0.8,
        "peaceful": -1, "calm": -1, "serene": -1, "quiet": -0.7, "tranquil": -1, "still": -0.7,
        "gentle": -0.7, "soft": -0.5,
    ]
}

/// A colour word that tints the palette.
enum Tint: String, Sendable {
    case red, orange, gold, green, teal, blue, purple, pink, grey

    var colour: RGB {
        switch self {
        case .red: srgb(0xE0362C)
        case .orange: srgb(0xF58A3C)
        case .gold: srgb(0xF7C04A)
        case .green: srgb(0x3FAE6A)
        case .teal: srgb(0x2FB5B0)
        case .blue: srgb(0x3B78E0)
        case .purple: srgb(0x8A4FD0)
        case .pink: srgb(0xF277B0)
        case .grey: srgb(0x9A9A9A)
        }
    }
}
