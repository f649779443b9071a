// Params that speak of the tasks before: `${task.result.path}` becomes the file that came out of it.

import BelfryCore

/// References among the strings of a task's params; what counts as one, ``TaskReference`` says.
///
/// `${task.result.path}` is the first file of the task that this one comes after; `${task2.…}` speaks of the
/// second one, and so on. Known are `.result.path`, `.result.paths` (a list, when the string is nothing but
/// the reference), `.result.value` and members of it (`.result.value.width`), `.id`, `.number` and `.status`.
enum TaskReferences {
    /// Looks at references before anything is known of the tasks they speak of.
    ///
    /// - Throws: ``BelfryError`` `invalid_params` when a reference is misspelt or speaks of no task.
    static func check(_ params: JSONValue, dependencies: Int) throws {
        if dependencies > 0 { try checkSpelling(params) }
        _ = try replaced(params) { place, path in
            guard (1...max(1, dependencies)).contains(place), dependencies > 0 else {
                throw error(
                    dependencies == 0
                        ? "'${task…}' speaks of a task before this one, and it comes after none"
                        : "'${task\(place)…}' speaks of task \(place), and this one comes after \(dependencies)",
                    "Name the tasks before it: --after 12."
                )
            }
            guard isKnown(path) else {
                throw error(
                    "'\(path.joined(separator: "."))' is nothing that a task has",
                    "Use result.path, result.paths, result.value, id, number or status."
                )
            }
            return .null
        }
    }

    /// The params with every reference replaced.
    ///
    /// - Parameter tasks: what the task comes after, in order; nil for one that was cleared.
    /// - Throws: ``TaskFailure`` `bad_reference` when a task does not have what is asked for.
    static func resolved(_ params: JSONValue, from tasks: [BackgroundTask?]) throws -> JSONValue {
        let resolved = try replaced(params) { place, path in
            let earlier = tasks.indices.contains(place - 1) ? tasks[place - 1] : nil
            guard let value = earlier.flatMap({ value(path, of: $0) }) else {
                let number = earlier.map { "#\($0.number)" } ?? "task \(place)"
                throw TaskFailure(
                    "bad_reference",
                    "\(number) has no '\(path.joined(separator: "."))' to take over.",
                    fix: "See what it made: belfry show, then submit this one anew."
                )
            }
            return value
        }
        // Schemas let references through: one that came in now would never be checked.
        guard !resolved.hasTaskReference else {
            throw TaskFailure(
                "bad_reference",
                "What the tasks before this one made has a '${task…}' of its own in it.",
                fix: "See what they made: belfry show."
            )
        }
        guard resolved.pointerToZeroByte == nil else {
            throw TaskFailure(
                "bad_reference",
                "What the tasks before this one made has a zero byte in it, which no program could be given.",
                fix: "See what they made: belfry show."
            )
        }
        return resolved
    }

    private static func isKnown(_ path: [String]) -> Bool {
        switch path.first {
        case "id", "number", "status": path.count == 1
        case "result":
            switch path.dropFirst().first {
            case "path", "paths": path.count == 2
            case "value": !path.contains("")
            default: false
            }
        default: false
        }
    }

    /// What is nearly a reference, such as `${tasks.id}`, would be handed on as text.
    ///
    /// - Throws: ``BelfryError`` `invalid_params`.
    private static func checkSpelling(_ params: JSONValue) throws {
        _ = try strings(params) { text in
            for part in text.split(separator: "${", omittingEmptySubsequences: false).dropFirst() {
                guard let end = part.firstIndex(of: "}"), let dot = part[..<end].firstIndex(of: ".") else {
                    continue
                }
                let word = part[..<dot].filter { !("0"..."9").contains($0) }
                let path = part[part.index(after: dot)..<end].split(
                    separator: ".",
                    omittingEmptySubsequences: false
                )
                guard word != "task", isKnown(path.map(String.init)),
                    NameSuggestion.closest(to: String(word), among: ["task"]) != nil
                else { continue }
                throw error(
                    "'${\(part[...end])' is nearly a reference to the task before",
                    "Write ${task.\(path.joined(separator: "."))}."
                )
            }
            return .string(text)
        }
    }

    private static func value(_ path: [String], of task: BackgroundTask) -> JSONValue? {
        switch path.first {
        case "id": return .string(task.id.rawValue)
        case "number": return .int(task.number)
        case "status": return .string(task.status.rawValue)
        default: break
        }
        let paths = (task.result?.artifacts ?? []).compactMap { FileURI.path($0.uri) }
        switch path.dropFirst().first {
        case "path": return paths.first.map { .string($0) }
        case "paths": return .array(paths.map { .string($0) })
        default:
            var value = task.result?.value
            for key in path.dropFirst(2) { value = value?[key] }
            return value
        }
    }

    private static func replaced(_ params: JSONValue, _ value: (Int, [String]) throws -> JSONValue) throws
        -> JSONValue
    {
        try strings(params) { try replaced($0, value) }
    }

    /// The params with each string changed. An error of `change` gets a pointer to its string.
    private static func strings(_ params: JSONValue, _ change: (String) throws -> JSONValue) throws
        -> JSONValue
    {
        func at(_ key: String, _ member: JSONValue) throws -> JSONValue {
            do { return try strings(member, change) } catch var error as BelfryError {
                let token = key.replacing("~", with: "~0").replacing("/", with: "~1")
                let inner = error.pointer?.dropFirst("/params".count) ?? ""
                error.pointer = "/params/\(token)\(inner)"
                throw error
            }
        }
        switch params {
        case .string(let text): return try change(text)
        case .array(let items): return .array(try items.enumerated().map { try at(String($0), $1) })
        case .object(let members):
            var object = JSONObject(minimumCapacity: members.count)
            for (key, member) in members { object[key] = try at(key, member) }
            return .object(object)
        default: return params
        }
    }

    /// A string that is one reference becomes its value, whatever kind that is; among other text it becomes
    /// text.
    private static func replaced(_ text: String, _ value: (Int, [String]) throws -> JSONValue) throws
        -> JSONValue
    {
        var result = ""
        var rest = text[...]
        while let reference = TaskReference(firstIn: rest) {
            let found = try value(reference.place, reference.path)
            if reference.range == text.startIndex..<text.endIndex { return found }
            result += rest[..<reference.range.lowerBound] + (found.string ?? found.text)
            rest = rest[reference.range.upperBound...]
        }
        return .string(result + rest)
    }

    private static func error(_ message: String, _ fix: String) -> BelfryError {
        BelfryError(.invalidParams, message + ".", fix: fix, pointer: "/params")
    }
}
