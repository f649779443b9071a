// Keeps the features in step with the plugins on disk. What the registry finds is served from then on; what was
// served before goes on for the attempts that began with it, and is let go by the last of them.

import BelfryCore
import BelfryPlugins
import BelfryService
import Logging
import ServiceLifecycle
import Synchronization

/// Scans plugins and offers their features.
final class PluginManager: Service {
    let registry: PluginRegistry
    let launcher: String
    let environment: [String: String]
    let secrets: PluginSecrets
    let logger: Logger
    let observerSinks = ObserverSinks()
    private let features: FeatureRegistry
    private let watch = LinkedPluginWatch()
    private let onReload = Mutex<(@Sendable () async -> Void)?>(nil)
    /// What is served, by plugin. Scans come one after the other.
    private let served = Mutex<[String: Served]>([:])
    /// What was complained of, so that it is told once.
    private let told = Mutex<[String: String]>([:])

    /// One version of a plugin and its features.
    private struct Served {
        let plugin: InstalledPlugin
        let features: [any Feature]
    }

    /// - Parameters:
    ///   - environment: what plugins may be handed of, see ``ExecFeature``.
    ///   - secrets: what they may ask for by name.
    init(
        registry: PluginRegistry,
        features: FeatureRegistry,
        launcher: String,
        environment: [String: String],
        secrets: PluginSecrets,
        logger: Logger
    ) {
        self.environment = environment
        self.secrets = secrets
        self.registry = registry
        self.features = features
        self.launcher = launcher
        self.logger = logger
    }

    /// Reloads linked plugins when their files change, until shutdown.
    func run() async {
        await cancelWhenGracefulShutdown {
            for await _ in self.watch.changes {
                self.logger.debug("a linked plugin has changed")
                self.scan()
                await self.onReload.withLock { $0 }?()
            }
        }
    }

    /// What else is to follow when a linked plugin has changed. Set once, before it runs.
    func setReload(_ follow: @escaping @Sendable () async -> Void) { onReload.withLock { $0 = follow } }

    /// Looks at the plugins on disk and offers what they serve from now on.
    func scan() {
        let snapshot = served.withLock { served in
            let snapshot = registry.scan()
            serve(snapshot, &served)
            return snapshot
        }
        registry.removeLeftovers()
        watch.watch(snapshot.plugins.filter { $0.isLinked && $0.state != .disabled }.map(\.directory))
        tell(snapshot)
    }

    /// A plugin that is as it was keeps its features; one that is not gets new ones, and the old drain.
    private func serve(_ snapshot: PluginSnapshot, _ served: inout [String: Served]) {
        var unavailable = snapshot.unavailableFeatures.mapValues {
            FeatureRegistry.Unavailable(reason: $0.reason, fix: $0.fix)
        }
        var next: [String: Served] = [:]
        for plugin in snapshot.ready {
            if let known = served[plugin.manifest.id], known.plugin == plugin {
                next[plugin.manifest.id] = known
                continue
            }
            do {
                next[plugin.manifest.id] = Served(plugin: plugin, features: try makeFeatures(of: plugin))
            } catch {
                for entry in plugin.manifest.features {
                    unavailable[entry.id] = FeatureRegistry.Unavailable(reason: "\(error)")
                }
            }
        }
        served = next
        features.replacePluginFeatures(next.values.flatMap(\.features), unavailable: unavailable)
    }

    private func makeFeatures(of plugin: InstalledPlugin) throws -> [any Feature] {
        let hold = registry.versions.hold(plugin)
        return try plugin.manifest.features.map { entry in
            try ExecFeature(
                plugin: plugin,
                entry: entry,
                launcher: launcher,
                environment: environment,
                secrets: secrets,
                hold: hold
            )
        }
    }

    private func tell(_ snapshot: PluginSnapshot) {
        let reasons = snapshot.plugins.compactMap { plugin in
            plugin.state.problem.flatMap { $0.isChoice ? nil : $0 }.map { ("\(plugin.id) \(plugin.directory)", plugin.id, $0.reason) }
        }
        let known = told.withLock { told in
            defer { told = Dictionary(reasons.map { ($0.0, $0.2) }, uniquingKeysWith: { first, _ in first }) }
            return told
        }
        for (place, id, reason) in reasons where known[place] != reason {
            logger.warning("a plugin cannot be used", metadata: ["plugin": "\(id)", "reason": "\(reason)"])
        }
    }

    // MARK: What people do with plugins

    var json: JSONValue { ["plugins": .array(registry.scan().plugins.map { standing($0, $0.json) })] }

    func details(of id: String) throws -> JSONValue {
        let plugin = try registry.plugin(id)
        return standing(plugin, plugin.details)
    }

    /// What the plugin in `directory` is, and the digest to add it by.
    func inspect(_ directory: String) throws -> JSONValue {
        let plugin = try registry.inspect(directory: directory)
        var details = plugin.details.object ?? [:]
        if case .invalid = plugin.state { return .object(details) }
        details["digest"] = .string(try registry.digest(of: plugin.directory))
        return .object(details)
    }

    func add(_ addition: PluginRegistry.Addition) throws -> JSONValue {
        let added = try registry.add(addition)
        scan()
        return added.details
    }

    func compare(_ id: String, with directory: String) throws -> JSONValue {
        try registry.compare(id: id, directory: directory)
    }

    func update(_ id: String, _ addition: PluginRegistry.Addition) throws -> JSONValue {
        let updated = try registry.update(id: id, addition)
        scan()
        return updated.details
    }

    func setEnabled(_ isEnabled: Bool, _ id: String, isConfirmed: Bool) throws {
        try registry.setEnabled(isEnabled, id: id, isConfirmed: isConfirmed)
        scan()
    }

    func remove(_ id: String) throws {
        try registry.remove(id: id)
        scan()
    }
}
