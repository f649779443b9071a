// The bounds of a submission. They keep a task's events within 4 KiB, and names inert in file
// names, terminals and queries.

extension NewTask {
    /// The largest params that are accepted, in bytes of JSON.
    public static let maxParamsSize = 1 << 20

    /// Checks every bound that does not depend on the feature.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` or `too_large`, pointing at the field.
    public func validate() throws {
        let size = params.encoded.count
        guard size <= Self.maxParamsSize else {
            throw BelfryError(
                .tooLarge,
                "The params are \(size) bytes of JSON; at most \(Self.maxParamsSize) are accepted.",
                fix: "Put large data into a file and pass its path.",
                pointer: "/params"
            )
        }
        guard params.object != nil else {
            throw BelfryError(.invalidRequest, "The params must be a JSON object.", pointer: "/params")
        }
        if let place = params.pointerToZeroByte {
            throw BelfryError(
                .invalidRequest,
                "The params hold a zero byte, which no program could be given.",
                fix: "Leave it out, or put the bytes into a file and pass its path.",
                pointer: "/params\(place)"
            )
        }
        try bound(featureID, to: 1...128, "featureId")
        try bound(title, to: 0...800, "title")
        try bound(userID, to: 0...128, "userId")
        try bound(origin ?? "", to: 0...255, "origin")
        try bound(idempotencyKey ?? "", to: 0...255, "idempotencyKey")
        try bound(uniqueKey ?? "", to: 0...255, "uniqueKey")
        try TaskGroup.check(name: group)
        guard !featureID.contains(" ") else {
            throw BelfryError(.invalidRequest, "A feature's id has no space.", pointer: "/featureId")
        }
        guard after.count <= 100 else {
            throw BelfryError(.invalidRequest, "A task comes after at most 100 others.", pointer: "/after")
        }
        guard labels.count <= 16 else {
            throw BelfryError(.invalidRequest, "A task has at most 16 labels.", pointer: "/labels")
        }
        for (index, label) in labels.enumerated() { try bound(label, to: 1...64, "labels/\(index)") }
        guard (1...1000).contains(maxAttempts ?? 1) else {
            throw BelfryError(.invalidRequest, "maxAttempts must be 1…1000.", pointer: "/maxAttempts")
        }
        guard (-1000...1000).contains(priority) else {
            throw BelfryError(.invalidRequest, "The priority must be -1000…1000.", pointer: "/priority")
        }
    }

    private func bound(_ text: String, to range: ClosedRange<Int>, _ field: String) throws {
        guard range.contains(text.utf8.count) else {
            throw BelfryError(
                .invalidRequest,
                "'\(field)' must be \(range.lowerBound)…\(range.upperBound) bytes; it is \(text.utf8.count).",
                pointer: "/\(field)"
            )
        }
        // A title is made one line, and shown with what is left made visible.
        let isTitle = field == "title"
        guard isTitle ? !text.hasZeroByte : !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw BelfryError(
                .invalidRequest,
                "'\(field)' must not contain \(isTitle ? "zero bytes" : "control characters").",
                pointer: "/\(field)"
            )
        }
    }
}
