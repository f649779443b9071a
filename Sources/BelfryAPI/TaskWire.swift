// Tasks, submissions and attempts as JSON, as Docs and the API show them.

public import BelfryCore

extension BackgroundTask {
    public var json: JSONValue {
        var object = JSONObject(minimumCapacity: 32)
        object["id"] = .string(id.rawValue)
        object["number"] = .int(number)
        object["featureId"] = .string(featureID)
        object["title"] = .string(title)
        object["params"] = params
        object["userId"] = .string(userID)
        object.set("origin", origin.map { .string($0) })
        object["notify"] = .string(notify.rawValue)
        object["labels"] = .array(labels.map { .string($0) })
        object["priority"] = .int(Int64(priority))
        object["group"] = .string(group)
        if holdCount > 0 { object["holdCount"] = .int(Int64(holdCount)) }
        object.set("notBefore", notBefore.map { .string($0.description) })
        object["status"] = .string(status.rawValue)
        object["progress"] = .double(progress)
        object.set("message", message.map { .string($0) })
        object.set("result", result?.json)
        object.set("error", error?.json)
        object["attempt"] = .int(Int64(attempt))
        object["maxAttempts"] = .int(Int64(maxAttempts))
        object["fence"] = .int(fence)
        object["revision"] = .int(revision)
        if isCancelRequested { object["cancelRequested"] = true }
        object["onInterrupt"] = .string(onInterrupt.rawValue)
        object.set("batchId", batchID.map { .string($0.rawValue) })
        object.set("idempotencyKey", idempotencyKey.map { .string($0) })
        object["createdAt"] = .string(createdAt.description)
        object["updatedAt"] = .string(updatedAt.description)
        object.set("startedAt", startedAt.map { .string($0.description) })
        object.set("finishedAt", finishedAt.map { .string($0.description) })
        return .object(object)
    }

    /// Reads what ``json`` wrote. What stays inside the hub (owner, lease) is nil.
    ///
    /// - Throws: ``BelfryError`` naming the field.
    public init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "task")
        var new = try NewTask(json: json)
        new.title = json["title"]?.string ?? ""
        self.init(
            new,
            id: try reader.taskID("id"),
            number: try reader.int("number"),
            at: try reader.time("createdAt")
        )
        guard let status = TaskStatus(rawValue: try reader.string("status")) else {
            throw reader.error("status", "a task status")
        }
        self.status = status
        holdCount = Int(json["holdCount"]?.int ?? 0)
        progress = json["progress"]?.double ?? 0
        message = json["message"]?.string
        result = try json["result"].map(TaskResult.init(json:))
        error = try json["error"].map(TaskFailure.init(json:))
        attempt = Int(json["attempt"]?.int ?? 0)
        fence = json["fence"]?.int ?? 0
        revision = json["revision"]?.int ?? 1
        isCancelRequested = json["cancelRequested"]?.bool ?? false
        updatedAt = try reader.time("updatedAt")
        startedAt = json["startedAt"]?.string.flatMap { Timestamp($0) }
        finishedAt = json["finishedAt"]?.string.flatMap { Timestamp($0) }
    }
}

extension NewTask {
    /// Reads a submission.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` naming the field; a key that does not exist is an
    ///   error too, so that a misspelt option is not silently without effect.
    public init(submission json: JSONValue) throws {
        guard let members = json.object else {
            throw BelfryError(.invalidRequest, "A submission must be a JSON object.")
        }
        for key in members.keys where !Self.keys.contains(key) {
            let hint =
                NameSuggestion.closest(to: key, among: Self.keys).map { "; did you mean '\($0)'?" } ?? "."
            throw BelfryError(
                .invalidRequest,
                "A submission has no field '\(key)'\(hint)",
                pointer: "/\(key)"
            )
        }
        try self.init(json: json)
        context = try json["context"].map(SubmissionContext.init(json:))
    }

    static let keys = [
        "id", "featureId", "title", "params", "arguments", "userId", "origin", "notify", "labels", "priority",
        "group", "notBefore", "maxAttempts", "onInterrupt", "idempotencyKey", "context",
    ]

