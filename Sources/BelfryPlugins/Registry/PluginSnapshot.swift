// What a scan found: every plugin with its state, broken ones too, because a plugin that vanishes
// from the list is the hardest to mend.

public import BelfryCore

/// The plugins that were there at one moment.
public struct PluginSnapshot: Sendable {
    /// Why a plugin does not serve, and the next step.
    public struct Problem: Sendable, Hashable {
        /// A sentence for people.
        public var reason: String
        public var fix: String?
        /// Whether it only waits to be configured, which is no fault.
        public var isChoice: Bool

        public init(_ reason: String, fix: String? = nil, isChoice: Bool = false) {
            self.reason = reason
            self.fix = fix
            self.isChoice = isChoice
        }
    }

    public enum State: Sendable, Hashable {
        /// Can be started.
        case ready(InstalledPlugin)
        /// Sound, but something that it needs is not there.
        case unavailable(Problem)
        /// Broken, or in conflict with another.
        case invalid(Problem)
        /// Switched off by the user.
        case disabled

        /// As it is shown: `ready`, `unavailable`, `invalid`, `disabled`.
        public var name: String {
            switch self {
            case .ready: "ready"
            case .unavailable: "unavailable"
            case .invalid: "invalid"
            case .disabled: "disabled"
            }
        }

        public var problem: Problem? {
            switch self {
            case .unavailable(let problem), .invalid(let problem): problem
            case .ready, .disabled: nil
            }
        }
    }

    /// One plugin's directory.
    public struct Plugin: Sendable, Hashable {
        /// What its manifest says; the directory's name when that cannot be read.
        public var id: String
        /// Nil when the manifest is invalid.
        public var manifest: PluginManifest?
        /// Absolute, without links.
        public var directory: String
        public var source: InstalledPlugin.Source
        /// Whether it is a link to a directory elsewhere.
        public var isLinked: Bool
        public var state: State
        /// Oddities: sentences for people.
        public var warnings: [String]
        /// Everything that keeps it from running; the state has the first.
        public var problems: [Problem] = []
        /// The features that its manifest names, also when that has mistakes.
        var declaredFeatures: [String] = []
        /// Where its files came from, when they were copied.
        public var origin: PluginOrigin?
        /// Whether somebody was shown what it runs and said yes; false for a download until it is enabled.
        public var isConfirmed = true

        init(
            id: String,
            manifest: PluginManifest? = nil,
            directory: String,
            source: InstalledPlugin.Source,
            isLinked: Bool,
            state: State,
            warnings: [String]
        ) {
            self.id = id
            self.manifest = manifest
            self.directory = directory
            self.source = source
            self.isLinked = isLinked
            self.state = state
            self.warnings = warnings
        }

        /// Why none of its features can be had; nil when they can.
        var obstacle: Problem? {
            guard state != .disabled else {
                return Problem("its plugin '\(id)' is disabled", fix: "belfry plugin enable \(id)")
            }
            guard var problem = state.problem, manifest == nil else { return state.problem }
            let what = problems.isEmpty ? "used" : "read"
            problem.reason = "its plugin '\(id)' cannot be \(what): \(problem.reason)"
            return problem
        }

        /// For the API.
        public var json: JSONValue {
            var object: JSONObject = ["id": .string(id)]
            object.set("version", manifest.map { .string($0.version.description) })
            object.set("name", .string(manifest?.name ?? id))
            object.set("summary", manifest.map { .string($0.summary) })
            object.set("kind", manifest.map { .string($0.kind.rawValue) })
            object.set("protocol", manifest.map { .string($0.runner.wire.rawValue) })
            object.set("state", .string(state.name))
            object.set("reason", state.problem.map { .string($0.reason) })
            object.set("fix", state.problem?.fix.map { .string($0) })
            if state.problem?.isChoice == true { object.set("configured", false) }
            object.set("directory", .string(directory))
            object.set("source", .string(source.rawValue))
            object.set("linked", .bool(isLinked))
            object.set("from", origin?.json)
            if !isConfirmed { object["confirmed"] = false }
            object.set("features", .array((manifest?.features ?? []).map { .string($0.id) }))
            object.set("warnings", .array(warnings.map { .string($0) }))
            return .object(object)
        }

        /// Everything about it, for the API.
        ///
        /// - Parameter tellsValues: of the variables that it sets, which may be somebody's keys.
        public func details(tellsValues: Bool = false) -> JSONValue {
            var object = json.object ?? [:]
            guard let manifest else { return .object(object) }
            object["asks"] = PluginDemands(manifest, tellsValues: tellsValues).json
            if case .ready(let installed) = state {
                object["executable"] = .string(installed.executable)
                object.set("venv", installed.venv.map { .string($0) })
            }
            object["serves"] = .array(
                manifest.features.map { ["id": .string($0.id), "title": .string($0.title)] }
            )
            return .object(object)
        }
    }

    /// By id; of one id the active plugin first.
    public let plugins: [Plugin]

    /// The plugins that can be started.
    public var ready: [InstalledPlugin] {
        plugins.compactMap { plugin in
            if case .ready(let installed) = plugin.state { return installed }
            return nil
        }
    }

    /// The features that would be there if nothing was wrong, with what is.
    public var unavailableFeatures: [String: Problem] {
        var found: [String: Problem] = [:]
        let served = Set(ready.flatMap { $0.manifest.features.map(\.id) })
        for plugin in plugins {
            guard let problem = plugin.obstacle else { continue }
            let features = plugin.manifest?.features.map(\.id) ?? plugin.declaredFeatures
            for id in features where !served.contains(id) { found[id] = found[id] ?? problem }
        }
        return found
    }

    /// The plugins that do not serve, by their ids: which features they would have, nobody may know.
    public var unavailablePlugins: [String: Problem] {
        Dictionary(plugins.map { ($0.id, $0) }) { active, _ in active }.compactMapValues(\.obstacle)
    }

    /// The active plugin called `id`.
    public subscript(id: String) -> Plugin? { plugins.first { $0.id == id } }

    /// For the API.
    public var json: JSONValue { .array(plugins.map(\.json)) }
}
