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

    /// A path that a system call takes as it is.
    public func path(_ key: String) throws -> String {
        guard let path = json[key]?.string, path.hasPrefix("/"), !path.hasZeroByte else {
            throw error(key, "an absolute path without zero bytes")
        }
        return path
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

    /// A member that may be missing; nil also where it is null.
    ///
    /// - Parameters:
    ///   - expected: what it must be, in an error.
    ///   - read: nil for what it must not be.
    /// - Throws: ``BelfryError`` `invalid_request` that names the field.
    public func optional<Value>(_ key: String, _ expected: String, _ read: (JSONValue) -> Value?) throws
        -> Value?
    {
        guard let value = value(key) else { return nil }
        guard let read = read(value) else { throw error(key, expected) }
        return read
    }

    public func optionalString(_ key: String) throws -> String? {
        try optional(key, "a string", \.string)
    }

    public func optionalBool(_ key: String) throws -> Bool? {
        try optional(key, "true or false", \.bool)
    }

    /// A member that is read by itself; nil where it is missing or null. What is wrong in it is pointed at from
    /// here.
    public func part<Value>(_ key: String, _ read: (JSONValue) throws -> Value) throws -> Value? {
        guard let value = value(key) else { return nil }
        do { return try read(value) } catch var error as BelfryError {
            error.pointer = "/\(key)\(error.pointer ?? "")"
            throw error
        }
    }

    /// The members of the object, of which all must be among `keys`: a misspelt one would silently be without
    /// effect.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` with the closest name.
    public func members(among keys: [String]) throws -> JSONObject {
        guard let members = json.object else {
            throw BelfryError(.invalidRequest, "A \(what) must be a JSON object.")
        }
        for key in members.keys where !keys.contains(key) {
            let hint = NameSuggestion.closest(to: key, among: keys).map { "; did you mean '\($0)'?" } ?? "."
            throw BelfryError(.invalidRequest, "A \(what) has no field '\(key)'\(hint)", pointer: "/\(key)")
        }
        return members
    }

    public func error(_ key: String, _ expected: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "The \(what)'s '\(key)' must be \(expected).",
            pointer: "/\(key)"
        )
    }
}

extension JSONValue {
    /// The texts of a list that has nothing else in it.
    public var strings: [String]? {
        guard let items = array else { return nil }
        let texts = items.compactMap(\.string)
        return texts.count == items.count ? texts : nil
    }
}
