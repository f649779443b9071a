// Reads plugin.json with every mistake and every oddity collected, because an author who mends one
// mistake at a time mends for an hour.

public import BelfryCore

extension PluginManifest {
    /// What became of reading a `plugin.json`.
    public struct Inspection: Sendable {
        /// Nil when there are mistakes.
        public let manifest: PluginManifest?
        /// Each names the file, the place in it and the fix.
        public let mistakes: [BelfryError]
        /// Sentences for people.
        public let warnings: [String]
        /// What the file calls the plugin, when it says so, even beside mistakes.
        public let declaredID: String?
        /// The ids of the features that it names, likewise.
        public let declaredFeatures: [String]
    }

    /// Reads `plugin.json` in `directory` and tells every mistake in it.
    public static func inspect(directory: String) -> Inspection {
        let reader = ManifestReader(file: "\(directory)/\(fileName)")
        guard let document = reader.document(), let fields = reader.fields(document, at: "") else {
            return Inspection(
                manifest: nil,
                mistakes: reader.mistakes,
                warnings: [],
                declaredID: nil,
                declaredFeatures: []
            )
        }
        var manifest = read(fields)
        manifest?.warnings = reader.warnings
        let declaredID = document["id"]?.string.flatMap { PluginName.isPluginID($0) ? $0 : nil }
        let declaredFeatures = (document["features"]?.array ?? []).compactMap { $0["id"]?.string }
        return Inspection(
            manifest: reader.mistakes.isEmpty ? manifest : nil,
            mistakes: reader.mistakes,
            warnings: reader.warnings,
            declaredID: declaredID,
            declaredFeatures: declaredFeatures.filter { PluginName.isFeatureID($0, of: declaredID ?? "") }
        )
    }

    /// Every part is read, also after a mistake in another, so that all are told.
    private static func read(_ fields: ManifestFields) -> PluginManifest? {
        readFormat(fields)
        let id = readID(fields)
        let version = fields.string("version", isRequired: true).flatMap { readVersion($0, fields) }
        let kind = fields.choice("kind", Kind.self) ?? .feature
        let runner = fields.object("runner", isRequired: true).flatMap(readRunner)
        let features = readFeatures(fields, pluginID: id ?? "")
        checkKind(kind, runner, features, fields)
        let name = fields.string("name")
        let rest = (
            summary: fields.string("summary") ?? "", requires: readRequirements(fields),
            limits: readLimits(fields, runner?.wire),
            restart: readRestart(fields), venv: readSetup(fields),
            observation: readObservation(fields, kind), settings: fields.schema("settings"),
            secrets: readNames(fields, "secrets", "a secret's")
        )
        fields.noteUnknown(besides: ["$schema", "homepage", "author", "license"])
        guard let id, let version, let runner else { return nil }
        var manifest = PluginManifest(
            id: id,
            version: version,
            kind: kind,
            runner: runner,
            features: features
        )
        manifest.name = name ?? id
        manifest.summary = rest.summary
        manifest.requires = rest.requires
        manifest.limits = rest.limits
        manifest.restart = rest.restart
        manifest.observation = rest.observation
        manifest.settingsSchema = rest.settings?.source
        manifest.venv = rest.venv
        manifest.secrets = rest.secrets
        return manifest
    }

    private static func readFormat(_ fields: ManifestFields) {
        guard let version = fields.int("manifest_version", in: 1...Int.max, isRequired: true) else { return }
        guard Int64(version) != formatVersion else { return }
        fields.mistake(
            "manifest_version",
            "is \(version); this program reads \(formatVersion)",
            fix: "Update Belfry, or write \"manifest_version\": \(formatVersion)."
        )
    }

    private static func readID(_ fields: ManifestFields) -> String? {
        guard let id = fields.string("id", isRequired: true) else { return nil }
        if PluginName.isPluginID(id) { return id }
        fields.mistake(
            "id",
            "is not a plugin's id: \(JSONValue.string(id).excerpt)",
            fix:
                "Lower-case letters, digits, '-', '_' and '.', starting with a letter or digit; at most 64 characters."
        )
        return nil
    }

    private static func readVersion(_ text: String, _ fields: ManifestFields) -> PluginVersion? {
        if let version = PluginVersion(text) { return version }
        fields.mistake(
            "version",
            "is not a version: \(JSONValue.string(text).excerpt)",
            fix: "Write it like \"1.0.0\"."
        )
        return nil
    }

    private static func readRunner(_ fields: ManifestFields) -> Runner? {
        let wire = fields.choice("protocol", Runner.Wire.self, isRequired: true)
        let command = fields.string("command", isRequired: true)
        if command == "" { fields.mistake("command", "is empty", fix: "Write the program to start.") }
        let arguments = fields.strings("args")
        let environment = readEnvironment(fields)
        let passed = readNames(fields, "pass_env", "a variable's")
        let directory = readWorkingDirectory(fields)
        let idleStop = fields.seconds("idle_stop_s", in: 0...604_800)
        let stopsWhenCancelled = fields.bool("stops_when_cancelled")
        fields.checkTemplate("command", command ?? "")
        for (offset, argument) in arguments.enumerated() { fields.checkTemplate("args/\(offset)", argument) }
        fields.noteUnknown()
        guard let wire, let command else { return nil }
        var runner = Runner(
            wire: wire,
            command: command,
            arguments: arguments,
            environment: environment,
            passedVariables: passed
        )
        runner.workingDirectory = directory
        if let idleStop { runner.idleStop = idleStop == .zero ? nil : idleStop }
        runner.stopsWhenCancelled = stopsWhenCancelled ?? false
        return runner
    }

