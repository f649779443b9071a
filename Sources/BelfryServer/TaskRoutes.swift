// Tasks over HTTP: submit, read, change.

import BelfryAPI
import BelfryCore
import HTTPTypes
import Hummingbird

struct TaskRoutes {
    let backend: any HubBackend

    func add(to router: Router<HubContext>) {
        router.post("/v1/tasks") { request, _ in try await submit(request) }
        router.post("/v1/batches") { request, _ in try await submitBatch(request) }
        router.get("/v1/batches/:id") { _, context in try await batch(context) }
        router.get("/v1/tasks") { request, _ in try await list(request) }
        router.post("/v1/tasks:bulk") { request, _ in try await bulk(request) }
        router.get("/v1/tasks/:task") { _, context in try await show(context) }
        router.get("/v1/tasks/:task/attempts") { _, context in try await attempts(context) }
        router.get("/v1/tasks/:task/events") { request, context in try await events(request, context) }
        router.post("/v1/tasks/:task/cancel") { _, context in
            Response(json: try await backend.cancel(try await find(context).id).json)
        }
        router.post("/v1/tasks/:task/retry") { request, context in try await retry(request, context) }
    }

    private static let cursorHeader = HTTPField.Name("Belfry-Cursor")!

    private func cursorHeaders(_ cursor: EventCursor) -> HTTPFields {
        [Self.cursorHeader: cursor.description]
    }

    // MARK: Submitting

    private func submit(_ request: Request) async throws -> Response {
        let cursor = backend.newestEvent
        let added = try await backend.add(try newTask(try await request.json(upTo: Limits.task)))
        var headers = cursorHeaders(cursor)
        headers[.location] = "/v1/tasks/\(added.task.id)"
        return Response(json: added.task.json, status: added.isNew ? .created : .ok, headers: headers)
    }

    /// A submission whose params may be command-line arguments instead: `"arguments": [["key","value"], …]`.
    private func newTask(_ json: JSONValue) throws -> NewTask {
        var new = try NewTask(submission: json)
        guard let arguments = json["arguments"] else { return new }
        guard json["params"] == nil, let pairs = arguments.array else {
            throw BelfryError(.invalidRequest, "Give either params or arguments.", pointer: "/arguments")
        }
        new.params = try backend.params(
            of: new.featureID,
            from: try pairs.map { pair in
                guard let pair = pair.array, pair.count == 2, let key = pair[0].string,
                    let value = pair[1].string
                else {
                    throw BelfryError(
                        .invalidRequest,
                        "Each argument must be [key, value].",
                        pointer: "/arguments"
                    )
                }
                return (key, value)
            }
        )
        return new
    }

    private func submitBatch(_ request: Request) async throws -> Response {
        let json = try await request.json(upTo: Limits.batch, keys: 10_000_000)
        guard let submissions = json["tasks"]?.array else {
            throw BelfryError(.invalidRequest, "A batch needs a list 'tasks'.", pointer: "/tasks")
        }
        let cursor = backend.newestEvent
        let tasks = try submissions.enumerated().map { index, submission in
            do { return try newTask(submission) } catch var error as BelfryError {
                error.message = "Task \(index + 1) of \(submissions.count): \(error.message)"
                error.pointer = "/tasks/\(index)\(error.pointer ?? "")"
                throw error
            }
        }
        let added = try await backend.addBatch(tasks, title: json["title"]?.string ?? "")
        let list: [JSONValue] = added.tasks.map {
            ["id": .string($0.task.id.rawValue), "number": .int($0.task.number)]
        }
        let answer: JSONValue = ["batch": added.batch.json, "tasks": .array(list)]
        return Response(json: answer, status: .created, headers: cursorHeaders(cursor))
    }

    private func batch(_ context: HubContext) async throws -> Response {
        let text = try context.name("id")
        guard let id = BatchID(text), let batch = try await backend.batch(id) else {
            throw BelfryError(.notFound, "There is no batch \(text).", fix: "See: belfry list")
        }
        return Response(json: batch.json)
    }

    // MARK: Reading

