// When two tasks are the same.

import BelfryCore
import Testing

@Suite("Unique rules")
struct UniqueRuleTests {
    private func new(_ params: JSONValue, feature: String = "paint", user: String = "") -> NewTask {
        var new = NewTask(featureID: feature, params: params)
        new.userID = user
        return new
    }

    @Test("the key is of feature, user and params, and of nothing else")
    func key() {
        let rule = UniqueRule()
        let key = rule.key(of: new(["a": 1, "b": 2]))
        #expect(key.utf8.count == 32)
        var same = new(["b": 2.0, "a": 1])
        (same.title, same.priority, same.labels, same.id) = ("x", 3, ["y"], Example.id)
        #expect(rule.key(of: same) == key)
        let others = [
            new(["a": 1]), new(["a": 1, "b": 3]), new(["a": 1, "b": "2"]),
            new(["a": 1, "b": 2], feature: "upscale"),
            new(["a": 1, "b": 2], user: "ada"),
        ]
        #expect(Set(others.map(rule.key) + [key]).count == others.count + 1)
    }

    @Test("the key is the same in every version: stored tasks are found by it")
    func pinned() {
        #expect(UniqueRule().key(of: new(["prompt": "a lighthouse"])) == "342504260ad925c3bc66b9594900ee59")
        #expect(UniqueRule().key(of: new([:])) == "ec51ec46a108d70f2e1a85e130de33da")
    }

    @Test("where one text ends and the next begins counts")
    func borders() {
        let rule = UniqueRule()
        #expect(
            rule.key(of: new([:], feature: "ab", user: "c"))
                != rule.key(of: new([:], feature: "a", user: "bc"))
        )
    }

    @Test("chosen params count alone, in any order, and a missing one is not null")
    func chosen() {
        var rule = UniqueRule()
        rule.params = ["url", "size"]
        let key = rule.key(of: new(["url": "a", "title": "x"]))
        #expect(rule.key(of: new(["url": "a", "title": "y"])) == key)
        #expect(rule.key(of: new(["url": "a", "size": nil])) != key)
        #expect(rule.key(of: new(["url": "b"])) != key)
        rule.params = ["size", "url", "url"]
        #expect(rule.key(of: new(["url": "a"])) == key)
        rule.params = []
        #expect(rule.key(of: new(["url": "a"])) == rule.key(of: new(["url": "b"])))
    }

    @Test("a task counts by its status, and by its age up to the period")
    func covers() throws {
        var rule = UniqueRule()
        #expect(
            try TaskStatus.allCases.filter { rule.covers(try Example.task($0), at: Example.later) }
                == [.pending, .processing]
        )
        rule.statuses = [.failed]
        #expect(rule.covers(try Example.task(.failed), at: Example.later))
        rule.period = .milliseconds(1500)
        #expect(!rule.covers(try Example.task(.failed), at: Example.later))
        #expect(rule.covers(try Example.task(.failed), at: Example.later.adding(.milliseconds(-1))))
    }

    @Test("the JSON reads back, and says what is default")
    func json() throws {
        #expect(UniqueRule().json.text == #"{"onConflict":"reject","statuses":["pending","processing"]}"#)
        var rule = UniqueRule()
        (rule.params, rule.period, rule.statuses, rule.onConflict) = (
            ["a"], .milliseconds(1500), [.failed], .keep
        )
        #expect(try UniqueRule(json: rule.json) == rule)
        #expect(try UniqueRule(json: [:]) == UniqueRule())
        #expect(
            try UniqueRule(json: ["params": nil, "periodSeconds": nil, "onConflict": nil]) == UniqueRule()
        )
    }

    @Test(
        "what is wrong is refused with a pointer",
        arguments: [
            (#"{"params":"a"}"#, "/params"), (#"{"params":[1]}"#, "/params"), (#"{"param":["a"]}"#, "/param"),
            (#"{"periodSeconds":-1}"#, "/periodSeconds"), (#"{"statuses":[]}"#, "/statuses"),
            (#"{"statuses":["done"]}"#, "/statuses"), (#"{"onConflict":"drop"}"#, "/onConflict"),
        ]
    )
    func refused(_ text: String, _ pointer: String) throws {
        let json = try JSONValue(parsing: text)
        let error = #expect(throws: BelfryError.self) { try UniqueRule(json: json) }
        #expect(error?.pointer == pointer)
    }
}
