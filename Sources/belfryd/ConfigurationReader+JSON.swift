// Tables of the configuration whose keys are not the hub's: they become JSON, as they are.

import BelfryCore
import TOMLKit

extension ConfigurationReader {
    /// A table with whatever is in it.
    mutating func object(_ key: String) throws -> JSONObject? {
        var unsuited: String?
        let object = try value(key, "a table") { value in
            value.table.map { Self.object($0, key, &unsuited) }
        }
        if let unsuited {
            throw error(unsuited, "must be a string, a number, true or false, a list or a table")
        }
        return object
    }

    private static func object(_ table: TOMLTable, _ key: String, _ unsuited: inout String?) -> JSONObject {
        var object = JSONObject()
        for name in table.keys.sorted() {
            object.set(name, table[name].flatMap { json($0, "\(key).\(name)", &unsuited) })
        }
        return object
    }

    private static func json(_ value: any TOMLValueConvertible, _ key: String, _ unsuited: inout String?)
        -> JSONValue?
    {
        if let text = value.string { return .string(text) }
        if let flag = value.bool { return .bool(flag) }
        if let number = value.int { return .int(Int64(number)) }
        if let number = value.double { return .double(number) }
        if let list = value.array { return .array(list.compactMap { json($0, key, &unsuited) }) }
        if let table = value.table { return .object(object(table, key, &unsuited)) }
        // A date, for which JSON has no word.
        unsuited = key
        return nil
    }
}
