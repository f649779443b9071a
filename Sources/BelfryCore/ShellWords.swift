// Command lines that come as one text, in words.

/// Words as a shell would split them, without any expansion.
public enum ShellWords {
    /// - Throws: ``BelfryError`` `invalid_request` for a quote without its end.
    public static func split(_ text: String) throws -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if quote == nil, character.isWhitespace {
                if let word { words.append(word) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil, !isEscaped else {
            throw BelfryError(
                .invalidRequest,
                "The command has a quote without its end: \(text)",
                fix: "Close it."
            )
        }
        return words + (word.map { [$0] } ?? [])
    }
}
