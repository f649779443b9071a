// Keeps events within their size. What is in a task is bounded where it is accepted, but escaping may
// make a text six times as long, and results come from plugins.

extension TaskEvent {
    /// The event as one line of at most ``maxSize`` bytes, without its newline.
    ///
    /// An event that fits is written whole. The limits of one that does not add up to less than
    /// the size: about 600 bytes of fixed fields, 1,900 of task or batch, 1,400 of result or error.
    var line: [UInt8] {
        let whole = encoded()
        return whole.count <= Self.maxSize ? whole : shortened.encoded()
    }

    private var shortened: TaskEvent {
        var event = self
        event.draft.task = draft.task?.shortened
        event.draft.batch?.title = draft.batch?.title.truncated(toJSON: 600) ?? ""
        event.draft.result = draft.result?.shortened
        event.draft.error = draft.error?.shortened
        return event
    }
}

extension TaskSummary {
    fileprivate var shortened: TaskSummary {
        var summary = self
        summary.featureID = featureID.truncated(toJSON: 200)
        summary.title = title.truncated(toJSON: 600)
        summary.userID = userID.truncated(toJSON: 200)
        summary.origin = origin?.truncated(toJSON: 300)
        var room = 600
        summary.labels = labels.filter { label in
            room -= label.jsonSize + 3
            return room >= 0
        }
        return summary
    }
}

extension TaskResult {
    /// The value when it is small, and the first artifacts that fit: a URI that was cut names nothing.
    fileprivate var shortened: TaskResult {
        var result = TaskResult()
        var room = 1300
        for artifact in artifacts.prefix(4) {
            let size = artifact.json.encoded.count + 1
            if size > room { break }
            room -= size
            result.artifacts.append(artifact)
        }
        if let value, value.encoded.count <= room { result.value = value }
        return result
    }
}

extension TaskFailure {
    fileprivate var shortened: TaskFailure {
        TaskFailure(
            code.truncated(toJSON: 100),
            message.truncated(toJSON: 800),
            fix: fix?.truncated(toJSON: 400),
            isRetryable: isRetryable
        )
    }
}

extension String {
    /// The bytes that this takes in JSON, the quotes apart.
    fileprivate var jsonSize: Int { JSONValue.string(self).encoded.count - 2 }

    /// As ``truncated(toUTF8:)``, but `limit` counts the bytes after escaping.
    fileprivate func truncated(toJSON limit: Int) -> String {
        guard jsonSize > limit else { return self }
        var kept = ""
        var size = "\u{2026}".utf8.count
        for character in self {
            size += String(character).jsonSize
            if size > limit { break }
            kept.append(character)
        }
        return kept + "\u{2026}"
    }
}
