// Text from prompts, programs and errors on its way into a popup. libdbus ends the process on bad text,
// servers show control characters as they like, and nobody reads a title of 10 MB.

/// Text as popups may carry it.
///
/// Valid UTF-8 is given: a `String` holds nothing else, and what is read from files or C is repaired when
/// the `String` is made.
enum PopupText {
    /// How much of a text a popup carries, the `…` of a cut included.
    struct Limit {
        /// In characters (grapheme clusters).
        let characters: Int
        /// In bytes of UTF-8. One character can have any number of them.
        let bytes: Int
        /// How many scalars are looked at for that, as a text may consist of what is removed.
        let examined = 1 << 16
    }

    static let summaryLimit = Limit(characters: 200, bytes: 4096)
    static let bodyLimit = Limit(characters: .max, bytes: 4096)

    /// One line of at most 200 characters and 4 KiB: runs of white space, newlines among them, are one space.
    ///
    /// Never to be escaped: summaries are plain text with every server.
    static func summary(_ text: String) -> String { cut(text, to: summaryLimit, keepsLines: false) }

    /// At most 4 KiB of UTF-8; newlines and tabs stay, white space at the end does not.
    static func body(_ text: String) -> String { cut(text, to: bodyLimit, keepsLines: true) }

    /// The text with `&`, `<` and `>` escaped: for bodies, after the cut, where the server has `body-markup`.
    static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x26 || $0 == 0x3C || $0 == 0x3E }) else { return text }
        var escaped = ""
        escaped.reserveCapacity(text.utf8.count + 32)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    // MARK: Cutting

    private static func cut(_ text: String, to limit: Limit, keepsLines: Bool) -> String {
        let (clean, isWhole) = cleaned(text, upTo: limit, keepsLines: keepsLines)
        let fits =
            clean.utf8.count <= limit.bytes && clean.prefix(limit.characters).endIndex == clean.endIndex
        return isWhole && fits ? clean : truncated(clean, to: limit, isWhole: isWhole)
    }

    /// The start of the text without what popups may not have, a little longer than the limit at most, and
    /// whether that is all of it.
    private static func cleaned(
        _ text: String,
        upTo limit: Limit,
        keepsLines: Bool
    ) -> (text: String, isWhole: Bool) {
        var clean = ""
        // White space is written only before something else, so that none stands at the end.
        var space = ""
        var examined = 0
        for scalar in text.unicodeScalars {
            if clean.utf8.count > limit.bytes || examined == limit.examined { return (clean, false) }
            examined += 1
            if isSpace(scalar, keepsLines: keepsLines) {
                if keepsLines { space.unicodeScalars.append(scalar) } else if !clean.isEmpty { space = " " }
            } else if !isForbidden(scalar) {
                clean += space
                space = ""
                clean.unicodeScalars.append(scalar)
            }
        }
        return (clean, true)
    }

    private static func truncated(_ text: String, to limit: Limit, isWhole: Bool) -> String {
        let room = limit.bytes - "…".utf8.count
        var end = text.startIndex
        var count = 1
        while end < text.endIndex, count < limit.characters {
            let next = text.index(after: end)
            // The last character of a part may go on in what was not looked at.
            if !isWhole, next == text.endIndex { break }
            if text.utf8.distance(from: text.startIndex, to: next) > room { break }
            end = next
            count += 1
        }
        var kept = text[..<end]
        while kept.last?.isWhitespace == true { kept.removeLast() }
        return kept + "…"
    }

    // MARK: Scalars

    private static func isSpace(_ scalar: Unicode.Scalar, keepsLines: Bool) -> Bool {
        if keepsLines { return scalar == " " || scalar == "\n" || scalar == "\t" }
        return scalar.value < 0x80
            ? scalar.value == 0x20 || (0x09...0x0D).contains(scalar.value) : scalar.properties.isWhitespace
    }

    /// NUL, C0, DEL and C1; what turns the rest of the text around (embeddings, overrides, isolates; the
    /// plain marks stay, Arabic and Hebrew need them); and what XML, which some servers parse, has not.
    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: true
        default: scalar.value & 0xFFFE == 0xFFFE
        }
    }
}
