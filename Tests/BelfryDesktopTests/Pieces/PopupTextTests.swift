// What becomes of hostile, huge and odd text before a popup server sees it.

import Testing

@testable import BelfryDesktop

@Suite("Text of popups")
struct PopupTextTests {
    @Test("15. what a body with markup needs escaped is escaped, and nothing else")
    func escaped() {
        #expect(PopupText.escaped("a < b && c > \"d\" 'e'") == "a &lt; b &amp;&amp; c &gt; \"d\" 'e'")
        #expect(PopupText.escaped("&amp;<b>") == "&amp;amp;&lt;b&gt;")
        #expect(PopupText.escaped("plain äöü 🌊") == "plain äöü 🌊")
        // The sign with its accent is one character, and still markup to a server.
        #expect(PopupText.escaped("<\u{301}").unicodeScalars.elementsEqual("&lt;\u{301}".unicodeScalars))
    }

    @Test("15. a body keeps what markup would read, as plain servers show it as it is")
    func plain() {
        #expect(PopupText.body("<b>a & b</b>") == "<b>a & b</b>")
    }

    @Test(
        "16. a summary is one line, with one space for each run of white space",
        arguments: [
            ("two\nlines", "two lines"), ("  a \t\r\n\n b  ", "a b"), ("a\u{2028}b\u{3000}c", "a b c"),
            ("\n", ""), ("", ""), ("a\rb", "a b"),
        ]
    )
    func summary(_ text: String, _ expected: String) {
        #expect(PopupText.summary(text) == expected)
    }

    @Test("16. a summary is not escaped")
    func summaryIsPlain() {
        #expect(PopupText.summary("<i> & co") == "<i> & co")
    }

    @Test("17. NUL and control characters go; newline and tab stay in a body")
    func controls() {
        let all = String(String.UnicodeScalarView((0..<0xA0).compactMap(Unicode.Scalar.init)))
        let printable = String(String.UnicodeScalarView((0x21..<0x7F).compactMap(Unicode.Scalar.init)))
        #expect(PopupText.body("a\(all)b") == "a\t\n \(printable)b")
        // U+0085 is a newline too.
        #expect(PopupText.summary("a\(all)b") == "a \(printable) b")
        #expect(PopupText.body("one\r\ntwo\n\n\tthree \n") == "one\ntwo\n\n\tthree")
    }

    @Test("17. what turns the rest of a text around goes, the marks of Arabic and Hebrew stay")
    func directions() {
        #expect(PopupText.summary("gnp\u{202E}evil\u{2066}.exe") == "gnpevil.exe")
        let marked = "שלום\u{200F} 1"
        #expect(PopupText.body(marked).unicodeScalars.elementsEqual(marked.unicodeScalars))
    }

    @Test("17. what is no character goes")
    func noncharacters() {
        #expect(PopupText.summary("a\u{FFFE}\u{FFFF}\u{1FFFF}b") == "ab")
    }

    @Test("17. a text is cut between characters, not within one")
    func boundary() {
        let flag = "🏳️‍🌈"
        let cut = PopupText.summary(String(repeating: flag, count: 201))
        #expect(cut == String(repeating: flag, count: 199) + "…")
        let body = PopupText.body(String(repeating: flag, count: 1000))
        #expect(body.dropLast().allSatisfy { String($0) == flag })
        #expect(body.last == "…" && body.utf8.count <= 4096 && body.utf8.count > 4096 - 14 - 3)
        // The accent comes after the limit in bytes, and belongs to the last e before it.
        let accented = PopupText.body(String(repeating: "e", count: 4093) + "\u{301}" + "more")
        #expect(accented == String(repeating: "e", count: 4092) + "…")
    }

    @Test("17. the cut comes before the escapes, so that none is cut in two")
    func cutThenEscaped() {
        let body = PopupText.escaped(PopupText.body(String(repeating: "&", count: 5000)))
        #expect(body == String(repeating: "&amp;", count: 4093) + "…")
    }

    @Test("18. a text up to the limit stays whole, one beyond it ends in …")
    func limits() {
        let whole = String(repeating: "ä", count: 200)
        #expect(PopupText.summary(whole) == whole)
        #expect(PopupText.summary(whole + " \n ") == whole)
        #expect(PopupText.summary(whole + "ä") == String(repeating: "ä", count: 199) + "…")
        let body = String(repeating: "b", count: 4096)
        #expect(PopupText.body(body) == body)
        #expect(PopupText.body(body + "b") == String(repeating: "b", count: 4093) + "…")
        #expect(PopupText.summary("word " + whole) == "word " + String(repeating: "ä", count: 194) + "…")
    }

    @Test("no space stands before the … of a cut")
    func spaceBeforeCut() {
        let words = String(repeating: "x", count: 198) + " " + String(repeating: "y", count: 10)
        #expect(PopupText.summary(words) == String(repeating: "x", count: 198) + "…")
    }

    @Test(
        "18. 10 MB of anything become a short text",
        .timeLimit(.minutes(1)),
        arguments: ["a", "\0", " ", "\n", "\u{301}", "🌊", "é", "\u{202E}"]
    )
    func huge(_ unit: String) {
        let text = String(repeating: unit, count: 10_000_000 / unit.utf8.count)
        for cut in [PopupText.summary(text), PopupText.body(text), PopupText.summary("a" + text)] {
            #expect(cut.utf8.count <= 4096 && cut.last == "…")
        }
    }

    @Test("18. of a huge text only the start is looked at", arguments: ["\0", " ", "\u{202E}"])
    func start(_ unit: String) {
        // What is removed does not count; were it looked at without end, the end would be found.
        let text = String(repeating: unit, count: 1 << 17) + "end"
        #expect(PopupText.summary(text) == "…")
        #expect(PopupText.body("ab" + text) == "a…")
    }
}
