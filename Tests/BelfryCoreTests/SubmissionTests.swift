// The bounds of a submission, and when one is the repeat of another.

import BelfryCore
import Testing

@Suite("Submissions")
struct SubmissionTests {
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let change: @Sendable (inout NewTask) -> Void

        init(_ description: String, _ change: @escaping @Sendable (inout NewTask) -> Void) {
            self.description = description
            self.change = change
        }
    }

    private static func text(_ count: Int) -> String { String(repeating: "a", count: count) }

    static let accepted: [Case] = [
        Case("the least") { _ in },
        Case("the longest texts") { new in
            (new.featureID, new.title, new.userID, new.origin) = (text(128), text(800), text(128), text(255))
            (new.group, new.idempotencyKey, new.uniqueKey) = (text(64), text(255), text(255))
            new.labels = Array(repeating: text(64), count: 16)
        },
        Case("the extremes") { ($0.priority, $0.maxAttempts) = (-1000, 1000) },
        Case("a title with any characters") { $0.title = "a\n\u{1B}[31m" },
        Case("a feature of a plugin") { $0.featureID = "org.example/paint" },
        Case("1 MiB of params") { $0.params = ["a": .string(text((1 << 20) - 8))] },
    ]

    static let refused: [(Case, String)] = [
        (Case("no feature") { $0.featureID = "" }, "/featureId"),
        (Case("a long feature") { $0.featureID = text(129) }, "/featureId"),
        (Case("a feature with a newline") { $0.featureID = "a\nb" }, "/featureId"),
        (Case("a long title") { $0.title = text(801) }, "/title"),
        (Case("a title of many bytes") { $0.title = String(repeating: "\u{1F5FC}", count: 201) }, "/title"),
        (Case("a title with a zero byte") { $0.title = "a\u{0}b" }, "/title"),
        (Case("a param with one") { $0.params = ["a": ["x", "\u{0}"]] }, "/params/a/1"),
        (Case("a param with one deep down") { $0.params = ["a/b": ["c~": "x\u{0}"]] }, "/params/a~1b/c~0"),
        (Case("a param's name with one") { $0.params = ["a": ["x\u{0}": 1]] }, "/params/a"),
        (Case("a long user") { $0.userID = text(129) }, "/userId"),
        (Case("a user with NUL") { $0.userID = "a\0" }, "/userId"),
        (Case("a long origin") { $0.origin = text(256) }, "/origin"),
        (Case("an origin with DEL") { $0.origin = "a\u{7F}" }, "/origin"),
        (Case("no group") { $0.group = "" }, "/group"),
        (Case("a group with a slash") { $0.group = "a/b" }, "/group"),
        (Case("a long group") { $0.group = text(65) }, "/group"),
        (Case("a long idempotency key") { $0.idempotencyKey = text(256) }, "/idempotencyKey"),
        (Case("a long unique key") { $0.uniqueKey = text(256) }, "/uniqueKey"),
        (Case("too many labels") { $0.labels = Array(repeating: "a", count: 17) }, "/labels"),
        (Case("an empty label") { $0.labels = ["a", ""] }, "/labels/1"),
        (Case("a long label") { $0.labels = [text(65)] }, "/labels/0"),
        (Case("no attempts") { $0.maxAttempts = 0 }, "/maxAttempts"),
        (Case("too many attempts") { $0.maxAttempts = 1001 }, "/maxAttempts"),
        (Case("too high a priority") { $0.priority = 1001 }, "/priority"),
        (Case("params that are no object") { $0.params = [1] }, "/params"),
        (Case("too large params") { $0.params = ["a": .string(text((1 << 20) - 7))] }, "/params"),
    ]

    @Test("what is within the bounds is accepted", arguments: accepted)
    func accepts(_ accepted: Case) {
        var new = NewTask(featureID: "paint")
        accepted.change(&new)
        #expect(throws: Never.self) { try new.validate() }
    }

    @Test("what is beyond is refused, with a pointer to the field", arguments: refused)
    func refuses(_ refused: Case, _ pointer: String) {
        var new = NewTask(featureID: "paint")
        refused.change(&new)
        let error = #expect(throws: BelfryError.self) { try new.validate() }
        #expect(error?.pointer == pointer)
        #expect(error?.code == (refused.description == "too large params" ? .tooLarge : .invalidRequest))
    }

    @Test("a repeat is what asks for the same work")
    func repeats() {
        var new = NewTask(featureID: "paint", params: ["a": 1, "b": ["c": 2, "d": 7.0]])
        let task = BackgroundTask(new, id: Example.id, number: 1, at: Example.now)
        (new.title, new.labels, new.notBefore) = ("another title", ["x"], Example.later)
        new.params = ["b": ["d": 7, "c": 2], "a": 1]
        #expect(new.isRepeat(of: task))
        let others: [Case] = [
            Case("feature") { $0.featureID = "upscale" }, Case("params") { $0.params = ["a": 1] },
            Case("user") { $0.userID = "ada" }, Case("group") { $0.group = "gpu" },
            Case("priority") { $0.priority = 1 },
        ]
        for other in others {
            var changed = new
            other.change(&changed)
            #expect(!changed.isRepeat(of: task), "\(other) does not count")
        }
    }

    @Test("texts that only look the same are not a repeat")
    func bytes() {
        let composed = NewTask(featureID: "paint", params: ["file": "caf\u{E9}"])
        let decomposed = NewTask(featureID: "paint", params: ["file": "cafe\u{301}"])
        let task = BackgroundTask(composed, id: Example.id, number: 1, at: Example.now)
        #expect(composed.isRepeat(of: task))
        #expect(!decomposed.isRepeat(of: task))
    }
}
