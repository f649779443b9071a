// Names of files and features as people and programs write them.

import BelfryCore
import BelfryTesting
import Testing

@Suite("File URIs")
struct FileURITests {
    @Test("any path is a URI of plain characters, and comes back")
    func roundTrip() {
        var random = SeededRandom(seed: 11)
        for _ in 0..<1_000 {
            let path = "/" + random.text(upTo: 30)
            let uri = FileURI.make(path)
            #expect(uri.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
            #expect(FileURI.path(uri).map { Array($0.utf8) } == Array(path.utf8))
        }
    }

    @Test("what needs it is percent-encoded")
    func encoding() {
        #expect(FileURI.make("/tmp/a b%\u{E9}#?.png") == "file:///tmp/a%20b%25%C3%A9%23%3F.png")
        #expect(FileURI.make("/a-b_c.d~e/0\n") == "file:///a-b_c.d~e/0%0A")
    }

    @Test(
        "what is no local file is refused",
        arguments: [
            "", "/tmp/a", "http://a/b", "file://host/a", "file:///a%", "file:///a%2", "file:///a%zz",
            "file:///a%+1", "file:///a%-0", "file:///%FF",
            "FILE:///a%0",
        ]
    )
    func refused(_ uri: String) {
        #expect(FileURI.path(uri) == nil)
    }
}

@Suite("Suggestions")
struct NameSuggestionTests {
    private let names = ["text-to-image", "upscale", "face-swap", "run", "sleep"]

    @Test(
        "a slip finds the name that was meant",
        arguments: [
            ("upscal", "upscale"), ("upsclae", "upscale"), ("UPSCALE", "upscale"), ("text", "text-to-image"),
            ("face_swap", "face-swap"), ("rn", "run"), ("slep", "sleep"), ("facesawp", "face-swap"),
        ]
    )
    func finds(_ typed: String, _ meant: String) {
        #expect(NameSuggestion.closest(to: typed, among: names) == meant)
    }

    @Test("what is like nothing finds nothing", arguments: ["", "zzzz", "x", "scale-up", "paint", "te"])
    func findsNothing(_ typed: String) {
        #expect(NameSuggestion.closest(to: typed, among: names) == nil)
    }

    @Test("of equally close names the first in order is given, every time")
    func stable() {
        #expect(NameSuggestion.closest(to: "paine", among: ["pains", "paint"]) == "pains")
        #expect(NameSuggestion.closest(to: "paine", among: ["paint", "pains"]) == "pains")
    }
}
