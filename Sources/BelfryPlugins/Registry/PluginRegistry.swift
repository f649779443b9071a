// The plugins on disk: which there are, and how users add and remove theirs. It holds no state but
// where to look, so that a scan is always what the disk says.

public import BelfryCore

/// Finds, adds and removes plugins.
///
/// A directory with a `plugin.json` in one of the places is a plugin. Nothing is overridden: when an
/// id or a feature occurs twice, the first in the order bundled, system, user serves, and the other
/// is shown as invalid with the reason.
public final class PluginRegistry: Sendable {
    /// Where plugins are looked for.
    public struct Places: Sendable {
        /// Directories of the plugins that come with Belfry.
        public var bundled: [String]
        /// Directories of plugins for every user of the machine.
        public var system: [String]
        /// This user's directory; made when the first plugin is added.
        public var user: String
        /// Where programs are searched, directories with `:` between them.
        public var searchPath: String

        public init(bundled: [String], system: [String], user: String, searchPath: String) {
            self.bundled = bundled
            self.system = system
            self.user = user
            self.searchPath = searchPath
        }
    }

    let places: Places
    private let reservedFeatureIDs: Set<String>
    private let belfryVersion: PluginVersion?
    private let settings: [String: JSONObject]

    /// - Parameters:
    ///   - reservedFeatureIDs: what is built in; a plugin may not serve it.
    ///   - belfryVersion: what `requires.belfry` is held against.
    ///   - settings: what the configuration says, by the id of the plugin.
    public init(
        places: Places,
        reservedFeatureIDs: Set<String> = [],
        belfryVersion: String = BelfryVersion.current,
        settings: [String: JSONObject] = [:]
    ) {
        self.places = places
        self.reservedFeatureIDs = reservedFeatureIDs
        self.belfryVersion = PluginVersion(belfryVersion)
        self.settings = settings
    }

    /// Looks at every directory anew. Blocks on the file system.
    public func scan() -> PluginSnapshot {
        let roots =
            places.bundled.map { ($0, InstalledPlugin.Source.bundled) }
            + places.system.map { ($0, InstalledPlugin.Source.system) } + [(places.user, .user)]
        return scanner(disabled: DisabledPlugins(in: places.user).ids).snapshot(of: roots)
    }

    private func scanner(disabled: Set<String> = []) -> PluginScan {
        PluginScan(
            searchPath: places.searchPath,
            belfryVersion: belfryVersion,
            reservedFeatureIDs: reservedFeatureIDs,
            disabled: disabled,
            settings: settings
        )
    }

    /// What the plugin in `directory` is, judged by itself, before it is added.
    ///
    /// - Throws: ``BelfryError`` `not_found` when the directory holds no `plugin.json`.
    public func inspect(directory: String) throws -> PluginSnapshot.Plugin {
        guard let real = FileSystem.real(directory),
            FileSystem.entry(real, following: true)?.kind == .directory
        else {
            throw BelfryError(.notFound, "There is no directory \(directory).")
        }
        guard let plugin = scanner().read(real, String(real.split(separator: "/").last ?? "plugin"), .user)
        else {
            throw BelfryError(
                .notFound,
                "\(real) holds no \(PluginManifest.fileName).",
                fix: "Name the directory that has the plugin's plugin.json in it."
            )
        }
        return plugin
    }

    /// Adds the plugin in `directory` to the user's: copied, or used in place with `link`.
    ///
    /// The copy appears whole or not at all. Links within the plugin are copied as links when they
    /// stay inside; devices, sockets and pipes are refused, and so is more than 512 MiB.
    ///
    /// - Returns: the plugin as it is now registered, ready or unavailable.
    /// - Throws: ``BelfryError`` `invalid_plugin`, `not_found`, or `conflict` when the id or a feature is taken.
    public func add(directory: String, link: Bool) throws -> PluginSnapshot.Plugin {
        let plugin = try inspect(directory: directory)
        if case .invalid(let problem) = plugin.state {
            throw BelfryError(.invalidPlugin, problem.reason, fix: problem.fix)
        }
        guard let manifest = plugin.manifest else {
            throw BelfryError(.invalidPlugin, "\(plugin.directory) holds no plugin.")
        }
        try refuseConflicts(of: manifest)
        let target = "\(places.user)/\(manifest.id)"
        guard FileSystem.entry(target, following: false) == nil else {
            throw BelfryError(
                .conflict,
                "\(target) is already there and holds another plugin or none.",
                fix: "Remove or rename it."
            )
        }
        let installation = PluginInstallation(source: plugin.directory, target: target)
        link ? try installation.link() : try installation.copy()
        return scan()[manifest.id] ?? plugin
    }

    private func refuseConflicts(of manifest: PluginManifest) throws {
        let present = scan()
        if let other = present[manifest.id] {
            throw BelfryError(
                .conflict,
                "There is a \(other.source.rawValue) plugin '\(manifest.id)' already, in \(other.directory).",
                fix: other.source == .user
                    ? "Remove it first: belfry plugin remove \(manifest.id)" : "Give yours another id."
            )
        }
        if let reserved = manifest.features.first(where: { reservedFeatureIDs.contains($0.id) }) {
            throw BelfryError(
                .conflict,
                "The feature '\(reserved.id)' is built into Belfry.",
                fix: "Give the feature another id."
            )
        }
        for plugin in present.plugins where plugin.state != .disabled {
            if case .invalid = plugin.state { continue }
            let ids = Set(plugin.manifest?.features.map(\.id) ?? [])
            guard let taken = manifest.features.first(where: { ids.contains($0.id) }) else { continue }
            throw BelfryError(
                .conflict,
                "The feature '\(taken.id)' is served by the \(plugin.source.rawValue) plugin '\(plugin.id)'.",
                fix: "Disable it first: belfry plugin disable \(plugin.id)"
            )
        }
    }

    /// Removes one of the user's plugins. Of a link only the link goes.
    ///
    /// - Parameter id: the plugin's id, or the name of a broken one's directory.
    /// - Throws: ``BelfryError`` `not_found`, or `conflict` when it is not the user's.
    public func remove(id: String) throws {
        let present = scan()
        let path = FileSystem.names(in: places.user).filter { !$0.hasPrefix(".") }.first { name in
            scanner().read("\(places.user)/\(name)", name, .user)?.id == id
        }
        if let path {
            try DisabledPlugins(in: places.user).set(id, isDisabled: false)
            return try PluginInstallation.remove("\(places.user)/\(path)")
        }
        if let other = present[id] {
            throw BelfryError(
                .conflict,
                "The plugin '\(id)' is not yours: it is \(other.source.rawValue), in \(other.directory).",
                fix: "Switch it off: belfry plugin disable \(id)"
            )
        }
        throw unknown(id, present)
    }

    /// Switches a plugin on or off, for this user, until it is switched back.
    ///
    /// - Throws: ``BelfryError`` `not_found`, or `not_writable`.
    public func setEnabled(_ isEnabled: Bool, id: String) throws {
        let present = scan()
        guard present[id] != nil else { throw unknown(id, present) }
        try DisabledPlugins(in: places.user).set(id, isDisabled: !isEnabled)
    }

    private func unknown(_ id: String, _ present: PluginSnapshot) -> BelfryError {
        let hint = NameSuggestion.closest(to: id, among: present.plugins.map(\.id)).map {
            "; did you mean '\($0)'?"
        }
        return BelfryError(
            .notFound,
            "There is no plugin '\(id)'\(hint ?? ".")",
            fix: "See: belfry plugin list"
        )
    }
}
