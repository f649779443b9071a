// Patterns of rules.

import BelfryCore
import Testing

@Suite("Patterns")
struct GlobTests {
    @Test(
        "a pattern matches the whole of a text",
        arguments: [
            ("", "", true), ("", "a", false), ("*", "", true), ("*", "any thing", true), ("?", "", false),
            ("?", "é", true), ("?", "🏳️‍🌈", true), ("text-*", "text-to-image", true), ("text-*", "text-", true),
            ("text-*", "a text-", false), ("*image", "text-to-image", true),
            ("*image", "image-to-text", false),
            ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-c-b", false), ("a?c", "abc", true), ("a?c", "ac", false),
            ("**a**", "bab", true), ("*?", "", false), ("*?b", "ab", true), ("a", "A", false),
            ("[a].\\*", "[a].\\b", true), ("*ab", "aab", true), ("*a?c", "aabac", false),
            ("*a?c", "acabc", true),
        ]
    )
    func matches(_ pattern: String, _ text: String, _ expected: Bool) {
        #expect(Glob(pattern).matches(text) == expected)
    }

    @Test("many stars do not make a long text slow", .timeLimit(.minutes(1)))
    func manyStars() {
        // Trying every way to share the text among the stars would never end.
        let pattern = Glob(String(repeating: "a*", count: 50) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 5000)))
    }
}
