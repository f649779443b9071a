// What counts as speaking of an earlier task, and what is text although it looks alike.

import BelfryCore
import Testing

@Suite("References to earlier tasks")
struct TaskReferenceTests {
    @Test(
        "are found, with the task and the part of it that they mean",
        arguments: [
            ("${task.result.path}", 1, "result.path"), ("${task1.id}", 1, "id"),
            ("${task12.result.value.a b}", 12, "result.value.a b"), ("see ${task2.number}!", 2, "number"),
            ("${task} ${task2} ${task3.id}", 3, "id"), ("$${task.}", 1, ""), ("${${task2.id}", 2, "id"),
            ("${task0.id}", 0, "id"), ("${task99999999999999999999.id}", .max, "id"),
            // A combining mark makes one character with the brace, and does not hide it.
            ("${task.id}\u{301}", 1, "id"),
        ]
    )
    func found(text: String, place: Int, path: String) throws {
        let reference = try #require(TaskReference(firstIn: text[...]))
        #expect(reference.place == place)
        #expect(reference.path.joined(separator: ".") == path)
        #expect(text.hasTaskReference)
    }

    @Test(
        "are not seen in other text, not in what shells write either",
        arguments: [
            "", "$", "${task", "${task}", "${task2}", "${task_id}", "${tasks.id}", "${task 1.id}",
            "{task.id}",
            "$task.id", "${Task.id}", "${task.result.path", "${task²}",
        ]
    )
    func notFound(text: String) { #expect(!text.hasTaskReference) }

    @Test("are cut out of a text exactly, one after the other")
    func ranges() throws {
        let text = "a${task.id}b${task2.id}"
        let first = try #require(TaskReference(firstIn: text[...]))
        #expect(text[first.range] == "${task.id}")
        let rest = text[first.range.upperBound...]
        let second = try #require(TaskReference(firstIn: rest))
        #expect(rest[..<second.range.lowerBound] == "b")
        #expect(second.range.upperBound == text.endIndex)
    }

    @Test("are found at any depth of a value, but not in names")
    func depth() {
        let reference: JSONValue = "${task.result.path}"
        #expect(reference.hasTaskReference)
        #expect(JSONValue.array([1, ["a": [true, reference]]]).hasTaskReference)
        #expect(!JSONValue.array([1, nil, 2.5, true, "task", ["${task.id}": 1]]).hasTaskReference)
    }
}
