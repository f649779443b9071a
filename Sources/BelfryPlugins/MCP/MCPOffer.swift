// Which tools of a server are features, and what those are called.

import BelfryCore

/// A plugin's manifest and its server's list of tools, put together.
struct MCPOffer {
    let host: MCPHost
    /// Nil when the server was never asked.
    let tools: [MCPTool]?

    /// The features, and those of the manifest that the server has no tool for.
    func features() -> ([MCPFeature], [String: PluginSnapshot.Problem]) {
        let entries = host.plugin.manifest.features
        return entries.isEmpty ? (all, [:]) : chosen(entries)
    }

    /// Every tool, as `plugin/tool`.
    private var all: [MCPFeature] {
        var taken: Set<String> = []
        return (tools ?? []).map { tool in
            var id = "\(host.plugin.manifest.id)/\(tool.slug)"
            var number = 2
            while !taken.insert(id).inserted {
                id = "\(host.plugin.manifest.id)/\(tool.slug)-\(number)"
                number += 1
            }
            return feature(PluginManifest.FeatureEntry(id: id), tool)
        }
    }

    /// Those that the manifest names, with what it says of them.
    private func chosen(
        _ entries: [PluginManifest.FeatureEntry]
    ) -> ([MCPFeature], [String: PluginSnapshot.Problem]) {
        var features: [MCPFeature] = []
        var missing: [String: PluginSnapshot.Problem] = [:]
        for entry in entries {
            let name = entry.tool ?? String(entry.id.split(separator: "/").last ?? "")
            if let tool = tools?.first(where: { $0.name == name }) {
                features.append(feature(entry, tool))
            } else if let tools {
                let names = tools.map(\.name).joined(separator: ", ")
                missing[entry.id] = PluginSnapshot.Problem(
                    "its server has no tool '\(name)'; it has: \(names)",
                    fix: "Name one of those in \(host.plugin.directory)/\(PluginManifest.fileName)."
                )
            } else {
                features.append(MCPFeature(entry, tool: name, schema: entry.paramsSchema, host: host))
            }
        }
        return (features, missing)
    }

    /// What the manifest does not say, the server does.
    private func feature(_ entry: PluginManifest.FeatureEntry, _ tool: MCPTool) -> MCPFeature {
        var entry = entry
        let description = tool.description ?? ""
        if entry.title == entry.id {
            entry.title =
                tool.title ?? description.split(whereSeparator: \.isNewline).first.map(String.init)
                ?? tool.name
            entry.title = entry.title.truncated(toUTF8: 100)
        }
        if entry.summary.isEmpty { entry.summary = description }
        if entry.paramsSchema == ["type": "object"] { entry.paramsSchema = tool.inputSchema }
        return MCPFeature(entry, tool: tool.name, schema: entry.paramsSchema, host: host)
    }
}