    private static func readWorkingDirectory(_ fields: ManifestFields) -> String? {
        guard let path = fields.string("cwd") else { return nil }
        fields.checkTemplate("cwd", path)
        if !path.hasPrefix("/"), !path.hasPrefix(PluginTemplate.directory) {
            fields.mistake(
                "cwd",
                "must be an absolute path",
                fix: "Start it with '/' or with ${plugin_dir}."
            )
        }
        return path
    }

    /// Names that become variables of the process.
    private static func readNames(_ fields: ManifestFields, _ key: String, _ whose: String) -> [String] {
        let names = fields.strings(key)
        for (offset, name) in names.enumerated() {
            if name.isEmpty || name.contains("=") || name.utf8.contains(0) {
                fields.mistake(
                    "\(key)/\(offset)",
                    "is not \(whose) name",
                    fix: "Write letters, digits and '_'."
                )
            } else if key == "secrets", name.hasPrefix("BELFRY_") {
                fields.mistake(
                    "\(key)/\(offset)",
                    "is reserved",
                    fix: "Choose a name that does not start with BELFRY_."
                )
            }
        }
        return names
    }

    private static func readEnvironment(_ fields: ManifestFields) -> [String: String] {
        guard let members = fields.object("env") else { return [:] }
        var environment: [String: String] = [:]
        for name in members.object.keys {
            environment[name] = members.string(name)
            members.checkTemplate(name, environment[name] ?? "")
            if name.isEmpty || name.contains("=") || name.utf8.contains(0) {
                members.mistake(name, "is not a variable's name", fix: "Write letters, digits and '_'.")
            } else if name.hasPrefix("BELFRY_") {
                members.mistake(name, "is reserved", fix: "Choose a name that does not start with BELFRY_.")
            }
        }
        return environment
    }

    private static func checkKind(
        _ kind: Kind,
        _ runner: Runner?,
        _ features: [FeatureEntry],
        _ fields: ManifestFields
    ) {
        guard let wire = runner?.wire else { return }
        if kind == .observer, wire != .observer {
            fields.mistake(
                "runner/protocol",
                "does not fit the kind 'observer'",
                fix: "Write \"protocol\": \"observer/1\"."
            )
        }
        if kind == .feature, wire == .observer {
            fields.mistake(
                "kind",
                "does not fit the protocol 'observer/1'",
                fix: "Write \"kind\": \"observer\"."
            )
        }
        if kind == .observer, !features.isEmpty {
            fields.mistake("features", "must be absent: an observer has none", fix: "Leave it out.")
        }
        if kind == .feature, wire == .exec, features.isEmpty,
            fields.object["features"]?.array?.isEmpty ?? true
        {
            fields.mistake(
                "features",
                "must name at least one feature",
                fix: "Add {\"id\": …, \"title\": …, \"params\": {…}}."
            )
        }
    }

    private static func readRequirements(_ fields: ManifestFields) -> Requirements {
        var requires = Requirements()
        guard let members = fields.object("requires") else { return requires }
        if let text = members.string("belfry") {
            requires.belfry = VersionRange(text)
            if requires.belfry == nil {
                members.mistake(
                    "belfry",
                    "is not a range of versions: \(JSONValue.string(text).excerpt)",
                    fix: "Write it like \">=1.0\" or \">=1.0 <2\"."
                )
            }
        }
        requires.executables = members.strings("executables")
        for (offset, name) in requires.executables.enumerated() where name.isEmpty || name.contains("/") {
            members.mistake(
                "executables/\(offset)",
                "is not a program's name",
                fix: "Write the name without a path."
            )
        }
        requires.pythonModules = members.strings("python_modules")
        for (offset, name) in requires.pythonModules.enumerated()
        where name.isEmpty || name.contains("/") || name.contains(".") {
            members.mistake(
                "python_modules/\(offset)",
                "is not a module's name",
                fix: "Write the first part of what is imported, such as \"PIL\"."
            )
        }
        requires.architectures = members.strings("architectures")
        members.noteUnknown()
        return requires
    }

    private static func readLimits(_ fields: ManifestFields, _ wire: Runner.Wire?) -> Limits {
        var limits = Limits()
        if wire == .mcp { limits.maxLineBytes = 16 << 20 }
        limits.cancelGrace = fields.seconds("cancel_grace_s", in: 0...3600) ?? limits.cancelGrace
        guard let members = fields.object("limits") else { return limits }
        limits.concurrency = members.int("concurrency", in: 1...1000)
        limits.memoryMB = members.int("memory_mb", in: 1...1 << 30)
        limits.addressSpaceMB = members.int("address_space_mb", in: 1...1 << 30)
        limits.maxLineBytes = members.int("max_line_bytes", in: 1024...1 << 26) ?? limits.maxLineBytes
        members.noteUnknown()
        return limits
    }

    private static func readRestart(_ fields: ManifestFields) -> Restart {
        var restart = Restart()
        guard let members = fields.object("restart") else { return restart }
        restart.max = members.int("max", in: 0...1000) ?? restart.max
        restart.window = members.seconds("window_s", in: 1...86_400) ?? restart.window
        members.noteUnknown()
        return restart
    }

    private static func readSetup(_ fields: ManifestFields) -> VenvSetup? {
        guard let members = fields.object("setup") else { return nil }
        let path = members.string("venv")
        let skipsDependencies = members.bool("no_deps")
        let isOptional = members.bool("optional")
        members.noteUnknown()
        guard let path else { return nil }
        if path.isEmpty || path.hasPrefix("/") || path.split(separator: "/").contains("..") {
            members.mistake(
                "venv",
                "must be a file inside of the plugin",
                fix: "Write it like \"requirements.txt\"."
            )
        }
        var setup = VenvSetup(requirements: path)
        setup.skipsDependencies = skipsDependencies ?? false
        setup.isOptional = isOptional ?? false
        return setup
    }
}
