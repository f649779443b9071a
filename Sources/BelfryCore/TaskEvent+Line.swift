// An event as one line, written without a tree of values in between: every change of a task makes one.

extension TaskEvent {
    /// ``json`` as text, whatever its size.
    func encoded() -> [UInt8] {
        var line = JSONLine()
        line.add("schema", Self.schemaVersion)
        line.add("position", position)
        line.add("id", cursor)
        line.add("time", time.description)
        line.add("type", kind.rawValue)
        if let task = draft.task { line.add("task") { task.write(to: &$0) } }
        line.add("batch", draft.batch?.json)
        line.add("result", draft.result?.summary.json)
        line.add("error", draft.error?.summary.json)
        line.add("notBefore", draft.notBefore?.description)
        line.add("durationSeconds", draft.duration.map { .double($0.seconds) })
        return line.finished()
    }
}

extension TaskSummary {
    fileprivate func write(to line: inout JSONLine) {
        line.add("id", id.rawValue)
        line.add("number", number)
        line.add("featureId", featureID)
        line.add("title", title)
        line.add("userId", userID)
        line.add("origin", origin)
        if notify != .full { line.add("notify", notify.rawValue) }
        if !labels.isEmpty { line.add("labels", .array(labels.map { .string($0) })) }
        line.add("batchId", batchID?.rawValue)
        line.add("status", status.rawValue)
        line.add("progress", .double(progress))
        line.add("attempt", Int64(attempt))
        line.add("maxAttempts", Int64(maxAttempts))
        line.add("revision", revision)
    }
}

/// An object on its way into bytes, member by member. Keys are plain ASCII.
private struct JSONLine {
    private var bytes: [UInt8] = []
    private var isFirst = true

    init() {
        // A task's event is some 400 bytes.
        bytes.reserveCapacity(512)
        bytes.append(UInt8(ascii: "{"))
    }

    private mutating func key(_ key: StaticString) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func number(_ value: Int64) { bytes.append(contentsOf: String(value).utf8) }

    mutating func add(_ name: StaticString, _ value: Int64) {
        key(name)
        number(value)
    }

    mutating func add(_ name: StaticString, _ text: String?) {
        guard let text else { return }
        key(name)
        JSONValue.write(text, to: &bytes)
    }

    mutating func add(_ name: StaticString, _ cursor: EventCursor) {
        key(name)
        JSONValue.write(cursor.epoch, to: &bytes)
        bytes[bytes.count - 1] = UInt8(ascii: "-")
        number(cursor.position)
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func add(_ name: StaticString, _ value: JSONValue?) {
        guard let value else { return }
        key(name)
        value.write(to: &bytes)
    }

    mutating func add(_ name: StaticString, _ write: (inout JSONLine) -> Void) {
        key(name)
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
        write(&self)
        isFirst = false
        bytes.append(UInt8(ascii: "}"))
    }

    consuming func finished() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}
