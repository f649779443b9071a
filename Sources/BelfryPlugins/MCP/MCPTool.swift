// A tool as a server lists it.

import BelfryCore

/// One tool of an MCP server.
struct MCPTool: Sendable, Hashable {
    var name: String
    var title: String?
    var description: String?
    var inputSchema: JSONValue

    /// - Returns: nil for what has no name.
    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, !name.isEmpty else { return nil }
        self.name = name
        title = json["title"]?.string ?? json["annotations"]?["title"]?.string
        description = json["description"]?.string
        inputSchema = json["inputSchema"] ?? ["type": "object"]
    }

    var json: JSONValue {
        var object: JSONObject = ["name": .string(name)]
        object.set("title", title.map { .string($0) })
        object.set("description", description.map { .string($0) })
        object["inputSchema"] = inputSchema
        return .object(object)
    }

    /// The end of the id of the feature that it is: the name, with what ids do not hold made lower-case or `-`.
    var slug: String {
        let slug = String(
            name.unicodeScalars.map { scalar -> Character in
                switch scalar {
                case "a"..."z", "0"..."9", "-", "_", ".": Character(scalar)
                case "A"..."Z": Character(UnicodeScalar(UInt8(scalar.value) + 32))
                default: "-"
                }
            }.drop { "-_.".contains($0) }
        )
        return slug.isEmpty ? "tool" : String(slug.prefix(60))
    }
}
