// Tasks, submissions and attempts as JSON, as Docs and the API show them.

public import BelfryCore

extension BackgroundTask {
    public var json: JSONValue {
        var object = JSONObject(minimumCapacity: 32)
        object["id"] = .string(id.rawValue)
        object["number"] = .int(number)
        object["featureId"] = .string(featureID)
        object["title"] = .string(title)
        object["params"] = SecretParams.masked(params)
        object["userId"] = .string(userID)
        object.set("origin", origin.map { .string($0) })
        object["notify"] = .string(notify.rawValue)
        object["labels"] = .array(labels.map { .string($0) })
        object["priority"] = .int(Int64(priority))
        object["group"] = .string(group)
        if !needs.isDefault { object["needs"] = needs.json }
        if holdCount > 0 { object["holdCount"] = .int(Int64(holdCount)) }
        if isStashed { object["stashed"] = true }
        object.set("notBefore", notBefore.map { .string($0.description) })
        object.set("deadline", deadline.map { .string($0.description) })
        if !$options.isDefault { for (key, value) in options.json.object ?? [:] { object[key] = value } }
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

extension JSONValue {
    /// What names a task in a request: an id, `last`, or a number, which may be text too.
    public var taskName: String? { string ?? int.map(String.init) }
}
