// The JSON form of events (schema 1) and of the values in them. The event log, the API, the
// tail and the sinks all show these bytes, so the order of the fields is part of the form.

extension TaskEvent {
    public var json: JSONValue {
        var object = JSONObject(minimumCapacity: 12)
        object["schema"] = .int(Self.schemaVersion)
        object["position"] = .int(position)
        object["id"] = .string(cursor.description)
        object["time"] = .string(time.description)
        object["type"] = .string(kind.rawValue)
        object.set("task", draft.task?.json)
        object.set("batch", draft.batch?.json)
        object.set("result", draft.result?.summary.json)
        object.set("error", draft.error?.summary.json)
        object.set("notBefore", draft.notBefore.map { .string($0.description) })
        object.set("durationSeconds", draft.duration.map { .double($0.seconds) })
        return .object(object)
    }

    /// - Throws: ``BelfryError`` when a field is missing or of another kind.
    public init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "event")
        guard let cursor = EventCursor(try reader.string("id")) else { throw reader.error("id", "a cursor") }
        guard let kind = Kind(rawValue: try reader.string("type")) else {
            throw reader.error("type", "a known type")
        }
        var draft = Draft(kind)
        draft.task = try json["task"].map(TaskSummary.init(json:))
        draft.batch = try json["batch"].map(TaskBatch.init(json:))
        draft.result = try json["result"].map(TaskResult.init(json:))
        draft.error = try json["error"].map(TaskFailure.init(json:))
        draft.notBefore = json["notBefore"]?.string.flatMap { Timestamp($0) }
        draft.duration = json["durationSeconds"]?.double.map { .milliseconds(Int64(($0 * 1000).rounded())) }
        self.init(cursor: cursor, time: try reader.time("time"), draft: draft)
    }
}

extension TaskSummary {
    public var json: JSONValue {
        var object = JSONObject(minimumCapacity: 14)
        object["id"] = .string(id.rawValue)
        object["number"] = .int(number)
        object["featureId"] = .string(featureID)
        object["title"] = .string(title)
        object["userId"] = .string(userID)
        object.set("origin", origin.map { .string($0) })
        if notify != .full { object["notify"] = .string(notify.rawValue) }
        if !labels.isEmpty { object["labels"] = .array(labels.map { .string($0) }) }
        object.set("batchId", batchID.map { .string($0.rawValue) })
        object["status"] = .string(status.rawValue)
        object["progress"] = .double(progress)
        object["attempt"] = .int(Int64(attempt))
        object["maxAttempts"] = .int(Int64(maxAttempts))
        object["revision"] = .int(revision)
        return .object(object)
    }

    public init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "task")
        id = try reader.taskID("id")
        number = try reader.int("number")
        featureID = try reader.string("featureId")
        title = json["title"]?.string ?? ""
        userID = json["userId"]?.string ?? ""
        origin = json["origin"]?.string
        notify = json["notify"]?.string.flatMap(NotifyPolicy.init(rawValue:)) ?? .full
        labels = json["labels"]?.array?.compactMap(\.string) ?? []
        batchID = json["batchId"]?.string.flatMap { BatchID($0) }
        guard let status = TaskStatus(rawValue: try reader.string("status")) else {
            throw reader.error("status", "a task status")
        }
        self.status = status
        progress = json["progress"]?.double ?? 0
        attempt = Int(json["attempt"]?.int ?? 0)
        maxAttempts = Int(json["maxAttempts"]?.int ?? 1)
        revision = json["revision"]?.int ?? 1
    }
}

extension TaskBatch {
    public var json: JSONValue {
        [
            "id": .string(id.rawValue), "title": .string(title), "total": .int(Int64(total)),
            "completed": .int(Int64(completed)), "failed": .int(Int64(failed)),
            "cancelled": .int(Int64(cancelled)), "createdAt": .string(createdAt.description),
        ]
    }

    public init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "batch")
        guard let id = BatchID(try reader.string("id")) else { throw reader.error("id", "a UUID") }
        self.init(
            id: id,
            title: json["title"]?.string ?? "",
            total: Int(try reader.int("total")),
            createdAt: try reader.time("createdAt")
        )
        completed = Int(json["completed"]?.int ?? 0)
        failed = Int(json["failed"]?.int ?? 0)
        cancelled = Int(json["cancelled"]?.int ?? 0)
    }
}

extension TaskResult {
    public var json: JSONValue {
        var object = JSONObject()
        object.set("value", value)
        if !artifacts.isEmpty { object["artifacts"] = .array(artifacts.map(\.json)) }
        return .object(object)
    }

    public init(json: JSONValue) throws {
        self.init(
            value: json["value"],
            artifacts: try (json["artifacts"]?.array ?? []).map(Artifact.init(json:))
        )
    }

    /// What fits into an event: the first artifacts, and the value when it is small.
    var summary: TaskResult {
        let small = value.flatMap { $0.encoded.count <= 1024 ? $0 : nil }
        return TaskResult(value: small, artifacts: Array(artifacts.prefix(4)))
    }
}

extension TaskResult.Artifact {
    public var json: JSONValue {
        var object: JSONObject = ["uri": .string(uri)]
        object.set("mime", mime.map { .string($0) })
        object.set("size", size.map { .int($0) })
        return .object(object)
    }

    public init(json: JSONValue) throws {
        self.init(
            uri: try JSONReader(json, what: "artifact").string("uri"),
            mime: json["mime"]?.string,
            size: json["size"]?.int
        )
    }
}

extension TaskFailure {
    public var json: JSONValue {
        var object: JSONObject = ["code": .string(code), "message": .string(message)]
        object.set("fix", fix.map { .string($0) })
        object["retryable"] = .bool(isRetryable)
        object.set("logTail", logTail.map { .string($0) })
        return .object(object)
    }

    public init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "error")
        self.init(
            try reader.string("code"),
            try reader.string("message"),
            fix: json["fix"]?.string,
            isRetryable: json["retryable"]?.bool ?? false,
            logTail: json["logTail"]?.string
        )
    }

    /// What fits into an event: no log, and a message that is cut on a character's boundary.
    var summary: TaskFailure {
        TaskFailure(
            code,
            message.truncated(toUTF8: 1024),
            fix: fix?.truncated(toUTF8: 512),
            isRetryable: isRetryable
        )
    }

    /// The failure within the bounds that stores keep.
    var bounded: TaskFailure {
        TaskFailure(
            code.truncated(toUTF8: 64),
            message.truncated(toUTF8: 4096),
            fix: fix?.truncated(toUTF8: 1024),
            isRetryable: isRetryable,
            logTail: logTail?.suffixed(toUTF8: 8192)
        )
    }
}

extension String {
    /// The longest prefix of whole characters within `limit` bytes, with `…` when something was cut.
    public func truncated(toUTF8 limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var kept = ""
        var size = "…".utf8.count
        for character in self {
            size += character.utf8.count
            if size > limit { break }
            kept.append(character)
        }
        return kept + "…"
    }

    /// The longest suffix of whole characters within `limit` bytes.
    func suffixed(toUTF8 limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var size = 0
        var start = endIndex
        while start > startIndex {
            let previous = index(before: start)
            size += self[previous..<start].utf8.count
            if size > limit { break }
            start = previous
        }
        return String(self[start...])
    }
}
