// How users add, update and remove their plugins. What is copied is pinned; what was shown before the question
// is what is copied, or nothing is.

public import BelfryCore
import Synchronization

extension PluginRegistry {
    /// What is to become of the files in a directory.
    public struct Addition: Sendable {
        /// Absolute.
        public var directory: String
        /// Whether they are used in place, unpinned. Defaults to false.
        public var isLinked = false
        /// Where they are from. Defaults to the directory itself.
        public var origin: PluginOrigin?
        /// The digest of the files that somebody has looked at; others are refused. Defaults to any.
        public var digest: String?

        public init(directory: String) { self.directory = directory }

        /// Whether it came from elsewhere, so that it stays off until it is enabled.
        var isDownload: Bool { origin.map { $0.kind == .archive || $0.kind == .git } ?? false }
    }

    /// One digest for all files of a plugin, to name them when it is added.
    ///
    /// - Throws: ``BelfryError`` `invalid_plugin` when one cannot be read, or may not be copied.
    public func digest(of directory: String) throws -> String {
        var tree = PluginTree(root: FileSystem.real(directory) ?? directory)
        try tree.read()
        return try Self.contents(of: directory, skipping: true).digest
    }

    private static func contents(of directory: String, skipping: Bool = false) throws -> PluginContents {
        do throws(FileError) {
            return try PluginContents.read(
                directory,
                cache: nil,
                skipping: skipping ? PluginContents.skipped : []
            )
        } catch {
            throw BelfryError(
                .invalidPlugin,
                "\(directory): \(error.reason).",
                fix: "Make it readable for you."
            )
        }
    }

    /// Adds a plugin to the user's: copied and pinned, or used in place.
    ///
    /// The copy appears whole or not at all. Links within the plugin are copied as links when they
    /// stay inside; devices, sockets and pipes are refused, and so is more than 512 MiB.
    ///
    /// - Returns: the plugin as it is now registered: ready, unavailable, or disabled when it is a download.
    /// - Throws: ``BelfryError`` `invalid_plugin`, `not_found`, or `conflict` when the id or a feature is
    ///   taken, or the files are not those of the digest.
    public func add(_ addition: Addition) throws -> PluginSnapshot.Plugin {
        let (plugin, manifest) = try sound(addition.directory)
        try changing.withLock { _ in
            try refuseConflicts(of: manifest, replacing: nil)
            let target = "\(places.user)/\(manifest.id)"
            guard FileSystem.entry(target, following: false) == nil else {
                throw BelfryError(
                    .conflict,
                    "\(target) is already there and holds another plugin or none.",
                    fix: "Remove or rename it."
                )
            }
            guard !addition.isLinked else {
                return try PluginInstallation(source: plugin.directory, target: target).link()
            }
            let isOff = addition.isDownload
            if isOff { try DisabledPlugins(in: places.user).set(manifest.id, isDisabled: true) }
            try install(manifest, from: plugin.directory, addition, isConfirmed: !isOff)
        }
        return scan()[manifest.id] ?? plugin
    }

    public func add(directory: String, link: Bool) throws -> PluginSnapshot.Plugin {
        var addition = Addition(directory: directory)
        addition.isLinked = link
        return try add(addition)
    }

    /// The plugin that is pinned under `id`, and what an update from `directory` would change.
    ///
    /// - Throws: as ``update(id:_:)``.
    public func compare(id: String, directory: String) throws -> JSONValue {
        let present = try updatable(id)
        let (next, manifest) = try sound(directory)
        try refuseOther(manifest, id)
        let old = try PluginLock.read(in: places.user)[id]?.files ?? [:]
        let new = try Self.contents(of: next.directory, skipping: true)
        var object: JSONObject = [
            "id": .string(id), "to": .string(manifest.version.description),
            "digest": .string(new.digest), "files": PluginContents.Changes(from: old, to: new.files).json,
            "asks": PluginDemands(manifest).json,
        ]
        object.set("from", present.manifest.map { .string($0.version.description) })
        object.set("asked", present.manifest.map { PluginDemands($0).json })
        if case .unfit = venv(of: manifest, next.directory)?.state(cache: nil) { object["wantsSetup"] = true }
        object["isSame"] = .bool(old == new.files && present.state.name != "invalid")
        return .object(object)
    }

    /// Puts new files in the place of a plugin's, and pins them. The old ones stay until nobody uses them. An
    /// environment that was made ahead for the new ones takes the place of the old one's.
    ///
    /// - Throws: ``BelfryError`` `not_found`, `invalid_plugin`, or `conflict` when it is not the user's or is
    ///   linked, when the files are another plugin's, or not those of the digest.
    public func update(id: String, _ addition: Addition) throws -> PluginSnapshot.Plugin {
        // Also when the update is refused: what was made ahead is for these files alone.
        defer { PluginVenv.forgetNext(of: id, in: places.venvs) }
        let present = try updatable(id)
        let (next, manifest) = try sound(addition.directory)
        try refuseOther(manifest, id)
        try changing.withLock { _ in
            try refuseConflicts(of: manifest, replacing: present.directory)
            try install(manifest, from: next.directory, addition, isConfirmed: present.isConfirmed)
            venv(of: manifest, next.directory)?.adoptNext()
        }
        return scan()[id] ?? next
    }

    private func venv(of manifest: PluginManifest, _ directory: String) -> PluginVenv? {
        manifest.venv.map {
            PluginVenv(of: manifest.id, in: places.venvs, setup: $0, pluginDirectory: directory)
        }
    }

