// What is done to tasks that are there, over HTTP: one by one, or all that a filter finds.

import BelfryAPI
import BelfryCore
import Hummingbird

struct TaskChangeRoutes {
    let backend: any HubBackend

    func add(to router: Router<HubContext>) {
        router.post("/v1/tasks:bulk") { request, _ in try await bulk(request) }
        router.patch("/v1/tasks/:task") { request, context in try await edit(request, context) }
        router.post("/v1/tasks/:task/retry") { request, context in try await retry(request, context) }
        router.post("/v1/tasks/:task/cancel") { _, context in
            Response(json: try await backend.cancel(try await find(context)).json)
        }
        router.post("/v1/tasks/:task/stash") { _, context in
            Response(json: try await backend.setStashed(true, try await find(context)).json)
        }
        router.post("/v1/tasks/:task/release") { _, context in
            Response(json: try await backend.setStashed(false, try await find(context)).json)
        }
        router.post("/v1/tasks/:task/front") { _, context in
            Response(json: try await backend.moveToFront(try await find(context)).json)
        }
    }

    private func find(_ context: HubContext) async throws -> TaskID {
        try await backend.find(try context.name("task")).id
    }

    private func retry(_ request: Request, _ context: HubContext) async throws -> Response {
        let reader = JSONReader(try await request.json(upTo: Limits.task), what: "retry")
        _ = try reader.members(among: ["context"])
        let submission = try reader.part("context", SubmissionContext.init(json:))
        return Response(json: try await backend.retry(try await find(context), context: submission).json)
    }

    // MARK: Editing

    private func edit(_ request: Request, _ context: HubContext) async throws -> Response {
        let task = try await backend.find(try context.name("task"))
        let json = try await request.json(upTo: Limits.task)
        var edit = try TaskEdit(json: json, of: task)
        if let arguments = json["arguments"] {
            let changed = try backend.params(of: task.featureID, from: try ArgumentPairs.read(arguments))
            var params = task.params.object ?? [:]
            for (key, value) in changed.object ?? [:] { params[key] = value }
            edit.params = .object(params)
        }
        let reader = JSONReader(json, what: "change of a task")
        let submission = try reader.part("context", SubmissionContext.init(json:))
        return Response(json: try await backend.edit(task.id, edit, context: submission).json)
    }

    // MARK: Many at once

    /// `{"action":"remove|cancel|retry","filter":{…},"dryRun":false}`
    private func bulk(_ request: Request) async throws -> Response {
        let json = try await request.json(upTo: Limits.task)
        let reader = JSONReader(json, what: "bulk request")
        _ = try reader.members(among: ["action", "filter", "dryRun"])
        let filter = json["filter"] ?? [:]
        let isDryRun = try reader.optionalBool("dryRun") ?? false
        switch json["action"]?.string {
        case "remove":
            let filter = try await BulkFilter.clear(filter, backend)
            let count =
                isDryRun ? try await backend.countClearable(filter) : try await backend.clear(filter)
            return Response(json: ["removed": .int(Int64(count))])
        case "cancel":
            let open: Set<TaskStatus> = [.pending, .processing]
            let tasks = try await BulkFilter.tasks(filter, backend, of: open, named: open)
            let change = try await each(tasks, isDryRun) { try await backend.cancel($0) }
            return Response(json: change.json("cancelled"))
        case "retry":
            let final = Set(TaskStatus.allCases.filter(\.isFinal))
            let tasks = try await BulkFilter.tasks(filter, backend, of: [.failed], named: final)
            let change = try await each(tasks, isDryRun) { try await backend.retry($0, context: nil) }
            return Response(json: change.json("retried"))
        default:
            throw BelfryError(
                .invalidRequest,
                "The action must be 'remove', 'cancel' or 'retry'.",
                pointer: "/action"
            )
        }
    }

    /// Changes tasks one by one. What may not be changed, or has moved on meanwhile, is left as it is and told of.
    private func each(_ tasks: [TaskID], _ isDryRun: Bool, _ change: (TaskID) async throws -> BackgroundTask)
        async throws -> BulkChange
    {
        var result = BulkChange()
        for id in tasks {
            do {
                if !isDryRun { _ = try await change(id) }
                result.count += 1
            } catch let error as BelfryError where error.isAboutOneTask {
                result.skipped += 1
                if result.reasons.count < BulkChange.mostReasons { result.reasons.append(error.message) }
            }
        }
        return result
    }
}

/// What became of the tasks of a bulk request.
private struct BulkChange {
    /// However many were left as they are, this many reasons tell enough.
    static let mostReasons = 10

    var count = 0
    var skipped = 0
    var reasons: [String] = []

    /// `{"retried":7,"skipped":1,"reasons":["…"]}`; the last two only when there are any.
    func json(_ done: String) -> JSONValue {
        var object: JSONObject = [done: .int(Int64(count))]
        if skipped > 0 {
            object["skipped"] = .int(Int64(skipped))
            object["reasons"] = .array(reasons.map { .string($0) })
        }
        return .object(object)
    }
}

