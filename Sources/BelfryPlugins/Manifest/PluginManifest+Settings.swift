// What the user sets for one plugin in the configuration, `[plugins.ID]`, held against what the manifest says
// of it. A plugin that cannot work without a setting says so here, and does nothing until it is set.

import BelfryCore

extension PluginManifest {
    static func readSettings(_ fields: ManifestFields) -> JSONValue? {
        guard let source = fields.value("settings") else { return nil }
        do {
            let schema = try JSONSchema(source)
            if source["type"]?.string != "object" {
                fields.mistake(
                    "settings/type",
                    "must be \"object\": settings have names",
                    fix: "Write \"type\": \"object\"."
                )
            }
            for warning in schema.warnings {
                fields.reader.warnings.append("\(fields.reader.file): /settings\(warning)")
            }
            return source
        } catch let error as BelfryError {
            fields.mistake("settings" + (error.pointer ?? ""), error.message, fix: error.fix ?? "")
        } catch {
            fields.mistake("settings", "\(error)", fix: "Write a JSON Schema.")
        }
        return nil
    }

    /// The manifest and the settings of the program, with what the user set.
    ///
    /// Of an observer, `events`, `event_features` and `start` are the hub's, in the place of what the manifest
    /// says.
    ///
    /// - Throws: ``BelfryError`` `invalid_configuration` that names the setting and the table to mend.
    func configured(by settings: JSONObject) throws -> (manifest: PluginManifest, settings: JSONObject) {
        var manifest = self
        var settings = settings
        if kind == .observer { try manifest.observation.take(from: &settings, of: id) }
        guard let source = settingsSchema else { return (manifest, settings) }
        let schema = try JSONSchema(source)
        let filled = schema.filling(.object(settings))
        if let violation = schema.check(filled).first {
            let name = JSONPointer.name(violation.pointer).map { "the setting '\($0)'" } ?? "its settings"
            throw Self.misconfigured(
                id,
                settings.isEmpty ? "it is not configured" : "\(name) \(violation.sentence)",
                names: source["required"]?.array?.compactMap(\.string) ?? []
            )
        }
        return (manifest, filled.object ?? settings)
    }

    fileprivate static func misconfigured(_ id: String, _ reason: String, names: [String]) -> BelfryError {
        let examples = names.map { "\($0) = …" }.joined(separator: ", ")
        let what = examples.isEmpty ? "Mend" : "Set \(examples) below"
        return BelfryError(
            .invalidConfiguration,
            reason,
            fix: "\(what) [plugins.\(id)] in ~/.config/belfry/config.toml, then restart the hub: belfry stop"
        )
    }
}

extension PluginManifest.Observation {
    /// Takes the hub's own settings of an observer out of `settings`.
    fileprivate mutating func take(from settings: inout JSONObject, of id: String) throws {
        func texts(_ key: String) throws -> [String]? {
            guard let value = settings[key] else { return nil }
            let texts = value.array?.compactMap(\.string)
            settings[key] = nil
            guard let texts, texts.count == value.array?.count else {
                throw PluginManifest.misconfigured(
                    id,
                    "the setting '\(key)' must be a list of texts",
                    names: []
                )
            }
            return texts
        }
        if let patterns = try texts("events") {
            do throws(EventFilter.Unknown) { filter.kinds = try EventFilter.kinds(patterns) } catch {
                throw PluginManifest.misconfigured(id, "the setting 'events' \(error.reason)", names: [])
            }
        }
        if let patterns = try texts("event_features") { filter.features = patterns.map { Glob($0) } }
        if let value = settings["start"] {
            settings["start"] = nil
            guard let start = value.string.flatMap(Start.init(rawValue:)) else {
                throw PluginManifest.misconfigured(id, "the setting 'start' must be now or oldest", names: [])
            }
            self.start = start
        }
    }
}
