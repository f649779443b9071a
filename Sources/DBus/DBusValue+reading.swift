// Short ways to make the values that services want most often, and to read what they answer.

extension DBusValue {
    /// An array of strings, `as`.
    public static func strings(_ values: [String]) -> DBusValue {
        .array(of: "s", values.map { .string($0) })
    }

    /// A dictionary of strings to anything, `a{sv}`. Each value is wrapped in a variant.
    public static func properties(_ entries: [(String, DBusValue)]) -> DBusValue {
        .dictionary(key: "s", value: "v", entries.map { DBusEntry(.string($0.0), .variant($0.1)) })
    }
}

/// Readers look through variants and give nil when the value is of another type.
extension DBusValue {
    /// The value without the variants around it.
    public var unwrapped: DBusValue {
        var value = self
        while case .variant(let inner) = value { value = inner }
        return value
    }

    /// The text of a string, an object path or a signature.
    public var stringValue: String? {
        switch unwrapped {
        case .string(let text), .objectPath(let text), .signature(let text): text
        default: nil
        }
    }

    /// The number of an `u`.
    public var uint32Value: UInt32? {
        guard case .uint32(let number) = unwrapped else { return nil }
        return number
    }

    /// The number of an `i`.
    public var int32Value: Int32? {
        guard case .int32(let number) = unwrapped else { return nil }
        return number
    }

    /// The truth of a `b`.
    public var booleanValue: Bool? {
        guard case .boolean(let isTrue) = unwrapped else { return nil }
        return isTrue
    }

    /// The elements of an array.
    public var arrayValue: [DBusValue]? {
        guard case .array(_, let elements) = unwrapped else { return nil }
        return elements
    }

    /// The texts of an array whose elements are all strings, object paths or signatures.
    public var stringsValue: [String]? {
        guard let elements = arrayValue else { return nil }
        let texts = elements.compactMap(\.stringValue)
        return texts.count == elements.count ? texts : nil
    }

    /// A dictionary with strings as keys, its values without their variants. Of two entries with one key
    /// the later stands.
    public var dictionaryValue: [String: DBusValue]? {
        guard case .dictionary(_, _, let entries) = unwrapped else { return nil }
        var values: [String: DBusValue] = [:]
        for entry in entries {
            guard let key = entry.key.stringValue else { return nil }
            values[key] = entry.value.unwrapped
        }
        return values
    }
}
