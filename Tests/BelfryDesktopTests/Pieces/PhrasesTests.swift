// Durations as popups say them.

import Testing

@testable import BelfryDesktop

@Suite("Phrases")
struct PhrasesTests {
    @Test(
        "how long something took is said in at most two units",
        arguments: [
            (.zero, "under a second"), (.milliseconds(999), "under a second"),
            (.seconds(-5), "under a second"),
            (.seconds(1), "1 s"), (.milliseconds(12_400), "12 s"), (.milliseconds(59_600), "1 min"),
            (.seconds(192), "3 min 12 s"), (.seconds(180), "3 min"), (.milliseconds(3_599_700), "1 h"),
            (.seconds(3840), "1 h 4 min"), (.seconds(86_399), "1 d"), (.seconds(183_600), "2 d 3 h"),
            (.seconds(172_800), "2 d"), (.seconds(86_400 * 400), "400 d"),
        ] as [(Duration, String)]
    )
    func duration(_ duration: Duration, _ expected: String) {
        #expect(Phrases.duration(duration) == expected)
    }

    @Test(
        "what is left is said coarsely, and never as nothing",
        arguments: [
            (.zero, "5 s"), (.seconds(-1), "5 s"), (.seconds(3), "5 s"), (.seconds(8), "10 s"),
            (.milliseconds(57_400), "55 s"), (.seconds(58), "1 min"), (.seconds(89), "1 min"),
            (.seconds(90), "2 min"), (.seconds(3569), "59 min"), (.seconds(3570), "1 h"),
            (.seconds(5100), "1 h 25 min"), (.seconds(35_849), "9 h 55 min"), (.seconds(36_000), "10 h"),
            (.seconds(47 * 3600), "47 h"), (.seconds(86_400 * 2), "2 d"), (.seconds(86_400 * 9), "9 d"),
        ] as [(Duration, String)]
    )
    func left(_ duration: Duration, _ expected: String) {
        #expect(Phrases.left(duration) == "about \(expected) left")
    }

    @Test("a time that counts down changes its words seldom")
    func coarse() {
        let words = stride(from: 7200, through: 0, by: -1).map { Phrases.left(.seconds($0)) }
        #expect(zip(words, words.dropFirst()).filter { $0 != $1 }.count < 90)
    }

    @Test("the longest duration there is has words, too")
    func extremes() {
        let most = Duration(secondsComponent: .max, attosecondsComponent: 0)
        #expect(Phrases.duration(most).contains(" d"))
        #expect(Phrases.left(most).hasSuffix(" d left"))
        #expect(Phrases.left(Duration(secondsComponent: .min, attosecondsComponent: 0)) == "about 5 s left")
    }
}
