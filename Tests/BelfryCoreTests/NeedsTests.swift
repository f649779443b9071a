// What tasks occupy, as people write it and as stores keep it.

import BelfryCore
import Testing

@Suite("Needs")
struct NeedsTests {
    @Test(
        "amounts are whole numbers, with a unit of 1024",
        arguments: [
            ("0", 0), ("1", 1), ("8k", 8192), ("8K", 8192), ("3M", 3 << 20), ("8G", 8 << 30), ("2T", 2 << 40),
            ("9223372036854775807", Int64.max), ("4194303T", 4_194_303 << 40),
        ]
    )
    func amounts(_ text: String, _ amount: Int64) { #expect(TaskNeeds.amount(text) == amount) }

    @Test(
        "what is no amount is none",
        arguments: [
            "", "G", "-1", "-1G", "1.5", "1.5G", " 1", "1 G", "1g", "1GB", "0x10", "9223372036854775808",
            "4194304T",
            "8589934592G", "\u{0661}",
        ]
    )
    func noAmounts(_ text: String) { #expect(TaskNeeds.amount(text) == nil) }

    @Test("the text has one order, leaves out what is default, and reads back")
    func text() throws {
        let cases: [(TaskNeeds, String)] = [
            (TaskNeeds(), ""), (TaskNeeds(slots: 2), "slots=2"), (TaskNeeds(resources: ["gpu": 1]), "gpu=1"),
            (
                TaskNeeds(slots: 2, resources: ["memory": 8 << 30, "gpu": 1, "a": 0]),
                "slots=2 gpu=1 memory=8589934592"
            ),
        ]
        for (needs, text) in cases {
            #expect(needs.text == text)
            #expect(try TaskNeeds(text) == needs)
            #expect(needs.isDefault == text.isEmpty)
        }
        #expect(try TaskNeeds("memory=8G slots=2 gpu=1").text == "slots=2 gpu=1 memory=8589934592")
    }

    @Test("the JSON leaves out what is default, reads back, and takes amounts as text")
    func json() throws {
        let needs = TaskNeeds(slots: 2, resources: ["memory": 8 << 30, "gpu": 1])
        #expect(needs.json.text == #"{"slots":2,"gpu":1,"memory":8589934592}"#)
        #expect(TaskNeeds().json.text == "{}")
        #expect(try TaskNeeds(json: needs.json) == needs)
        #expect(try TaskNeeds(json: ["memory": "8G", "gpu": "1", "slots": 2, "none": 0]) == needs)
    }

    @Test(
        "what is wrong is refused and named",
        arguments: [
            ("gpu", "'gpu' is not of the form name=amount."),
            ("gpu=", "'gpu=' is not of the form name=amount."),
            ("gpu=x", "'x' is not an amount of gpu."), ("GPU=1", "'GPU' is not a resource's name."),
            ("gpu/0=1", "'gpu/0' is not a resource's name."),
            ("slots=0", "A task takes 1 to 1024 slots, not 0."),
            ("slots=1025", "A task takes 1 to 1024 slots, not 1025."),
            ("a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1", "A task needs at most 8 resources."),
        ]
    )
    func refused(_ text: String, _ message: String) throws {
        let error = #expect(throws: BelfryError.self) { try TaskNeeds(text) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.message == message)
        #expect(error?.fix?.isEmpty == false)
        #expect(error?.pointer == "/needs")
    }

    @Test(
        "what is wrong in JSON is refused too",
        arguments: ["[1]", #"{"gpu":-1}"#, #"{"gpu":1.5}"#, #"{"gpu":null}"#]
    )
    func refusedJSON(_ text: String) throws {
        let json = try JSONValue(parsing: text)
        let error = #expect(throws: BelfryError.self) { try TaskNeeds(json: json) }
        #expect(error?.pointer == "/needs")
    }

    @Test("a lane reads back from its text, whatever group, feature and needs have in their names")
    func lanes() {
        let lanes = [
            Lane(group: "default", featureID: "paint"),
            Lane(group: "at night =", featureID: "org.example/paint"),
            Lane(group: "g", featureID: "f", needs: TaskNeeds(slots: 2, resources: ["gpu": 1])),
        ]
        for lane in lanes { #expect(Lane(stored: lane.description) == lane) }
        #expect(
            lanes.map(\.description) == [
                "default/paint", "at night =/org.example/paint", "g/f slots=2 gpu=1",
            ]
        )
        #expect(Lane(stored: "no slash") == nil)
        #expect(Lane(stored: "group/") == nil)
    }
}
