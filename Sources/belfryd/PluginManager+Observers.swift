// Observer plugins as sinks, and how they stand.

import BelfryCore
import BelfryPlugins
import BelfryService
import Logging
import ServiceLifecycle
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

    /// Has a process of an observer's own hear of a task that never was, beside the one that hears the log.
    ///
    /// - Returns: what it said: `{"plugin":…,"event":…,"outcome":"delivered|rejected|retry|failed","reason":…}`; nil
    ///   when there is no such observer.
    /// - Throws: ``BelfryError`` `feature_unavailable` when it cannot run.
    func tryObserver(_ id: String) async throws -> JSONValue? {
        guard let plugin = registry.scan()[id], plugin.manifest?.kind == .observer else { return nil }
        guard case .ready(let installed) = plugin.state else {
            let problem = plugin.state.problem
            throw BelfryError(
                .featureUnavailable,
                "The observer '\(id)' does not run: \(problem?.reason ?? "it is \(plugin.state.name)").",
                fix: problem?.fix ?? "Switch it on: belfry plugin enable \(id)"
            )
        }
        let hold = registry.versions.hold(installed)
        defer { withExtendedLifetime(hold) {} }
        let trial = ObserverTrial(
            installed,
            launcher: launcher,
            environment: environment,
            secrets: secrets,
            onError: { [journal] in journal.note(.said($0), of: id) }
        )
        // A shutdown waits for no observer that says nothing.
        guard let tried = await cancelWhenGracefulShutdown({ await trial.tryOne() }) else {
            throw BelfryError(
                .notAllowedNow,
                "The observer '\(id)' hears no events.",
                fix: "Let it hear some: events = [\"completed\"] below [plugins.\(id)] in the configuration."
            )
        }
        var object: JSONObject = ["plugin": .string(id), "event": .string(tried.kind.rawValue)]
        let (outcome, reason) = Self.words(tried.answer)
        object["outcome"] = .string(outcome)
        object.set("reason", reason.map { .string($0) })
        return .object(object)
    }

    private static func words(_ answer: ObserverTrial.Answer) -> (outcome: String, reason: String?) {
        switch answer {
        case .ack: ("delivered", nil)
        case .reject(let reason): ("rejected", reason)
        case .retry(let reason): ("retry", reason)
        case .none(let reason): ("failed", reason)
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
