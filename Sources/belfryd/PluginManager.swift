// Keeps the features in step with the plugins on disk.

import BelfryCore
import BelfryPlugins
import BelfryService
import Logging

/// Scans plugins and offers their features.
final class PluginManager: Sendable {
    private let registry: PluginRegistry
    private let features: FeatureRegistry
    /// What makes features of plugins, and keeps their servers.
    let runners: PluginFeatures
    private let logger: Logger

    init(registry: PluginRegistry, features: FeatureRegistry, runners: PluginFeatures, logger: Logger) {
        self.registry = registry
        self.features = features
        self.runners = runners
        self.logger = logger
    }

    /// Looks at the plugins on disk and offers what they serve from now on.
    func scan() {
        let snapshot = registry.scan()
        let offer = runners.offer(of: snapshot)
        for plugin in snapshot.plugins {
            guard let problem = plugin.state.problem else { continue }
            logger.warning(
                "a plugin cannot be used",
                metadata: ["plugin": "\(plugin.id)", "reason": "\(problem.reason)"]
            )
        }
        features.replacePluginFeatures(
            offer.features,
            unavailable: offer.unavailable.mapValues {
                FeatureRegistry.Unavailable(reason: $0.reason, fix: $0.fix)
            }
        )
    }

    var json: JSONValue { ["plugins": runners.json(of: registry.scan())] }

    /// Adds a plugin. One whose server does not tell its tools is not kept.
    func add(directory: String, link: Bool) async throws -> JSONValue {
        let added = try registry.add(directory: directory, link: link)
        scan()
        do {
            if case .ready(let plugin) = added.state { try await runners.learn(plugin) }
        } catch {
            try remove(added.id)
            throw error
        }
        scan()
        return runners.json(of: added)
    }

    func setEnabled(_ isEnabled: Bool, _ id: String) throws {
        try registry.setEnabled(isEnabled, id: id)
        if isEnabled { runners.forgive(id) }
        scan()
    }

    func remove(_ id: String) throws {
        try registry.remove(id: id)
        scan()
    }
}