    private func list(_ request: Request) async throws -> Response {
        var query = TaskQuery()
        for word in (request.query("status") ?? "").split(separator: ",") {
            guard let status = TaskStatus(rawValue: String(word)) else {
                let all = TaskStatus.allCases.map(\.rawValue).joined(separator: ", ")
                throw BelfryError(
                    .invalidRequest,
                    "There is no status '\(word)'.",
                    fix: "Use one of: \(all)."
                )
            }
            query.statuses.insert(status)
        }
        query.featureID = request.query("feature")
        query.label = request.query("label")
        if let text = request.query("batch") {
            guard let id = BatchID(text) else {
                throw BelfryError(.invalidRequest, "'\(text)' is not a batch's id.")
            }
            query.batchID = id
        }
        query.activeSince = try request.time("activeSince")
        query.limit = try request.number("limit", in: 1...1000, default: 100)
        if let text = request.query("cursor") {
            guard let number = Int64(text) else {
                throw BelfryError(
                    .invalidRequest,
                    "'\(text)' is not a cursor.",
                    fix: "Use the nextCursor of the page before."
                )
            }
            query.beforeNumber = number
        }
        let page = try await backend.tasks(query)
        var object: JSONObject = [
            "tasks": .array(page.tasks.map(\.json)), "asOf": .string(page.asOf.description),
        ]
        object.set("nextCursor", page.nextBefore.map { .string(String($0)) })
        return Response(json: .object(object))
    }

    private func show(_ context: HubContext) async throws -> Response {
        let cursor = backend.newestEvent
        return Response(json: try await find(context).json, headers: cursorHeaders(cursor))
    }

    private func attempts(_ context: HubContext) async throws -> Response {
        let attempts = try await backend.attempts(of: try await find(context).id)
        return Response(json: ["attempts": .array(attempts.map(\.json))])
    }

    private func events(_ request: Request, _ context: HubContext) async throws -> Response {
        let limit = try request.number("limit", in: 1...1000, default: 100)
        let records = try await backend.events(of: try await find(context).id, limit: limit)
        return Response(json: ["events": .array(try records.map { try JSONValue(parsing: $0.json) })])
    }

    /// The task that the path names: by id, by number, or `last`.
    func find(_ context: HubContext) async throws -> BackgroundTask {
        try await backend.find(try context.name("task"))
    }

    // MARK: Changing

    private func retry(_ request: Request, _ context: HubContext) async throws -> Response {
        let json = try await request.json(upTo: Limits.task)
        let submission = try json["context"].map(SubmissionContext.init(json:))
        return Response(json: try await backend.retry(try await find(context).id, context: submission).json)
    }

    /// `{"action":"remove","filter":{"statuses":[…],"finishedBefore":…,"tasks":[…]}}`
    private func bulk(_ request: Request) async throws -> Response {
        let json = try await request.json(upTo: Limits.task)
        guard json["action"]?.string == "remove" else {
            throw BelfryError(.invalidRequest, "The action must be 'remove'.", pointer: "/action")
        }
        let filter = try await clearFilter(json["filter"] ?? [:])
        return Response(json: ["removed": .int(Int64(try await backend.clear(filter)))])
    }

    /// What narrows the filter must be understood or refused: passed over, it would remove more.
    private func clearFilter(_ json: JSONValue) async throws -> ClearFilter {
        func refusal(_ key: String, _ rule: String) -> BelfryError {
            BelfryError(.invalidRequest, rule, pointer: "/filter/\(key)")
        }
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
        if let value = json["tasks"] {
            guard let names = value.array else {
                throw refusal("tasks", "'tasks' must be a list of ids or numbers.")
            }
            var ids: [TaskID] = []
            for name in names { ids.append(try await backend.find(name.string ?? name.text).id) }
            filter.ids = ids
        }
        return filter
    }
}

extension HubBackend {
    /// The task with this id or number; `last` is the newest.
    ///
    /// - Throws: ``BelfryError`` `not_found`.
    func find(_ name: String) async throws -> BackgroundTask {
        var found: BackgroundTask?
        if let id = TaskID(name) {
            found = try await task(id)
        } else if let number = Int64(name) {
            found = try await task(number: number)
        } else if name == "last" {
            var query = TaskQuery()
            query.limit = 1
            found = try await tasks(query).tasks.first
        }
        guard let found else {
            throw BelfryError(.notFound, "There is no task '\(name)'.", fix: "See: belfry list")
        }
        return found
    }
}