/// Which tasks a bulk request means. What narrows must be understood or refused: passed over, it would
/// change more.
enum BulkFilter {
    private static let keys = ["statuses", "finishedBefore", "feature", "batch", "label", "tasks", "keeping"]

    private static func refusal(_ key: String, _ rule: String) -> BelfryError {
        BelfryError(.invalidRequest, rule, pointer: "/filter/\(key)")
    }

    private static func check(_ json: JSONValue, _ keys: [String]) throws {
        do { _ = try JSONReader(json, what: "filter").members(among: keys) } catch var error as BelfryError {
            error.pointer = "/filter\(error.pointer ?? "")"
            throw error
        }
    }

    /// - Throws: ``BelfryError`` `invalid_request` or `not_found`.
    static func clear(_ json: JSONValue, _ backend: any HubBackend) async throws -> ClearFilter {
        try check(json, keys)
        var filter = ClearFilter()
        if let value = json["statuses"] {
            let statuses = value.array?.compactMap { $0.string.flatMap(TaskStatus.init(rawValue:)) } ?? []
            guard statuses.count == value.array?.count, statuses.allSatisfy(\.isFinal) else {
                throw refusal("statuses", "Only completed, failed and cancelled tasks can be removed.")
            }
            filter.statuses = Set(statuses)
        }
        if let value = json["finishedBefore"] {
            guard let time = value.string.flatMap({ Timestamp($0) }) else {
                throw refusal(
                    "finishedBefore",
                    "'finishedBefore' must be a time such as 2026-11-23T20:02:46Z."
                )
            }
            filter.finishedBefore = time
        }
        filter.featureID = try text("feature", json)
        filter.label = try text("label", json)
        filter.batchID = try batch(json)
        if let value = json["keeping"] {
            guard let count = value.int, (0...100_000_000).contains(count) else {
                throw refusal("keeping", "'keeping' must be a number of tasks.")
            }
            filter.keeping = Int(count)
        }
        if let value = json["tasks"] { filter.ids = try await tasks(value, backend).map(\.id) }
        return filter
    }

    /// - Parameters:
    ///   - statuses: of the tasks that are meant when the filter does not say.
    ///   - named: of those of its tasks that are meant when the filter names some.
    /// - Throws: ``BelfryError`` `invalid_request` or `not_found`.
    static func tasks(
        _ json: JSONValue,
        _ backend: any HubBackend,
        of statuses: Set<TaskStatus>,
        named: Set<TaskStatus>
    ) async throws -> [TaskID] {
        try check(json, ["statuses", "feature", "batch", "label", "tasks"])
        if let value = json["tasks"] {
            guard json.object?.count == 1 else { throw refusal("tasks", "'tasks' stands alone in a filter.") }
            return try await tasks(value, backend).filter { named.contains($0.status) }.map(\.id)
        }
        var query = TaskQuery()
        query.statuses = statuses
        if let value = json["statuses"] {
            let read = value.array?.compactMap { $0.string.flatMap(TaskStatus.init(rawValue:)) } ?? []
            guard !read.isEmpty, read.count == value.array?.count else {
                throw refusal("statuses", "'statuses' must be a list such as [\"failed\"].")
            }
            query.statuses = Set(read)
        }
        query.featureID = try text("feature", json)
        query.label = try text("label", json)
        query.batchID = try batch(json)
        query.limit = 1000
        var found: [TaskID] = []
        repeat {
            let page = try await backend.tasks(query)
            found += page.tasks.map(\.id)
            query.beforeNumber = page.nextBefore
        } while query.beforeNumber != nil
        // Oldest first, so that what others come after is changed before them.
        return found.reversed()
    }

    private static func text(_ key: String, _ json: JSONValue) throws -> String? {
        guard let value = json[key] else { return nil }
        guard let text = value.string else { throw refusal(key, "'\(key)' must be a string.") }
        return text
    }

    private static func batch(_ json: JSONValue) throws -> BatchID? {
        guard let text = try text("batch", json) else { return nil }
        guard let id = BatchID(text) else { throw refusal("batch", "'\(text)' is not a batch's id.") }
        return id
    }

    private static func tasks(_ value: JSONValue, _ backend: any HubBackend) async throws -> [BackgroundTask]
    {
        guard let names = value.array else {
            throw refusal("tasks", "'tasks' must be a list of ids or numbers.")
        }
        var tasks: [BackgroundTask] = []
        for name in names {
            guard let text = name.taskName else {
                throw refusal("tasks", "'tasks' must be a list of ids or numbers.")
            }
            tasks.append(try await backend.find(text))
        }
        return tasks
    }
}

/// Command-line arguments on the wire: `[["key","value"], …]`.
enum ArgumentPairs {
    static func read(_ json: JSONValue) throws -> [(key: String, value: String)] {
        guard let pairs = json.array else {
            throw BelfryError(.invalidRequest, "The arguments must be a list.", pointer: "/arguments")
        }
        return try pairs.map { pair in
            guard let pair = pair.array, pair.count == 2, let key = pair[0].string, let value = pair[1].string
            else {
                throw BelfryError(
                    .invalidRequest,
                    "Each argument must be [key, value].",
                    pointer: "/arguments"
                )
            }
            return (key, value)
        }
    }
}
