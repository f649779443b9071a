// Submissions as clients write them and as schedules keep them: every field goes there and back.

import BelfryCore
import Testing

@Suite("Submissions as JSON")
struct SubmissionJSONTests {
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let change: @Sendable (inout NewTask) -> Void

        /// - Parameter json: the member that the change makes.
        init(_ json: String, _ change: @escaping @Sendable (inout NewTask) -> Void) {
            description = json
            self.change = change
        }
    }

    static let fields: [Case] = [
        Case(#""id":"0198c0de-7a3b-7cc1-9d2f-0123456789ab""#) { $0.id = Example.id },
        Case(#""title":"a\nb""#) { $0.title = "a\nb" },
        Case(#""userId":"ada""#) { $0.userID = "ada" },
        Case(#""origin":"org.example.App""#) { $0.origin = "org.example.App" },
        Case(#""notify":"none""#) { $0.notify = .none },
        Case(#""labels":["a","b"]"#) { $0.labels = ["a", "b"] },
        Case(#""priority":-3"#) { $0.priority = -3 },
        Case(#""group":"night""#) { $0.group = "night" },
        Case(#""needs":{"slots":2,"gpu":1}"#) { $0.needs = TaskNeeds(slots: 2, resources: ["gpu": 1]) },
        Case(#""needs":{}"#) { $0.needs = TaskNeeds() },
        Case(#""notBefore":"2026-01-01T00:00:01.500Z""#) { $0.notBefore = Example.later },
        Case(#""delaySeconds":1.5"#) { $0.delay = .milliseconds(1500) },
        Case(#""timeoutSeconds":90"#) { $0.timeout = .seconds(90) },
        Case(#""stashed":true"#) { $0.isStashed = true },
        Case(#""deadline":"2026-01-01T00:00:01.500Z""#) { $0.deadline = Example.later },
        Case(#""after":["0198c0de-7a3b-7cc1-9d2f-0123456789ab"]"#) { $0.after = [Example.id] },
        Case(
            #""unique":{"onConflict":"keep","params":["url"],"periodSeconds":60,"statuses":["pending","completed"]}"#
        ) { new in
            var rule = UniqueRule()
            (rule.params, rule.period, rule.onConflict) = (["url"], .seconds(60), .keep)
            rule.statuses = [.completed, .pending]
            new.unique = rule
        },
        Case(#""attemptTimeoutSeconds":30"#) { $0.options.timeouts.attempt = .seconds(30) },
        Case(#""idleTimeoutSeconds":0.25"#) { $0.options.timeouts.idle = .milliseconds(250) },
        Case(
            #""retry":{"maxAttempts":5,"initialDelaySeconds":1.5,"multiplier":3,"maxDelaySeconds":60,"jitter":0,"#
                + #""retryOn":["*"],"giveUpOn":["no_model"]}"#
        ) { new in
            var policy = RetryPolicy()
            (policy.maxAttempts, policy.initialDelay, policy.multiplier) = (5, .milliseconds(1500), 3)
            (policy.maxDelay, policy.jitter) = (.seconds(60), 0)
            (policy.retryOn, policy.giveUpOn) = (["*"], ["no_model"])
            new.options.retry = policy
        },
        Case(#""onDependencyFailure":"run""#) { $0.options.onDependencyFailure = .run },
        Case(#""maxAttempts":7"#) { $0.maxAttempts = 7 },
        Case(#""onInterrupt":"fail""#) { $0.onInterrupt = .fail },
        Case(#""idempotencyKey":"order-7""#) { $0.idempotencyKey = "order-7" },
        Case(#""context":{"workingDirectory":"/tmp","umask":18,"environment":{"A":"","LANG":"C"}}"#) {
            $0.context = SubmissionContext(
                workingDirectory: "/tmp",
                umask: 0o22,
                environment: ["LANG": "C", "A": ""]
            )
        },
    ]

    @Test("each field is one member, and reads back", arguments: fields)
    func roundTrip(_ field: Case) throws {
        var new = NewTask(featureID: "paint", params: ["prompt": "a lighthouse"])
        let plain = try #require(new.json.object?.count)
        field.change(&new)
        #expect(new.json.object?.count == plain + 1)
        #expect(new.json.text.contains(field.description), "\(new.json.text)")
        #expect(try NewTask(submission: JSONValue(parsing: new.json.encoded)) == new)
    }

    @Test("all fields together read back")
    func everything() throws {
        var new = NewTask(featureID: "paint", params: ["prompt": "a lighthouse"])
        for field in Self.fields { field.change(&new) }
        #expect(try NewTask(submission: JSONValue(parsing: new.json.encoded)) == new)
    }

    @Test("the least is a feature")
    func least() throws {
        let new = try NewTask(submission: ["featureId": "paint"])
        #expect(new == NewTask(featureID: "paint"))
        #expect(new.json.text == #"{"featureId":"paint","params":{}}"#)
    }

    @Test("null is as good as nothing")
    func null() throws {
        let optional = [
            "id", "title", "userId", "origin", "notify", "labels", "priority", "group", "needs", "notBefore",
            "delaySeconds", "timeoutSeconds", "stashed", "deadline", "after", "unique",
            "attemptTimeoutSeconds",
            "idleTimeoutSeconds", "retry", "onDependencyFailure", "maxAttempts", "onInterrupt",
            "idempotencyKey",
            "context",
        ]
        for key in optional {
            let new = try NewTask(submission: .object(["featureId": "paint", key: nil]))
            #expect(new == NewTask(featureID: "paint"), "\(key)")
        }
    }

    @Test("the schedule that made a task is the service's to say, and goes with the options")
    func schedule() throws {
        var new = NewTask(featureID: "paint")
        new.options.schedule = "nightly"
        #expect(new.json.text == #"{"featureId":"paint","params":{},"schedule":"nightly"}"#)
        #expect(try NewTask(json: new.json) == new)
        #expect(throws: BelfryError.self) { try NewTask(submission: new.json) }
    }

    @Test(
        "what is wrong is refused with a pointer",
        arguments: [
            ("id", "7"), ("title", "7"), ("notify", #""loud""#), ("labels", "[1]"), ("priority", "1.5"),
            ("needs", "[]"), ("notBefore", #""soon""#), ("delaySeconds", "-1"), ("timeoutSeconds", "1e9"),
            ("stashed", #""yes""#), ("deadline", "7"), ("after", #"["x"]"#), ("unique", "true"),
            ("attemptTimeoutSeconds", #""30""#), ("idleTimeoutSeconds", "-1"), ("retry", "3"),
            ("onDependencyFailure", #""wait""#), ("maxAttempts", #""3""#), ("onInterrupt", #""stop""#),
            ("idempotencyKey", "7"),
        ]
    )
    func refused(_ key: String, _ value: String) throws {
        let json = try JSONValue(parsing: #"{"featureId":"paint","\#(key)":\#(value)}"#)
        let error = #expect(throws: BelfryError.self) { try NewTask(submission: json) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.pointer == "/\(key)")
    }

    @Test(
        "what is wrong within a member is refused with a pointer to it",
        arguments: [
            ("context", #"{"workingDirectory":"tmp"}"#, "/workingDirectory"),
            ("context", #"{"workingDirectory":"/tmp\u0000x"}"#, "/workingDirectory"),
            ("context", #"{"workingDirectory":"/","umask":"022"}"#, "/umask"),
            ("context", #"{"workingDirectory":"/","umask":512}"#, "/umask"),
            ("context", #"{"workingDirectory":"/","environment":["A=b"]}"#, "/environment"),
            ("context", #"{"workingDirectory":"/","environment":{"A":3}}"#, "/environment"),
            ("context", #"{"workingDirectory":"/","environment":{"A":"b\u0000"}}"#, "/environment"),
            ("context", #"{"workingDirectory":"/","environment":{"A\u0000":"b"}}"#, "/environment"),
            ("context", #"{"workingDirectory":"/","env":{}}"#, "/env"), ("context", "3", ""),
            ("retry", #"{"maxAttempts":"3"}"#, "/maxAttempts"), ("retry", #"{"attempts":3}"#, "/attempts"),
            ("unique", #"{"params":"a"}"#, "/params"), ("unique", #"{"within":3}"#, "/within"),
        ]
    )
    func refusedWithin(_ key: String, _ value: String, _ pointer: String) throws {
        let json = try JSONValue(parsing: #"{"featureId":"paint","\#(key)":\#(value)}"#)
        let error = #expect(throws: BelfryError.self) { try NewTask(submission: json) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.pointer == "/\(key)\(pointer)")
    }

    @Test("a misspelt field is refused, with the one that was meant")
    func misspelt() throws {
        let error = #expect(throws: BelfryError.self) {
            try NewTask(submission: ["featureId": "paint", "priorty": 3])
        }
        #expect(error?.pointer == "/priorty")
        #expect(error?.message.contains("did you mean 'priority'?") == true)
    }

    @Test("options keep only what is set, and default ones nothing")
    func options() throws {
        #expect(TaskOptions().json.text == "{}")
        #expect(try TaskOptions(json: [:]) == TaskOptions())
        var options = TaskOptions()
        options.schedule = "nightly"
        #expect(options.json.object?.count == 1)
    }

    @Test(
        "a retry policy that is wrong is refused with a pointer",
        arguments: [
            (#"{"maxAttempts":0}"#, "/maxAttempts"), (#"{"maxAttempts":1001}"#, "/maxAttempts"),
            (#"{"initialDelaySeconds":604801}"#, "/initialDelaySeconds"),
            (#"{"multiplier":0.5}"#, "/multiplier"),
            (#"{"maxDelaySeconds":-1}"#, "/maxDelaySeconds"), (#"{"jitter":1.1}"#, "/jitter"),
            (#"{"retryOn":"*"}"#, "/retryOn"), (#"{"giveUpOn":[7]}"#, "/giveUpOn"),
        ]
    )
    func retryPolicy(_ text: String, _ pointer: String) throws {
        let json = try JSONValue(parsing: text)
        let error = #expect(throws: BelfryError.self) { try RetryPolicy(json: json) }
        #expect(error?.pointer == pointer)
    }

    @Test("a group reads well as JSON, and its name is inert")
    func groups() throws {
        var group = TaskGroup(name: "night")
        #expect(group.isDefault)
        #expect(group.json.text == #"{"name":"night","state":"open"}"#)
        (group.slots, group.state) = (2, .paused)
        #expect(group.json.text == #"{"name":"night","slots":2,"state":"paused"}"#)
        for name in ["default", "at night", "\u{E9}t\u{E9}", String(repeating: "a", count: 64)] {
            #expect(throws: Never.self) { try TaskGroup.check(name: name) }
        }
        for name in ["", "*", "a/b", "a\nb", "a\u{7F}", String(repeating: "a", count: 65)] {
            #expect(throws: BelfryError.self) { try TaskGroup.check(name: name) }
        }
    }

    @Test("a schedule's name is made of letters, digits and three signs")
    func scheduleNames() {
        for name in ["nightly", "a-b_c.9", "\u{E9}t\u{E9}", String(repeating: "a", count: 64)] {
            #expect(throws: Never.self) { try Schedule.check(name: name) }
        }
        for name in ["", "a b", "a/b", "a\nb", String(repeating: "a", count: 65)] {
            #expect(throws: BelfryError.self) { try Schedule.check(name: name) }
        }
    }
}
