// What is understood of a prompt, before anything is painted.

import Testing

@testable import ProceduralRenderer

@Suite("Reading a prompt")
struct ReadingTests {
    @Test(
        "words, plurals and synonyms choose elements, in the order of the prompt",
        arguments: [
            ("A beautiful sunset over mountains", [Element.sunset, .mountains]),
            ("A futuristic city at night", [.futuristic, .city, .night]),
            ("PEAKS, hills & lakes!", [.mountains, .hills, .lake]),
            ("cities by the beaches", [.city, .beach, .sea]),
            ("a sailboat near a light house", [.boat, .lighthouse]),
            ("northern lights and the milky way", [.aurora, .night, .milkyWay]),
            ("thunderstorms", [.storm, .lightning]),
            ("a portrait of nobody", []),
            ("", []),
        ]
    )
    func elements(prompt: String, expected: [Element]) {
        #expect(Reading(prompt).elements == expected)
    }

    @Test("an element named twice is one element")
    func repeated() {
        #expect(Reading("sea, ocean, seascape and sea").elements == [.sea])
    }

    @Test("what is refused is left out, up to the end of the refusal")
    func negation() {
        let reading = Reading("a lake without any dark clouds or birds, with a boat")
        #expect(reading.elements == [.lake, .boat])
        #expect(reading.excluded == [.clouds, .birds])
        #expect(Reading("no snow on the mountains").elements == [.mountains])
        #expect(Reading("no snowfall, a snowy peak").elements == [.winter, .mountains])
    }

    @Test("a style is recognised by its names")
    func styles() {
        #expect(Reading("desert dunes, watercolour").style == .watercolor)
        #expect(Reading("neon city in the rain synthwave").style == .neon)
        #expect(Reading("a forest").style == nil)
    }

    @Test("colours are recognised by their names and synonyms, each once")
    func colours() {
        #expect(Reading("a purple sky over a turquoise, teal sea").tints == [.purple, .teal])
        #expect(Reading("no red").tints == [])
    }

    @Test("every element can be asked for by a word or a pair of words")
    func lexiconIsComplete() {
        let offered = Set(Element.words.values.joined()).union(Element.pairs.values.joined())
        #expect(offered == Set(Element.allCases))
    }
}
