// The plugins on disk: which there are. What it remembers of earlier scans only saves reading; a scan is always
// what the disk says. It starts no process of a plugin.

public import BelfryCore
import Synchronization

/// Finds, adds, updates and removes plugins.
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
        /// Where the plugins' Python environments are. Defaults to `venvs` beside ``user``.
        public var venvs: String

        public init(bundled: [String], system: [String], user: String, searchPath: String) {
            self.bundled = bundled
            self.system = system
            self.user = user
            self.searchPath = searchPath
            venvs = FileSystem.parent(of: user) + "/venvs"
        }
    }

    let places: Places
    let reservedFeatureIDs: Set<String>
    private let belfryVersion: PluginVersion?
    private let settings: [String: JSONObject]
    private let configurationFile: String
    private let secrets: PluginSecrets
    let cache: ScanCache
    /// Who uses which version's files.
    public let versions = PluginVersions()
    private let clocks: Clocks
    private let onPinsBroken = Mutex<@Sendable () -> Void>({})
    /// Changes of the user's directory come one after the other.
    let changing = Mutex(())

    /// - Parameters:
    ///   - reservedFeatureIDs: what is built in; a plugin may not serve it.
    ///   - belfryVersion: what `requires.belfry` is held against.
    ///   - settings: what the configuration says, by the id of the plugin.
    ///   - configurationFile: where people write settings and secrets.
    ///   - secrets: what plugins can ask for by name.
    ///   - clocks: say how long ago the files of a large plugin were looked at.
    public init(
        places: Places,
        reservedFeatureIDs: Set<String> = [],
        belfryVersion: String = BelfryVersion.current,
        settings: [String: JSONObject] = [:],
        configurationFile: String = "~/.config/belfry/config.toml",
        secrets: PluginSecrets = PluginSecrets(),
        clocks: Clocks = Clocks()
    ) {
        self.places = places
        self.reservedFeatureIDs = reservedFeatureIDs
        self.belfryVersion = PluginVersion(belfryVersion)
        self.settings = settings
        self.configurationFile = configurationFile
        self.secrets = secrets
        self.clocks = clocks
        cache = ScanCache(path: places.user + "/.hashes")
    }

    /// What to do when a plugin was not started because its files were changed: scan again.
    public func setOnPinsBroken(_ onPinsBroken: @escaping @Sendable () -> Void) {
        self.onPinsBroken.withLock { $0 = onPinsBroken }
    }

    /// Looks at every directory anew. Blocks on the file system.
    ///
    /// What has not changed since an earlier scan, by the stamps of its files, is not read again.
    public func scan() -> PluginSnapshot {
        let roots =
            places.bundled.map { ($0, InstalledPlugin.Source.bundled) }
            + places.system.map { ($0, InstalledPlugin.Source.system) } + [(places.user, .user)]
        let snapshot = scanner(disabled: DisabledPlugins(in: places.user).ids).snapshot(of: roots)
        cache.save()
        return snapshot
    }

    /// - Parameter isTrusting: whether files are looked at that nobody has pinned yet.
    func scanner(disabled: Set<String> = [], isTrusting: Bool = false) -> PluginScan {
        var lock: PluginLock?
        var problem: PluginSnapshot.Problem?
        do { lock = try cache.lock(in: places.user) } catch {
            let error = error as? BelfryError
            problem = PluginSnapshot.Problem(error?.message ?? "plugins.lock cannot be read", fix: error?.fix)
        }
        return PluginScan(
            searchPath: places.searchPath,
            belfryVersion: belfryVersion,
            reservedFeatureIDs: reservedFeatureIDs,
            disabled: disabled,
            settings: settings,
            configurationFile: configurationFile,
            user: isTrusting ? "" : places.user,
            venvs: places.venvs,
            secrets: secrets,
            lock: lock,
            lockProblem: problem,
            cache: isTrusting ? nil : cache,
            pins: { [cache, clocks, weak self] id, directory, files in
                PinnedFiles(of: id, in: directory, files, cache: cache, clock: clocks.lease) {
                    [weak self] in self?.onPinsBroken.withLock { $0 }()
                }
            }
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
        let name = String(real.split(separator: "/").last ?? "plugin")
        guard let plugin = scanner(isTrusting: true).read(real, name, .user) else {
            throw BelfryError(
                .notFound,
                "\(real) holds no \(PluginManifest.fileName).",
                fix: "Name the directory that has the plugin's plugin.json in it."
            )
        }
        return plugin
    }

    /// Everything about the plugin `id`.
    ///
    /// - Throws: ``BelfryError`` `not_found` with the closest name.
    public func plugin(_ id: String) throws -> PluginSnapshot.Plugin {
        let present = scan()
        guard let plugin = present[id] else { throw unknown(id, present) }
        return plugin
    }

    /// Switches a plugin on or off, for this user, until it is switched back.
    ///
    /// - Parameter isConfirmed: whether somebody was shown what it runs: a download is not enabled without.
    /// - Throws: ``BelfryError`` `not_found`, `not_writable`, or `not_allowed_now` for an unconfirmed download.
    public func setEnabled(_ isEnabled: Bool, id: String, isConfirmed: Bool = false) throws {
        let plugin = try plugin(id)
        try changing.withLock { _ in
            if isEnabled, !plugin.isConfirmed {
                guard isConfirmed else {
                    throw BelfryError(
                        .notAllowedNow,
                        "The plugin '\(id)' was downloaded, and nobody has said yet that it may run.",
                        fix:
                            "See what it runs: belfry plugin show \(id). Then: belfry plugin enable --yes \(id)"
                    )
                }
                var lock = try PluginLock.read(in: places.user)
                lock[id]?.isConfirmed = true
                try lock.write(in: places.user)
            }
            try DisabledPlugins(in: places.user).set(id, isDisabled: !isEnabled)
        }
    }

    /// Removes versions and environments that nothing points to any more and that nobody uses.
    public func removeLeftovers() {
        changing.withLock { _ in
            if let lock = try? PluginLock.read(in: places.user) {
                PluginStore(directory: places.user).retireLeftovers(lock) { versions.retire($0) }
            }
            VenvMaker.retireLeftovers(in: places.venvs) { versions.retire($0) }
        }
    }

    func unknown(_ id: String, _ present: PluginSnapshot) -> BelfryError {
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
