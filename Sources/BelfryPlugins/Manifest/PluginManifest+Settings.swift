// What the user sets for one plugin in the configuration, `[plugins.ID]`, held against what the manifest says
// of it. A plugin that cannot work without a setting says so here, and does nothing until it is set.

import BelfryCore

extension PluginManifest {
    /// The manifest and the settings of the program, with what the user set.
    ///
    /// Of an observer, `events`, `event_features` and `start` are the hub's, in the place of what the manifest
    /// says.
    ///
    /// - Throws: ``BelfryError`` `invalid_configuration` that names the setting and the table to mend.
    /// - Parameter file: where people write them.
    func configured(by settings: JSONObject, in file: String) throws -> (
        manifest: PluginManifest, settings: JSONObject
    ) {
        var manifest = self
        var settings = settings
        let place = "[plugins.\(id)] in \(file)"
        if kind == .observer { try manifest.observation.take(from: &settings, at: place) }
        guard let source = settingsSchema else { return (manifest, settings) }
        let schema = try JSONSchema(source)
        let filled = schema.filling(.object(settings))
        guard let violation = schema.check(filled).first else {
            return (manifest, filled.object ?? settings)
        }
        let name = JSONPointer.name(violation.pointer).map { "the setting '\($0)'" } ?? "its settings"
        let missing = (source["required"]?.array?.compactMap(\.string) ?? []).filter { filled[$0] == nil }
        let own = kind == .observer ? Observation.settingNames : []
        throw Self.misconfigured(
            settings.isEmpty ? "it is not configured" : "\(name) \(violation.sentence)",
            fix: missing.isEmpty
                ? "Mend \(place); it knows \((schema.parameterNames + own).joined(separator: ", "))."
                : "Set \(missing.map { "\($0) = …" }.joined(separator: ", ")) below \(place)."
        )
    }

    /// What is to be done after a change of the configuration.
    static let hubRestart = "Then restart the hub, which reads it when it starts: belfry stop"

    fileprivate static func misconfigured(_ reason: String, fix: String) -> BelfryError {
        BelfryError(.invalidConfiguration, reason, fix: "\(fix) \(hubRestart)")
    }
}

extension PluginManifest.Observation {
    /// The hub's own settings of an observer.
    fileprivate static let settingNames = ["events", "event_features", "start"]

    /// Takes the hub's own settings of an observer out of `settings`.
    fileprivate mutating func take(from settings: inout JSONObject, at place: String) throws {
        func wrong(_ reason: String) -> BelfryError {
            PluginManifest.misconfigured("the setting \(reason)", fix: "Mend \(place).")
        }
        func texts(_ key: String) throws -> [String]? {
            guard let value = settings[key] else { return nil }
            let texts = value.array?.compactMap(\.string)
            settings[key] = nil
            guard let texts, texts.count == value.array?.count else {
                throw wrong("'\(key)' must be a list of texts")
            }
            return texts
        }
        if let patterns = try texts("events") {
            do throws(EventFilter.Unknown) { filter.kinds = try EventFilter.kinds(patterns) } catch {
                throw wrong("'events' \(error.reason)")
            }
        }
        if let patterns = try texts("event_features") { filter.features = patterns.map { Glob($0) } }
        if let value = settings["start"] {
            settings["start"] = nil
            guard let start = value.string.flatMap(Start.init(rawValue:)) else {
                throw wrong("'start' must be now or oldest")
            }
            self.start = start
        }
    }
}
