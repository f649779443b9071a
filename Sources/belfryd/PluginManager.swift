// Keeps the features in step with the plugins on disk.

import BelfryCore
import BelfryPlugins
import BelfryService
import Logging

/// Scans plugins and offers their features.
final class PluginManager: Sendable {
    let registry: PluginRegistry
    private let features: FeatureRegistry
    let launcher: String
    let environment: [String: String]
    let logger: Logger
    let observerSinks = ObserverSinks()

    /// - Parameter environment: what plugins may be handed of, see ``ExecFeature``.
    init(
        registry: PluginRegistry,
        features: FeatureRegistry,
        launcher: String,
        environment: [String: String],
        logger: Logger
    ) {
        self.environment = environment
        self.registry = registry
        self.features = features
        self.launcher = launcher
        self.logger = logger
    }

    /// Looks at the plugins on disk and offers what they serve from now on.
    func scan() {
        let snapshot = registry.scan()
        var unavailable = snapshot.unavailableFeatures.mapValues {
            FeatureRegistry.Unavailable(reason: $0.reason, fix: $0.fix)
        }
        var served: [any Feature] = []
        for plugin in snapshot.ready {
            for entry in plugin.manifest.features {
                do {
                    served.append(
                        try ExecFeature(
                            plugin: plugin,
                            entry: entry,
                            launcher: launcher,
                            environment: environment
                        )
                    )
                } catch {
                    unavailable[entry.id] = FeatureRegistry.Unavailable(reason: "\(error)")
                }
            }
        }
        for plugin in snapshot.plugins {
            guard let problem = plugin.state.problem, !problem.isChoice else { continue }
            logger.warning(
                "a plugin cannot be used",
                metadata: ["plugin": "\(plugin.id)", "reason": "\(problem.reason)"]
            )
        }
        features.replacePluginFeatures(served, unavailable: unavailable)
    }

    var json: JSONValue { ["plugins": .array(registry.scan().plugins.map(standing))] }

    func add(directory: String, link: Bool) throws -> JSONValue {
        let added = try registry.add(directory: directory, link: link)
        scan()
        return added.json
    }

    func setEnabled(_ isEnabled: Bool, _ id: String) throws {
        try registry.setEnabled(isEnabled, id: id)
        scan()
    }

    func remove(_ id: String) throws {
        try registry.remove(id: id)
        scan()
    }
}
