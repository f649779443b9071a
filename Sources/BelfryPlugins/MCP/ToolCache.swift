// What the tools of each server were when it last ran, so that a hub offers them without starting every server.

import BelfryCore

/// The lists of tools, a file for each plugin.
struct ToolCache: Sendable {
    /// Made when the first list is kept.
    let directory: String

    /// The tools of `plugin`; nil when it is not known, or was another program then.
    func tools(of plugin: InstalledPlugin) -> [MCPTool]? {
        guard let bytes = try? FileSystem.contents(of: path(plugin), limit: 16 << 20),
            let json = try? JSONValue(parsing: bytes), json["identity"]?.string == Self.identity(plugin)
        else { return nil }
        return (json["tools"]?.array ?? []).compactMap(MCPTool.init)
    }

    /// Keeps them. Where that is not possible, the server is asked again next time.
    ///
    /// - Returns: whether they are others than before.
    func keep(_ tools: [MCPTool], of plugin: InstalledPlugin) -> Bool {
        guard self.tools(of: plugin) != tools else { return false }
        let json: JSONValue = [
            "identity": .string(Self.identity(plugin)), "tools": .array(tools.map(\.json)),
        ]
        if (try? FileSystem.makeDirectories(directory)) != nil {
            try? FileSystem.replace(path(plugin), with: json.encoded)
        }
        return true
    }

    private func path(_ plugin: InstalledPlugin) -> String { "\(directory)/\(plugin.manifest.id).json" }

    /// What the list depends on, as a number that changes with it (FNV-1a): the environment may hold secrets, which
    /// have no business in a cache.
    static func identity(_ plugin: InstalledPlugin) -> String {
        let environment = plugin.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let parts =
            [plugin.manifest.version.description, plugin.executable, plugin.workingDirectory]
            + plugin.arguments
            + environment
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in parts.joined(separator: "\u{0}").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
