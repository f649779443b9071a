// What a plugin gets to see of the hub's environment: what programs commonly need, and no secrets.

import BelfryCore
import Glibc

enum ExecEnvironment {
    /// Names that are passed on; a `*` stands for any ending. Docs/WritingAPlugin.md says so.
    private static let allowed = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "XDG_*",
        "DISPLAY",
        "WAYLAND_DISPLAY", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_*", "NVIDIA_*", "HIP_*", "ROCR_*", "LD_LIBRARY_PATH",
    ]

    /// The part of `environment` that every plugin gets, and the variables that one asks for.
    static func filtered(_ environment: [String: String], asked: [String] = []) -> [String: String] {
        environment.filter { name, _ in
            asked.contains(name)
                || allowed.contains { $0.hasSuffix("*") ? name.hasPrefix($0.dropLast()) : name == $0 }
        }
    }

    /// The environment of a process that serves many tasks.
    static func ofProcess(
        of plugin: InstalledPlugin,
        from environment: [String: String],
        secrets: PluginSecrets
    ) -> [String: String] {
        var variables = filtered(environment, asked: plugin.manifest.runner.passedVariables)
        variables["PYTHONUNBUFFERED"] = "1"
        variables.merge(plugin.environment) { _, own in own }
        return variables.merging(secrets.values(of: plugin.manifest.secrets)) { _, secret in secret }
    }

    /// The kernel takes at most 128 KiB in one variable; stdin has everything.
    private static let largest = 65536

    /// `BELFRY_…`: what this attempt is, and its parameters one by one; and which devices it has.
    static func ofAttempt(_ params: JSONValue, _ context: FeatureContext) -> [String: String] {
        var variables = [
            "BELFRY_TASK_ID": context.taskID.rawValue, "BELFRY_FENCE": String(context.fence),
            "BELFRY_ATTEMPT": String(context.attempt), "BELFRY_FEATURE": context.featureID,
            "BELFRY_OUTPUT_DIR": context.outputDirectory, "PYTHONUNBUFFERED": "1",
        ]
        variables.merge(named("BELFRY_PARAM_", params.object ?? [:])) { _, param in param }
        if let text = context.checkpoint?.text, text.utf8.count <= largest {
            variables["BELFRY_CHECKPOINT"] = text
        }
        return variables.merging(context.deviceEnvironment) { _, device in device }
    }

    /// `BELFRY_SETTINGS` and `BELFRY_SETTING_…`: what the user set for a plugin, as one and one by one.
    static func ofSettings(_ settings: JSONObject) -> [String: String] {
        guard !settings.isEmpty else { return [:] }
        var variables = named("BELFRY_SETTING_", settings)
        variables["BELFRY_SETTINGS"] = JSONValue.object(settings).text
        return variables
    }

    /// One variable for each member: strings as they are, anything else as JSON.
    private static func named(_ prefix: String, _ members: JSONObject) -> [String: String] {
        var variables: [String: String] = [:]
        for (key, value) in members {
            let text = value.string ?? value.text
            guard text.utf8.count <= largest, !text.utf8.contains(0) else { continue }
            variables[prefix + name(key)] = text
        }
        return variables
    }

    private static func name(_ key: String) -> String {
        String(
            key.uppercased().unicodeScalars.map { scalar -> Character in
                ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) ? Character(scalar) : "_"
            }
        )
    }
}