    init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "submission")
        self.init(featureID: try reader.string("featureId"), params: json["params"] ?? [:])
        func optional<Value>(_ key: String, _ expected: String, _ read: (JSONValue) -> Value?) throws
            -> Value?
        {
            guard let value = json[key], !value.isNull else { return nil }
            guard let read = read(value) else { throw reader.error(key, expected) }
            return read
        }
        id = try optional("id", "a UUID") { $0.string.flatMap { TaskID($0) } }
        title = try optional("title", "a string", \.string) ?? ""
        userID = try optional("userId", "a string", \.string) ?? ""
        origin = try optional("origin", "a string", \.string)
        notify =
            try optional("notify", "full, outcome or none") { $0.string.flatMap(NotifyPolicy.init) } ?? .full
        labels =
            try optional("labels", "a list of strings") { value in
                value.array.flatMap { items in
                    items.allSatisfy { $0.string != nil } ? items.compactMap(\.string) : nil
                }
            } ?? []
        priority = try optional("priority", "a whole number") { $0.int.map { Int(clamping: $0) } } ?? 0
        group = try optional("group", "a string", \.string) ?? "default"
        notBefore = try optional("notBefore", "an RFC 3339 time") { $0.string.flatMap { Timestamp($0) } }
        maxAttempts = try optional("maxAttempts", "a whole number") { $0.int.map { Int(clamping: $0) } }
        onInterrupt = try optional("onInterrupt", "rerun or fail") { $0.string.flatMap(InterruptPolicy.init) }
        idempotencyKey = try optional("idempotencyKey", "a string", \.string)
        batchID = try optional("batchId", "a UUID") { $0.string.flatMap { BatchID($0) } }
    }

    /// The submission as a client sends it.
    public var json: JSONValue {
        var object = JSONObject(minimumCapacity: 8)
        object.set("id", id.map { .string($0.rawValue) })
        object["featureId"] = .string(featureID)
        if !title.isEmpty { object["title"] = .string(title) }
        object["params"] = params
        if !userID.isEmpty { object["userId"] = .string(userID) }
        object.set("origin", origin.map { .string($0) })
        if notify != .full { object["notify"] = .string(notify.rawValue) }
        if !labels.isEmpty { object["labels"] = .array(labels.map { .string($0) }) }
        if priority != 0 { object["priority"] = .int(Int64(priority)) }
        if group != "default" { object["group"] = .string(group) }
        object.set("notBefore", notBefore.map { .string($0.description) })
        object.set("maxAttempts", maxAttempts.map { .int(Int64($0)) })
        object.set("onInterrupt", onInterrupt.map { .string($0.rawValue) })
        object.set("idempotencyKey", idempotencyKey.map { .string($0) })
        object.set("context", context?.json)
        return .object(object)
    }
}

extension SubmissionContext {
    public var json: JSONValue {
        var object: JSONObject = ["workingDirectory": .string(workingDirectory)]
        object.set("umask", umask.map { .int(Int64($0)) })
        if let environment {
            var members = JSONObject(minimumCapacity: environment.count)
            for key in environment.keys.sorted() { members.set(key, environment[key].map { .string($0) }) }
            object["environment"] = .object(members)
        }
        return .object(object)
    }

    public init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "context")
        let directory = try reader.string("workingDirectory")
        guard directory.hasPrefix("/") else { throw reader.error("workingDirectory", "an absolute path") }
        self.init(workingDirectory: directory, umask: json["umask"]?.int.flatMap { UInt32(exactly: $0) })
        guard let members = json["environment"]?.object else { return }
        var environment: [String: String] = [:]
        for (key, value) in members { environment[key] = value.string }
        self.environment = environment
    }
}

extension Attempt {
    public var json: JSONValue {
        var object: JSONObject = [
            "number": .int(Int64(number)), "fence": .int(fence), "startedAt": .string(startedAt.description),
        ]
        object.set("finishedAt", finishedAt.map { .string($0.description) })
        object.set("outcome", outcome.map { .string($0.rawValue) })
        object.set("error", error?.json)
        return .object(object)
    }
}

extension ProgressUpdate {
    /// `{"schema":1,"type":"task.progress",…}`: a line of the stream that has no position.
    public var json: JSONValue {
        var object: JSONObject = [
            "schema": .int(TaskEvent.schemaVersion), "time": .string(time.description),
            "type": "task.progress",
            "task": task.json,
        ]
        object.set("percent", percent.map { .double($0) })
        object.set("message", message.map { .string($0) })
        return .object(object)
    }

    public init(json: JSONValue) throws {
        guard let task = json["task"] else {
            throw JSONReader(json, what: "progress").error("task", "an object")
        }
        self.init(
            task: try TaskSummary(json: task),
            percent: json["percent"]?.double,
            message: json["message"]?.string,
            time: try JSONReader(json, what: "progress").time("time")
        )
    }
}