    /// The lock is what counts: once it is written, the new version is the plugin.
    private func install(
        _ manifest: PluginManifest,
        from source: String,
        _ addition: Addition,
        isConfirmed: Bool
    ) throws {
        let store = PluginStore(directory: places.user)
        var lock = try PluginLock.read(in: places.user)
        let version = try store.copy(manifest, from: source)
        do {
            let contents = try Self.contents(of: "\(places.user)/\(version)")
            try Self.refuseOthers(contents, than: addition.digest, from: source)
            lock[manifest.id] = PluginLock.Entry(
                version: manifest.version.description,
                directory: version,
                origin: addition.origin ?? origin(of: source, lock[manifest.id]),
                isConfirmed: isConfirmed,
                files: contents.files
            )
            try lock.write(in: places.user)
        } catch {
            versions.retire("\(places.user)/\(version)")
            throw error
        }
        try store.point(manifest.id, to: version)
    }

    /// Copies the plugin in `source`, when its files are those that somebody has looked at: what is done with the
    /// copy is done with them, whatever becomes of the source.
    ///
    /// - Parameter target: absolute; must not exist. The caller removes it.
    /// - Throws: ``BelfryError`` as ``add(_:)``; nothing is left at `target` then.
    public static func copy(_ source: String, to target: String, digest: String) throws {
        try PluginInstallation(source: FileSystem.real(source) ?? source, target: target).copy()
        do { try refuseOthers(contents(of: target), than: digest, from: source) } catch {
            try? FileSystem.remove(target)
            throw error
        }
    }

    private static func refuseOthers(_ contents: PluginContents, than digest: String?, from source: String)
        throws
    {
        guard let digest, digest != contents.digest else { return }
        throw BelfryError(
            .conflict,
            "The files in \(source) have changed since they were looked at.",
            fix: "Try again."
        )
    }

    /// Where files are from of which nobody has said it: what somebody changed in a copy keeps its origin.
    private func origin(of source: String, _ known: PluginLock.Entry?) -> PluginOrigin {
        if let known, let user = FileSystem.real(places.user), source.hasPrefix(user + "/") {
            return known.origin
        }
        return PluginOrigin(.directory, source)
    }

    /// The plugin in `directory`, which must be sound but need not be able to run.
    private func sound(_ directory: String) throws -> (PluginSnapshot.Plugin, PluginManifest) {
        let plugin = try inspect(directory: directory)
        if case .invalid(let problem) = plugin.state {
            throw BelfryError(.invalidPlugin, problem.reason, fix: problem.fix)
        }
        guard let manifest = plugin.manifest else {
            throw BelfryError(.invalidPlugin, "\(plugin.directory) holds no plugin.")
        }
        return (plugin, manifest)
    }

    private func updatable(_ id: String) throws -> PluginSnapshot.Plugin {
        let plugin = try plugin(id)
        guard plugin.source == .user else { throw foreign(plugin) }
        guard !plugin.isLinked else {
            throw BelfryError(
                .conflict,
                "The plugin '\(id)' is used in place, in \(plugin.directory).",
                fix: "Change its files there; they are heeded at once."
            )
        }
        return plugin
    }

    private func refuseOther(_ manifest: PluginManifest, _ id: String) throws {
        guard manifest.id != id else { return }
        throw BelfryError(
            .conflict,
            "The files are those of the plugin '\(manifest.id)', and not of '\(id)'.",
            fix: "Name the directory of '\(id)', or add the other: belfry plugin add DIR"
        )
    }

    private func foreign(_ plugin: PluginSnapshot.Plugin) -> BelfryError {
        BelfryError(
            .conflict,
            "The plugin '\(plugin.id)' is not yours: it is \(plugin.source.rawValue), in \(plugin.directory).",
            fix: "Switch it off: belfry plugin disable \(plugin.id)"
        )
    }

    /// - Parameter replaced: the directory of the plugin that it takes the place of.
    private func refuseConflicts(of manifest: PluginManifest, replacing replaced: String?) throws {
        let others = scan().plugins.filter { $0.directory != replaced }
        if let other = others.first(where: { $0.id == manifest.id }) {
            throw BelfryError(
                .conflict,
                "There is a \(other.source.rawValue) plugin '\(manifest.id)' already, in \(other.directory).",
                fix: other.source == .user
                    ? "Take the new version: belfry plugin update \(manifest.id) FROM. Or remove it first: "
                        + "belfry plugin remove \(manifest.id)" : "Give yours another id."
            )
        }
        if let reserved = manifest.features.first(where: { reservedFeatureIDs.contains($0.id) }) {
            throw BelfryError(
                .conflict,
                "The feature '\(reserved.id)' is built into Belfry.",
                fix: "Give the feature another id."
            )
        }
        for plugin in others where plugin.state != .disabled {
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

    /// Removes one of the user's plugins with its Python environment. Of a link only the link goes. Files that
    /// an attempt uses stay until it has ended.
    ///
    /// - Parameter id: the plugin's id, or the name of a broken one's directory.
    /// - Throws: ``BelfryError`` `not_found`, or `conflict` when it is not the user's.
    public func remove(id: String) throws {
        let present = scan()
        let scanner = scanner()
        let name = FileSystem.names(in: places.user).filter { !$0.hasPrefix(".") }.first { name in
            scanner.read("\(places.user)/\(name)", name, .user)?.id == id
        }
        guard let name else {
            throw present[id].map(foreign) ?? unknown(id, present)
        }
        try changing.withLock { _ in
            try DisabledPlugins(in: places.user).set(id, isDisabled: false)
            try PluginInstallation.remove("\(places.user)/\(name)")
            if var lock = try? PluginLock.read(in: places.user), lock[name] != nil {
                lock[name] = nil
                try lock.write(in: places.user)
            }
            VenvMaker.unlink(id, in: places.venvs)
        }
        removeLeftovers()
    }
}
