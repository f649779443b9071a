// Observer plugins as sinks, and how they stand.

import BelfryCore
import BelfryPlugins
import BelfryService
import Logging
import Synchronization

/// The sinks that observer plugins are, as far as they were made.
final class ObserverSinks: Sendable {
    private let made = Mutex<[String: ObserverPluginSink]>([:])

    /// What an observer is made of: a change of any of it is another observer.
    private struct Key: Hashable, Sendable {
        var plugin: InstalledPlugin
        var environment: [String: String]
    }

    func plan(
        _ plugin: InstalledPlugin,
        from manager: PluginManager,
        clocks: Clocks
    ) -> SinkSet.Plan {
        let (environment, journal) = (manager.environment, manager.journal)
        let id = plugin.manifest.id
        let asked = Set(plugin.manifest.runner.passedVariables)
        let key = Key(plugin: plugin, environment: environment.filter { asked.contains($0.key) })
        return SinkSet.Plan(name: id, key: key) { [self] in
            let sink = ObserverPluginSink(
                plugin: plugin,
                launcher: manager.launcher,
                environment: environment,
                secrets: manager.secrets,
                hold: manager.registry.versions.hold(plugin),
                clocks: clocks,
                onNote: { journal.note($0, of: id) }
            )
            made.withLock { $0[id] = sink }
            return sink
        }
    }

    /// What there is to say of the plugin beside what is on disk.
    func standing(of id: String) -> (state: String, reason: String?, fix: String?)? {
        guard let sink = made.withLock({ $0[id] }) else { return nil }
        return switch sink.condition {
        case .idle, .stopped: nil
        case .starting: ("starting", nil, nil)
        case .ready: ("ready", nil, nil)
        case .busy: ("busy", nil, nil)
        case .backoff(let reason): ("backoff", reason, nil)
        case .quarantined(let reason): ("quarantined", reason, "belfry plugin enable \(id)")
        }
    }
}

extension PluginManager {
    /// The observers that are to hear events, as the disk says now.
    func observers(_ clocks: Clocks) -> [SinkSet.Plan] {
        registry.scan().ready.filter { $0.manifest.kind == .observer }.map {
            observerSinks.plan($0, from: self, clocks: clocks)
        }
    }

    func isObserver(_ id: String) -> Bool { registry.scan()[id]?.manifest?.kind == .observer }

    /// A plugin's JSON, with how the process of an observer stands.
    func standing(_ plugin: PluginSnapshot.Plugin, _ json: JSONValue) -> JSONValue {
        guard case .ready = plugin.state, plugin.manifest?.kind == .observer,
            let standing = observerSinks.standing(of: plugin.id), var object = json.object
        else { return json }
        object["state"] = .string(standing.state)
        object.set("reason", standing.reason.map { .string($0) })
        object.set("fix", standing.fix.map { .string($0) })
        return .object(object)
    }
}
