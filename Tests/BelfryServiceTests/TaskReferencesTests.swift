// What becomes of references in params once the tasks that they speak of are done.

import BelfryCore
import Synchronization
import Testing

@testable import BelfryService

@Suite("References in params", .timeLimit(.minutes(1)))
struct TaskReferencesTests {
    private func earlier(_ value: JSONValue, files: [String] = []) -> BackgroundTask {
        let id = TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab")
        var task = BackgroundTask(
            NewTask(featureID: "first"),
            id: id,
            number: 7,
            at: Timestamp(milliseconds: 1_767_225_600_000)
        )
        task.result = TaskResult(value: value, artifacts: files.map { .init(uri: FileURI.make($0)) })
        return task
    }

    @Test("alone it becomes the value, whatever kind that is; among text it becomes text")
    func values() throws {
        let tasks = [earlier(["width": 640], files: ["/out/a b.png"]), earlier("x", files: ["/1", "/2"])]
        let params: JSONValue = [
            "width": "${task.result.value.width}", "size": "${task.result.value.width}px",
            "image": "${task1.result.path}", "all": ["${task2.result.paths}"],
            "name": "#${task.number}-${task2.result.value}", "plain": "${task}",
            "twice": "${task.number}${task.number}",
        ]
        #expect(
            try TaskReferences.resolved(params, from: tasks) == [
                "width": 640, "size": "640px", "image": "/out/a b.png", "all": [["/1", "/2"]],
                "name": "#7-x", "plain": "${task}", "twice": "77",
            ]
        )
    }

    @Test(
        "one that speaks of no task, or of nothing that a task has, is refused at once",
        arguments: [
            "${task2.id}", "${task0.id}", "${task.}", "${task.results}", "a${task.result.path.x}",
            "${task.result.value.}", "${task.result.value..width}", "a ${tasks.id}", "${taks.result.path}",
            "${Task.number}", "${tasks2.result.value.width}",
        ]
    )
    func wrong(reference: String) {
        let error = #expect(throws: BelfryError.self) {
            try TaskReferences.check(["a/b": ["x", .string(reference)]], dependencies: 1)
        }
        #expect(error?.code == .invalidParams)
        #expect(error?.pointer == "/params/a~1b/1")
    }

    @Test(
        "what is no reference is left alone, and so is what comes after nothing",
        arguments: [
            "${tasks}", "${tasks.length}", "${user.id}", "${disk.id}", "${task}", "${tasks.id", "$tasks.id",
        ]
    )
    func noReference(text: String) throws {
        try TaskReferences.check(["image": .string(text)], dependencies: 1)
        try TaskReferences.check(["image": "${tasks.id}"], dependencies: 0)
    }

    @Test("what earlier tasks made may not bring references of its own: nothing would check them")
    func smuggled() {
        let failure = #expect(throws: TaskFailure.self) {
            try TaskReferences.resolved(["n": "${task.result.value}"], from: [earlier("${task.id}")])
        }
        #expect(failure?.code == "bad_reference")
    }

    @Test("what earlier tasks made may hold no zero byte: the text would be cut there")
    func zeroByte() {
        let failure = #expect(throws: TaskFailure.self) {
            try TaskReferences.resolved(["n": "x ${task.result.value}"], from: [earlier("a\u{0}b")])
        }
        #expect(failure?.code == "bad_reference")
    }

    @Test(
        "they are no part of the title that params make",
        arguments: [
            (["image": "${task.result.path}"], ""),
            (["image": "${task.result.path}", "source": "a/b.png"], "b.png"),
            (["command": ["cp", "${task.result.path}", "${task2.result.path}.bak"]], "cp … ….bak"),
            (["prompt": "like ${task.result.value.name}"], "like …"),
            (["prompt": "${task}"], "${task}"),
        ] as [(JSONValue, String)]
    )
    func titles(_ params: JSONValue, _ title: String) {
        #expect(TaskTitle.make(for: NewTask(featureID: "paint", params: params)) == title)
    }

    @Test("the params with the real values are accepted anew, from where the submitter stands")
    func acceptedAgain() async throws {
        let second = Accepting()
        let first = ClosureFeature("first") { _, _ in TaskResult(value: ["name": "sea"]) }
        try await Harness.run(features: [first, second]) { hub in
            let before = try await hub.add("first")
            let after = try await hub.add("accepting") {
                $0.params = ["image": "${task.result.value.name}.png"]
                $0.after = [before.id]
                $0.context = SubmissionContext(workingDirectory: "/home/me")
            }
            try await hub.event(.completed, of: after.id)
            #expect(
                second.seen.withLock { $0 } == [
                    ["image": "/home/me/${task.result.value.name}.png"],
                    ["image": "/home/me/sea.png"],
                ]
            )
            #expect(try await hub.service.task(after.id)?.result?.value == ["image": "/home/me/sea.png"])
        }
    }
}

/// Notes where it accepts params from, and answers with what it is given.
private final class Accepting: Feature {
    let descriptor: FeatureDescriptor = {
        var descriptor = FeatureDescriptor(id: "accepting", title: "Accepting")
        descriptor.makesFiles = false
        return descriptor
    }()
    let seen = Mutex<[JSONValue]>([])

    func accept(_ params: JSONValue, from context: SubmissionContext?) throws -> JSONValue {
        let place = context?.workingDirectory ?? "nowhere"
        let accepted: JSONValue = ["image": .string("\(place)/\(params["image"]?.string ?? "")")]
        seen.withLock { $0.append(accepted) }
        return params.hasTaskReference ? params : accepted
    }

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        TaskResult(value: params)
    }
}
