// Which features there are right now. Plugins come and go while the hub runs, so a lookup gives
// the feature of this moment, and an attempt keeps the one it began with.

public import BelfryCore
import Synchronization

/// The features that tasks can name.
public final class FeatureRegistry: Sendable {
    /// A feature that is known but cannot run, and what would mend it.
    public struct Unavailable: Sendable, Hashable {
        public var reason: String
        public var fix: String?

        public init(reason: String, fix: String? = nil) {
            self.reason = reason
            self.fix = fix
        }
    }

    private struct State {
        var own: [String: any Feature] = [:]
        var fromPlugins: [String: any Feature] = [:]
        var unavailable: [String: Unavailable] = [:]
        var plugins: [String: Unavailable] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    /// Adds a built-in or in-process feature; one with the same id is replaced.
    public func register(_ feature: any Feature) {
        state.withLock { $0.own[feature.descriptor.id] = feature }
    }

    /// Puts the plugins' features of a new scan in the place of the last scan's.
    ///
    /// - Parameters:
    ///   - unavailable: features that would be there, and why they are not.
    ///   - plugins: plugins that serve nothing, by their ids, when it may not be known which features they would
    ///     have. Defaults to none.
    public func replacePluginFeatures(
        _ features: [any Feature],
        unavailable: [String: Unavailable],
        plugins: [String: Unavailable] = [:]
    ) {
        state.withLock { state in
            state.fromPlugins = Dictionary(
                features.map { ($0.descriptor.id, $0) },
                uniquingKeysWith: { first, _ in first }
            )
            state.unavailable = unavailable
            state.plugins = plugins
        }
    }

    public subscript(id: String) -> (any Feature)? {
        state.withLock { $0.own[id] ?? $0.fromPlugins[id] }
    }

    /// Every feature that can run, by id.
    public var all: [any Feature] {
        state.withLock { state in
            state.fromPlugins.merging(state.own) { _, own in own }.values.sorted {
                $0.descriptor.id < $1.descriptor.id
            }
        }
    }

    public var unavailable: [String: Unavailable] { state.withLock { $0.unavailable } }

    /// Why the feature `id` cannot run, when it or the plugin that it is named after is known.
    public func whyUnavailable(_ id: String) -> Unavailable? {
        let plugin = String(id.prefix { $0 != "/" })
        return state.withLock { $0.unavailable[id] ?? $0.plugins[plugin] }
    }

    /// The feature, or an error that says what to do instead.
    ///
    /// - Throws: ``BelfryError`` `unknown_feature` with the closest name, or `feature_unavailable`.
    public func feature(_ id: String) throws -> any Feature {
        if let feature = self[id] { return feature }
        if let unavailable = whyUnavailable(id) {
            throw BelfryError(
                .featureUnavailable,
                "The feature '\(id)' cannot run: \(unavailable.reason)",
                fix: unavailable.fix ?? "See: belfry plugin list",
                pointer: "/featureId"
            )
        }
        let names = all.map(\.descriptor.id) + unavailable.keys
        let hint = NameSuggestion.closest(to: id, among: names).map { "; did you mean '\($0)'?" } ?? "."
        throw BelfryError(
            .unknownFeature,
            "There is no feature '\(id)'\(hint)",
            fix: "See: belfry feature list",
            pointer: "/featureId"
        )
    }
}
