// What a plugin may do once it is there, for the question before it is added: everything in its manifest that
// reaches beyond its own directory.

import BelfryCore

struct PluginDemands {
    let manifest: PluginManifest
    /// Whether the values of its variables are told: an added server's may be keys.
    let tellsValues: Bool

    init(_ manifest: PluginManifest, tellsValues: Bool = true) {
        self.manifest = manifest
        self.tellsValues = tellsValues
    }

    var json: JSONValue {
        let runner = manifest.runner
        var object: JSONObject = [
            "command": .array(([runner.command] + runner.arguments).map { .string($0) }),
            "features": .array(manifest.features.map { .string($0.id) }),
        ]
        if !runner.environment.isEmpty {
            var variables = JSONObject()
            for (name, value) in runner.environment.sorted(by: { $0.key < $1.key }) {
                variables[name] = .string(tellsValues ? value : "…")
            }
            object["env"] = .object(variables)
        }
        set("passEnv", runner.passedVariables)
        set("secrets", manifest.secrets)
        set("executables", manifest.requires.executables)
        set("pythonModules", manifest.requires.pythonModules)
        if let venv = manifest.venv {
            object["venv"] = [
                "requirements": .string(venv.requirements), "noDeps": .bool(venv.skipsDependencies),
                "optional": .bool(venv.isOptional),
            ]
        }
        return .object(object)

        func set(_ key: String, _ names: [String]) {
            if !names.isEmpty { object[key] = .array(names.map { .string($0) }) }
        }
    }
}
