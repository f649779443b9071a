// Ids, cursors and epochs: what they accept and how they sort.

import BelfryCore
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test("an id is a UUID, in lower case whatever came in")
    func uuid() {
        #expect(
            TaskID("0198C0DE-7A3B-7CC1-9D2F-0123456789AB")?.rawValue == "0198c0de-7a3b-7cc1-9d2f-0123456789ab"
        )
        #expect(
            BatchID("0198c0de-7a3b-7cc1-9d2f-0123456789ab")?.description
                == "0198c0de-7a3b-7cc1-9d2f-0123456789ab"
        )
    }

    @Test(
        "what is no UUID is refused",
        arguments: [
            "", "1", "0198c0de-7a3b-7cc1-9d2f-0123456789a", "0198c0de-7a3b-7cc1-9d2f-0123456789abc",
            "0198c0de7a3b7cc19d2f0123456789ab", "0198c0de-7a3b-7cc1-9d2f_0123456789ab",
            "g198c0de-7a3b-7cc1-9d2f-0123456789ab", "../../../../../../../../../../../etc/x",
            "0198c0de-7a3b-7cc1-9d2f-01234567\u{E9}9a", "0198c0de-7a3b-7cc1-9d2f-0123456789a\0",
            "{198c0de-7a3b-7cc1-9d2f-0123456789a}", "\u{10}198c0de-7a3b-7cc1-9d2f-0123456789ab",
        ]
    )
    func noUUID(_ text: String) {
        #expect(TaskID(text) == nil)
        #expect(BatchID(text) == nil)
    }

    @Test("a made id is a UUID of version 7 with the time in front")
    func version7() throws {
        let ids = IDGenerator(randomBits: { .max })
        let id = ids.taskID(at: Timestamp(milliseconds: 0x0198_C0DE_7A3B))
        #expect(id.rawValue == "0198c0de-7a3b-7fff-bfff-ffffffffffff")
        #expect(
            IDGenerator(randomBits: { 0 }).batchID(at: Timestamp(milliseconds: 1)).rawValue
                == "00000000-0001-7000-8000-000000000000"
        )
        #expect(TaskID(id.rawValue) == id)
    }

    @Test("ids sort by the time they were made at, and differ")
    func sorting() {
        let ids = IDGenerator()
        let made = (0..<1000).map { ids.taskID(at: Timestamp(milliseconds: 1_767_225_600_000 + $0)).rawValue }
        #expect(made == made.sorted())
        let now = Timestamp(milliseconds: 0)
        #expect(Set((0..<1000).map { _ in ids.taskID(at: now) }).count == 1000)
    }

    @Test("an epoch is eight characters of an alphabet without look-alikes, from the injected randomness")
    func epoch() {
        #expect(IDGenerator(randomBits: { 0 }).epoch() == "00000000")
        #expect(IDGenerator(randomBits: { .max }).epoch() == "zzzzzzzz")
        #expect(Set((0..<100).map { _ in IDGenerator().epoch() }).count == 100)
        #expect(!IDGenerator().epoch().contains("-"))
    }

    @Test("a cursor reads back")
    func cursor() {
        let cursor = EventCursor(epoch: "0abc9xyz", position: 42)
        #expect(cursor.description == "0abc9xyz-42")
        #expect(EventCursor(cursor.description) == cursor)
        #expect(EventCursor("e-0") == EventCursor(epoch: "e", position: 0))
        #expect(EventCursor("a-b-3") == EventCursor(epoch: "a-b", position: 3))
        #expect(EventCursor("e-9223372036854775807")?.position == .max)
    }

    @Test(
        "what is no cursor is refused",
        arguments: ["", "-", "e", "e-", "-1", "e-x", "e-1.5", "e-9223372036854775808", "e-1 ", "e- 1"]
    )
    func noCursor(_ text: String) {
        #expect(EventCursor(text) == nil)
    }
}
