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
        router.get("/v1/tasks/:task") { _, context in try await show(context) }
        router.get("/v1/tasks/:task/attempts") { _, context in try await attempts(context) }
        router.get("/v1/tasks/:task/events") { request, context in try await events(request, context) }
    }

    private static let cursorHeader = HTTPField.Name("Belfry-Cursor")!

    private func cursorHeaders(_ cursor: EventCursor) -> HTTPFields {
        [Self.cursorHeader: cursor.description]
    }

    // MARK: Submitting

    private func submit(_ request: Request) async throws -> Response {
        let cursor = backend.newestEvent
        let added = try await backend.add(try await newTask(try await request.json(upTo: Limits.task)))
        var headers = cursorHeaders(cursor)
        headers[.location] = "/v1/tasks/\(added.task.id)"
        return Response(json: added.task.json, status: added.isNew ? .created : .ok, headers: headers)
    }

    /// A submission whose params may be command-line arguments instead: `"arguments": [["key","value"], …]`.
    func newTask(_ json: JSONValue) async throws -> NewTask {
        var new = try NewTask(submission: try await withTaskIDs(json))
        guard let arguments = json["arguments"] else { return new }
        guard json["params"] == nil else {
            throw BelfryError(.invalidRequest, "Give either params or arguments.", pointer: "/arguments")
        }
        new.params = try backend.params(of: new.featureID, from: try ArgumentPairs.read(arguments))
        return new
    }

    /// The tasks that a submission comes after may be named by number or as `last`, as everywhere.
    private func withTaskIDs(_ json: JSONValue) async throws -> JSONValue {
        guard let names = json["after"]?.array, var object = json.object else { return json }
        var ids: [JSONValue] = []
        for (index, name) in names.enumerated() {
            guard let text = name.taskName else {
                throw BelfryError(
                    .invalidRequest,
                    "'after' must be a list of ids or numbers of tasks.",
                    pointer: "/after/\(index)"
                )
            }
            // An id may be of a task that comes with this one.
            if let id = TaskID(text) {
                ids.append(.string(id.rawValue))
            } else {
                ids.append(.string(try await backend.find(text).id.rawValue))
            }
        }
        object["after"] = .array(ids)
        return .object(object)
    }

    private func submitBatch(_ request: Request) async throws -> Response {
        let json = try await request.json(upTo: Limits.batch, keys: 10_000_000)
        let reader = JSONReader(json, what: "batch")
        _ = try reader.members(among: ["tasks", "title", "context"])
        let title = try reader.optionalString("title") ?? ""
        guard let submissions = json["tasks"]?.array else {
            throw BelfryError(.invalidRequest, "A batch needs a list 'tasks'.", pointer: "/tasks")
        }
        // Where the submitter stood, for all tasks that do not say it themselves.
        let shared = try reader.part("context", SubmissionContext.init(json:))
        let cursor = backend.newestEvent
        var tasks: [NewTask] = []
        tasks.reserveCapacity(submissions.count)
        for (index, submission) in submissions.enumerated() {
            do {
                var task = try await newTask(submission)
                task.context = task.context ?? shared
                tasks.append(task)
            } catch var error as BelfryError {
                error.message = "Task \(index + 1) of \(submissions.count): \(error.message)"
                error.pointer = "/tasks/\(index)\(error.pointer ?? "")"
                throw error
            }
        }
        let added = try await backend.addBatch(tasks, title: title)
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

    /// What lists show instead of `pending`.
    private static let shown = ["stashed", "retrying", "waiting", "held"]

    private func list(_ request: Request) async throws -> Response {
        var query = TaskQuery()
        for word in (request.query("status") ?? "").split(separator: ",") {
            guard let status = TaskStatus(rawValue: String(word)) else {
                let all = TaskStatus.allCases.map(\.rawValue).joined(separator: ", ")
                throw BelfryError(
                    .invalidRequest,
                    "There is no status '\(word)'.",
                    fix: Self.shown.contains(String(word))
                        ? "A task that is \(word) is pending: use --status pending." : "Use one of: \(all)."
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
        let reasons = try await backend.waitReasons(of: page.tasks)
        let tasks = page.tasks.map { task -> JSONValue in
            guard let reason = reasons[task.id], var object = task.json.object else { return task.json }
            object["waiting"] = reason
            return .object(object)
        }
        var object: JSONObject = ["tasks": .array(tasks), "asOf": .string(page.asOf.description)]
        object.set("nextCursor", page.nextBefore.map { .string(String($0)) })
        return Response(json: .object(object))
    }

    private func show(_ context: HubContext) async throws -> Response {
        let cursor = backend.newestEvent
        let task = try await find(context)
        var object = task.json.object ?? [:]
        let dependencies = try await backend.dependencies(of: [task.id])[task.id] ?? []
        if !dependencies.isEmpty { object["dependencies"] = .array(dependencies.map(\.json)) }
        object.set("waiting", try await backend.waitReasons(of: [task])[task.id])
        return Response(json: .object(object), headers: cursorHeaders(cursor))
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
