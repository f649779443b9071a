// Command lines that come as one text, in words.

/// Words as a shell would split them, without any expansion.
public enum ShellWords {
    /// - Throws: ``BelfryError`` `invalid_request` for a quote without its end.
    public static func split(_ text: String) throws -> [String] {
        var words: [String] = []
        var word: String?
        let isWhole = read(text) { character, part in
            switch part {
            case .opening: word = word ?? ""
            case .escape, .closing: break
            case .text(quote: nil) where character.isWhitespace:
                if let word { words.append(word) }
                word = nil
            case .text, .escaped: word = (word ?? "") + String(character)
            }
        }
        guard isWhole else {
            throw BelfryError(
                .invalidRequest,
                "The command has a quote without its end: \(text)",
                fix: "Close it."
            )
        }
        return words + (word.map { [$0] } ?? [])
    }

    /// What a character is to a shell.
    public enum Part: Sendable, Hashable {
        /// Itself, or what a shell makes of it within this quote, or without one.
        case text(quote: Character?)
        /// Itself, whatever it is.
        case escaped
        /// The backslash before that.
        case escape
        /// The quote that begins, or ends.
        case opening, closing
    }

    /// Tells of each character what it is.
    ///
    /// - Returns: whether every quote has its end.
    @discardableResult
    public static func read(_ text: String, _ take: (Character, Part) -> Void) -> Bool {
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                take(character, .escaped)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                take(character, .escape)
                isEscaped = true
            } else if character == quote {
                take(character, .closing)
                quote = nil
            } else if quote == nil, character == "'" || character == "\"" {
                take(character, .opening)
                quote = character
            } else {
                take(character, .text(quote: quote))
            }
        }
        return quote == nil && !isEscaped
    }
}
