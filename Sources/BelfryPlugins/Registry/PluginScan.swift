// Reads the directories of plugins and decides which of them serve. Every plugin is judged by
// itself first, so that one that is broken hides nobody; conflicts are settled after that, by a
// rule that does not depend on the order in which a file system lists its entries.

import BelfryCore

struct PluginScan {
    typealias Plugin = PluginSnapshot.Plugin
    typealias Problem = PluginSnapshot.Problem

    let searchPath: String
    let belfryVersion: PluginVersion?
    let reservedFeatureIDs: Set<String>
    let disabled: Set<String>

    /// - Parameter roots: in the order of precedence.
    func snapshot(of roots: [(directory: String, source: InstalledPlugin.Source)]) -> PluginSnapshot {
        var found: [Plugin] = []
        var seen: Set<String> = []
        for (root, source) in roots {
            let ofRoot = FileSystem.names(in: root).compactMap { name -> Plugin? in
                guard !name.hasPrefix("."), let plugin = read("\(root)/\(name)", name, source) else {
                    return nil
                }
                // One directory reached in two ways is one plugin.
                return seen.insert(plugin.directory).inserted || plugin.isLinked ? plugin : nil
            }
            found += ofRoot.sorted { ($0.id, $0.directory) < ($1.id, $1.directory) }
        }
        settleIDs(&found)
        settleFeatures(&found)
        let order = found.enumerated().sorted { ($0.element.id, $0.offset) < ($1.element.id, $1.offset) }
        return PluginSnapshot(plugins: order.map(\.element))
    }

    /// The plugin in `path`, judged by itself; nil when there is none.
    func read(_ path: String, _ name: String, _ source: InstalledPlugin.Source) -> Plugin? {
        let isLinked = FileSystem.entry(path, following: false)?.kind == .link
        guard let directory = FileSystem.real(path) else {
            guard isLinked else { return nil }
            let problem = Problem(
                "\(path) points to a directory that is not there",
                fix: "Run: belfry plugin remove \(name)"
            )
            return Plugin(
                id: name,
                directory: path,
                source: source,
                isLinked: true,
                state: .invalid(problem),
                warnings: []
            )
        }
        guard FileSystem.entry("\(directory)/\(PluginManifest.fileName)", following: false) != nil else {
            return nil
        }
        let inspection = PluginManifest.inspect(directory: directory)
        return Plugin(
            id: inspection.manifest?.id ?? inspection.declaredID ?? name,
            manifest: inspection.manifest,
            directory: directory,
            source: source,
            isLinked: isLinked,
            state: state(inspection, directory, isLinked, source),
            warnings: inspection.warnings
        )
    }

    private func state(
        _ inspection: PluginManifest.Inspection,
        _ directory: String,
        _ isLinked: Bool,
        _ source: InstalledPlugin.Source
    ) -> PluginSnapshot.State {
        guard let manifest = inspection.manifest else {
            let first = inspection.mistakes.first
            let more = inspection.mistakes.count - 1
            let rest = more > 0 ? " (and \(more) more)" : ""
            return .invalid(Problem((first?.message ?? "holds no plugin") + rest, fix: first?.fix))
        }
        if disabled.contains(manifest.id) { return .disabled }
        if let problem = unmet(manifest) { return .unavailable(problem) }
        do {
            return .ready(
                try InstalledPlugin(
                    binding: manifest,
                    directory: directory,
                    searchPath: searchPath,
                    isLinked: isLinked,
                    source: source
                )
            )
        } catch let error as BelfryError {
            return .unavailable(Problem(error.message, fix: error.fix))
        } catch {
            return .unavailable(Problem("\(error)"))
        }
    }

    private func unmet(_ manifest: PluginManifest) -> Problem? {
        if let range = manifest.requires.belfry, let belfryVersion, !range.contains(belfryVersion) {
            return Problem(
                "it needs Belfry \(range), and this is \(belfryVersion)",
                fix: "Update Belfry, or add a version of the plugin that fits."
            )
        }
        if manifest.runner.wire == .observer {
            return Problem(
                "the protocol '\(manifest.runner.wire.rawValue)' is not supported by this version",
                fix: "Update Belfry."
            )
        }
        for program in manifest.requires.executables where ProgramSearch.find(program, on: searchPath) == nil
        {
            let error = ProgramSearch.missing(program, on: searchPath)
            return Problem(error.message, fix: error.fix)
        }
        return nil
    }

    // MARK: Conflicts

    /// Of several plugins with one id the first stays; both say so.
    private func settleIDs(_ plugins: inout [Plugin]) {
        var owners: [String: Int] = [:]
        for index in plugins.indices {
            let id = plugins[index].id
            guard let owner = owners[id] else {
                owners[id] = index
                continue
            }
            let first = plugins[owner]
            plugins[index].state = .invalid(
                Problem(
                    "the id '\(id)' is taken by the \(first.source.rawValue) plugin in \(first.directory)",
                    fix: removal(of: plugins[index])
                )
            )
            plugins[owner].warnings.append(
                "the plugin in \(plugins[index].directory) has the same id and is not used"
            )
        }
    }

    /// A feature belongs to the first plugin that serves it, or would but for something missing.
    private func settleFeatures(_ plugins: inout [Plugin]) {
        var owners: [String: Int] = [:]
        for index in plugins.indices where holdsFeatures(plugins[index]) {
            let ids = plugins[index].manifest?.features.map(\.id) ?? []
            if let reserved = ids.first(where: reservedFeatureIDs.contains) {
                plugins[index].state = .invalid(
                    Problem(
                        "the feature '\(reserved)' is built into Belfry",
                        fix:
                            "Give the feature another id in \(plugins[index].directory)/\(PluginManifest.fileName)."
                    )
                )
            } else if let taken = ids.first(where: { owners[$0] != nil }), let owner = owners[taken] {
                let first = plugins[owner]
                plugins[index].state = .invalid(
                    Problem(
                        "the feature '\(taken)' is served by the \(first.source.rawValue) plugin '\(first.id)'",
                        fix: "\(removal(of: plugins[index])) Or: belfry plugin disable \(first.id)"
                    )
                )
                plugins[owner].warnings.append(
                    "the plugin '\(plugins[index].id)' in \(plugins[index].directory) has the feature '\(taken)' too and is not used"
                )
            } else {
                for id in ids { owners[id] = index }
            }
        }
    }

    private func holdsFeatures(_ plugin: Plugin) -> Bool {
        switch plugin.state {
        case .ready, .unavailable: true
        case .invalid, .disabled: false
        }
    }

    private func removal(of plugin: Plugin) -> String {
        plugin.source == .user
            ? "Run: belfry plugin remove \(plugin.id)" : "Remove the directory \(plugin.directory)."
    }
}
