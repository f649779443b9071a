// Keeps the features in step with the plugins on disk. What the registry finds is served from then on; what was
// served before goes on for the attempts that began with it, and is let go by the last of them.

import BelfryCore
import BelfryPlugins
import BelfryService
import Logging
import Synchronization

/// Scans plugins and offers their features.
final class PluginManager: Sendable {
    let registry: PluginRegistry
    let launcher: String
    let environment: [String: String]
    let secrets: PluginSecrets
    let logger: Logger
    /// The logs of plugins that stay.
    let journal: PluginJournal
    let observerSinks = ObserverSinks()
    /// What makes features of plugins, and keeps their servers.
    let runners: PluginFeatures
    private let features: FeatureRegistry
    /// Says when files of linked plugins change.
    let watch = LinkedPluginWatch()
    /// Scans come one after the other.
    private let scanning = Mutex(())
    /// What was complained of, so that it is told once.
    private let told = Mutex<[String: String]>([:])

    /// - Parameters:
    ///   - environment: what plugins may be handed of, see ``ExecFeature``.
    ///   - secrets: what they may ask for by name.
    init(
        registry: PluginRegistry,
        features: FeatureRegistry,
        launcher: String,
        environment: [String: String],
        secrets: PluginSecrets,
        runners: PluginFeatures,
        journal: PluginJournal,
        logger: Logger
    ) {
        self.runners = runners
        self.journal = journal
        self.environment = environment
        self.secrets = secrets
        self.registry = registry
        self.features = features
        self.launcher = launcher
        self.logger = logger
    }

    /// Looks at the plugins on disk and offers what they serve from now on.
    @discardableResult
    func scan() -> PluginSnapshot {
        let snapshot = scanning.withLock { _ in
            let snapshot = registry.scan()
            let offer = runners.offer(of: snapshot)
            features.replacePluginFeatures(
                offer.features,
                unavailable: offer.unavailable.mapValues(\.unavailable),
                plugins: offer.unavailablePlugins.mapValues(\.unavailable)
            )
            return snapshot
        }
        registry.removeLeftovers()
        watch.watch(snapshot.plugins.filter { $0.isLinked && $0.state != .disabled }.map(\.directory))
        tell(snapshot)
        return snapshot
    }

    private func tell(_ snapshot: PluginSnapshot) {
        let reasons = snapshot.plugins.compactMap { plugin in
            plugin.state.problem.flatMap { $0.isChoice ? nil : $0 }.map {
                ("\(plugin.id) \(plugin.directory)", plugin.id, $0.reason)
            }
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

    /// What is told is also what is served from now on: a mend counts as soon as somebody looks.
    var json: JSONValue { ["plugins": .array(scan().plugins.map { shown($0, $0.json) })] }

    func details(of id: String) throws -> JSONValue {
        scan()
        let plugin = try registry.plugin(id)
        return shown(plugin, plugin.details())
    }

    /// A plugin's JSON, with how its process stands.
    private func shown(_ plugin: PluginSnapshot.Plugin, _ json: JSONValue) -> JSONValue {
        standing(plugin, runners.json(of: plugin, json))
    }

    /// What the plugin in `directory` is, and the digest to add it by.
    func inspect(_ directory: String) throws -> JSONValue {
        let plugin = try registry.inspect(directory: directory)
        var details = plugin.details(tellsValues: true).object ?? [:]
        if case .invalid = plugin.state { return .object(details) }
        details["digest"] = .string(try registry.digest(of: plugin.directory))
        return .object(details)
    }

    /// Adds a plugin. One whose server does not tell its tools is not kept.
    func add(_ addition: PluginRegistry.Addition) async throws -> JSONValue {
        let added = try registry.add(addition)
        do {
            // Before anybody else asks the server the same.
            if case .ready(let plugin) = added.state { try await runners.learn(plugin) }
        } catch {
            try remove(added.id)
            throw error
        }
        scan()
        return shown(added, added.details())
    }

    func compare(_ id: String, with directory: String) throws -> JSONValue {
        try registry.compare(id: id, directory: directory)
    }

    /// Takes another version. Its server is asked for its tools while the old one still takes tasks.
    func update(_ id: String, _ addition: PluginRegistry.Addition) async throws -> JSONValue {
        let updated = try registry.update(id: id, addition)
        defer { scan() }
        do { if case .ready(let plugin) = updated.state { try await runners.learn(plugin) } } catch var error
            as BelfryError
        {
            error.message = "The plugin '\(id)' is updated, and cannot be used: \(error.message)"
            throw error
        }
        return updated.details()
    }

    func setEnabled(_ isEnabled: Bool, _ id: String, isConfirmed: Bool) async throws {
        try registry.setEnabled(isEnabled, id: id, isConfirmed: isConfirmed)
        if isEnabled {
            runners.forgive(id)
            if case .ready(let plugin) = try registry.plugin(id).state { await runners.learnIfNew(plugin) }
        }
        scan()
    }

    /// Looks at the plugins on disk, and asks those servers for their tools that are new, all at once: so that what
    /// they serve is served from now on. One that is being asked already is served when it has answered.
    func scanFully() async {
        await withDiscardingTaskGroup { group in
            for plugin in registry.scan().ready { group.addTask { await self.runners.learnIfNew(plugin) } }
        }
        scan()
    }

    func remove(_ id: String) throws {
        try registry.remove(id: id)
        scan()
    }
}

extension PluginSnapshot.Problem {
    fileprivate var unavailable: FeatureRegistry.Unavailable {
        FeatureRegistry.Unavailable(reason: reason, fix: fix)
    }
}
