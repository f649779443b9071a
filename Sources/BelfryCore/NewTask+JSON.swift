// Submissions as JSON: what clients send, and what a schedule keeps.

extension NewTask {
    /// Reads a submission.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` naming the field; a key that does not exist is an
    ///   error too, so that a misspelt option is not silently without effect.
    public init(submission json: JSONValue) throws {
        let reader = JSONReader(json, what: "submission")
        _ = try reader.members(among: Self.keys)
        try self.init(json: json)
        context = try reader.part("context", SubmissionContext.init(json:))
    }

    static let keys = [
        "id", "featureId", "title", "params", "arguments", "userId", "origin", "notify", "labels", "priority",
        "group", "needs", "notBefore", "delaySeconds", "stashed", "deadline", "timeoutSeconds", "after",
        "maxAttempts", "onInterrupt", "idempotencyKey", "unique", "attemptTimeoutSeconds",
        "idleTimeoutSeconds", "retry", "onDependencyFailure", "context",
    ]

    /// Reads ``json``, and the same members of an object that has others.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` naming the field.
    public init(json: JSONValue) throws {
        let reader = JSONReader(json, what: "submission")
        self.init(featureID: try reader.string("featureId"), params: json["params"] ?? [:])
        id = try reader.optional("id", "a UUID") { $0.string.flatMap { TaskID($0) } }
        title = try reader.optionalString("title") ?? ""
        userID = try reader.optionalString("userId") ?? ""
        origin = try reader.optionalString("origin")
        notify =
            try reader.optional("notify", "full, outcome or none") { $0.string.flatMap(NotifyPolicy.init) }
            ?? .full
        labels =
            try reader.optional("labels", "a list of strings", \.strings) ?? []
        priority = try reader.optional("priority", "a whole number") { $0.int.map { Int(clamping: $0) } } ?? 0
        group = try reader.optionalString("group") ?? "default"
        needs = try reader.optional("needs", "an object such as {\"gpu\": 1}") { $0 }.map(
            TaskNeeds.init(json:)
        )
        notBefore = try reader.optional("notBefore", "an RFC 3339 time") {
            $0.string.flatMap { Timestamp($0) }
        }
        delay = try reader.duration("delaySeconds", upTo: 315_360_000)
        timeout = try reader.duration("timeoutSeconds", upTo: 315_360_000)
        isStashed = try reader.optionalBool("stashed") ?? false
        deadline = try reader.optional("deadline", "an RFC 3339 time") { $0.string.flatMap { Timestamp($0) } }
        after =
            try reader.optional("after", "a list of task ids") { value in
                value.array.flatMap { items in
                    let ids = items.compactMap { $0.string.flatMap { TaskID($0) } }
                    return ids.count == items.count ? ids : nil
                }
            } ?? []
        options = try TaskOptions(json: json)
        maxAttempts = try reader.optional("maxAttempts", "a whole number") {
            $0.int.map { Int(clamping: $0) }
        }
        onInterrupt = try reader.optional("onInterrupt", "rerun or fail") {
            $0.string.flatMap(InterruptPolicy.init)
        }
        idempotencyKey = try reader.optionalString("idempotencyKey")
        batchID = try reader.optional("batchId", "a UUID") { $0.string.flatMap { BatchID($0) } }
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
        object.set("needs", needs.map(\.json))
        object.set("notBefore", notBefore.map { .string($0.description) })
        object.set("delaySeconds", delay.map { .double($0.seconds) })
        object.set("timeoutSeconds", timeout.map { .double($0.seconds) })
        if isStashed { object["stashed"] = true }
        object.set("deadline", deadline.map { .string($0.description) })
        if !after.isEmpty { object["after"] = .array(after.map { .string($0.rawValue) }) }
        for (key, value) in options.json.object ?? [:] { object[key] = value }
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
        _ = try reader.members(among: ["workingDirectory", "umask", "environment"])
        let directory = try reader.path("workingDirectory")
        let mask = try reader.optional("umask", "a whole number from 0 to 511") { value in
            value.int.flatMap { (0...0o777).contains($0) ? UInt32($0) : nil }
        }
        self.init(workingDirectory: directory, umask: mask)
        environment = try reader.optional(
            "environment",
            "an object of texts without zero bytes",
            Self.variables
        )
    }

    private static func variables(_ json: JSONValue) -> [String: String]? {
        guard let members = json.object else { return nil }
        var variables = [String: String](minimumCapacity: members.count)
        for (key, value) in members {
            guard let text = value.string, !text.hasZeroByte, !key.hasZeroByte else { return nil }
            variables[key] = text
        }
        return variables
    }
}

extension TaskEdit {
    private static let keys = [
        "title", "params", "arguments", "priority", "group", "needs", "notBefore", "delaySeconds", "deadline",
        "timeoutSeconds",
        "labels", "maxAttempts", "notify", "attemptTimeoutSeconds", "idleTimeoutSeconds", "retry",
        "onDependencyFailure", "context",
    ]

    /// Reads what is to be changed about `task`: the members of a submission, with null for what is to be
    /// taken away.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` naming the field.
    public init(json: JSONValue, of task: BackgroundTask) throws {
        self.init()
        let members = try JSONReader(json, what: "change of a task").members(among: Self.keys)
        var whole = members
        whole["featureId"] = .string(task.featureID)
        let new = try NewTask(json: .object(whole))
        func has(_ key: String) -> Bool { members[key] != nil }
        if has("title") { title = new.title }
        if has("params") { params = new.params }
        if has("priority") { priority = new.priority }
        if has("group") { group = new.group }
        if has("needs") { needs = new.needs ?? TaskNeeds() }
        if has("labels") { labels = new.labels }
        if has("maxAttempts") { maxAttempts = new.maxAttempts }
        if has("notify") { notify = new.notify }
        if has("notBefore") { notBefore = .some(new.notBefore) }
        if has("deadline") { deadline = .some(new.deadline) }
        (delay, timeout) = (new.delay, new.timeout)
        try readOptions(members, of: task)
    }

    private mutating func readOptions(_ members: JSONObject, of task: BackgroundTask) throws {
        var merged = task.options.json.object ?? [:]
        let keys = ["attemptTimeoutSeconds", "idleTimeoutSeconds", "retry", "onDependencyFailure"]
        for key in keys where members[key] != nil { merged[key] = members[key] }
        if keys.contains(where: { members[$0] != nil }) { options = try TaskOptions(json: .object(merged)) }
    }
}
