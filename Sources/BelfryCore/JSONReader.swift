// Reads fields of a JSON object with errors that name the field.

/// The members of a JSON object that a decoder asks for by name and kind.
public struct JSONReader {
    private let json: JSONValue
    private let what: String

    /// - Parameter what: names the object in errors, such as `task`.
    public init(_ json: JSONValue, what: String) {
        self.json = json
        self.what = what
    }

    subscript(key: String) -> JSONValue? { json[key] }

    public func string(_ key: String) throws -> String {
        guard let value = json[key]?.string else { throw error(key, "a string") }
        return value
    }

    public func int(_ key: String) throws -> Int64 {
        guard let value = json[key]?.int else { throw error(key, "a whole number") }
        return value
    }

    public func time(_ key: String) throws -> Timestamp {
        guard let time = Timestamp(try string(key)) else { throw error(key, "an RFC 3339 time") }
        return time
    }

    public func taskID(_ key: String) throws -> TaskID {
        guard let id = TaskID(try string(key)) else { throw error(key, "a UUID") }
        return id
    }

    public func error(_ key: String, _ expected: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "The \(what)'s '\(key)' must be \(expected).",
            pointer: "/\(key)"
        )
    }
}
