// Rules and filters name features, users and programs by patterns.

/// A pattern in which `*` stands for any characters and `?` for one; all else, letter case too, for itself.
public struct Glob: Sendable, Hashable {
    private let pattern: [Character]

    public init(_ pattern: String) {
        var characters: [Character] = []
        // Stars beside each other are one.
        for character in pattern where character != "*" || characters.last != "*" {
            characters.append(character)
        }
        self.pattern = characters
    }

    /// Whether the whole text is what the pattern says.
    ///
    /// Looks at each character of the text at most once for each of the pattern, as only the last star
    /// passed ever takes more: no pattern makes it explode.
    public func matches(_ text: String) -> Bool {
        var (place, wanted) = (text.startIndex, 0)
        var star: (next: Int, place: String.Index)?
        while place < text.endIndex {
            if wanted < pattern.count, pattern[wanted] == "*" {
                star = (wanted + 1, place)
                wanted += 1
            } else if wanted < pattern.count, pattern[wanted] == "?" || pattern[wanted] == text[place] {
                place = text.index(after: place)
                wanted += 1
            } else if let last = star {
                // The star takes one more.
                place = text.index(after: last.place)
                wanted = last.next
                star = (last.next, place)
            } else {
                return false
            }
        }
        return pattern[wanted...].allSatisfy { $0 == "*" }
    }
}
