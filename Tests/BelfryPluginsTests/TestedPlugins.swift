// Plugins in a directory of a test's own: the registry over them, and what came of trying one.

import BelfryCore

@testable import BelfryPlugins

extension TestDirectory {
    /// Where the registry keeps the user's plugins.
    var userPlugins: String { path + "/data/plugins" }

    /// A registry whose bundled plugins lie in `bundled`.
    func registry(secrets: PluginSecrets = PluginSecrets()) -> PluginRegistry {
        let places = PluginRegistry.Places(
            bundled: [path + "/bundled"],
            system: [],
            user: userPlugins,
            searchPath: "/usr/local/bin:/usr/bin:/bin"
        )
        return PluginRegistry(places: places, secrets: secrets)
    }

    /// The plugin in `name`, ready to be started.
    func plugin(_ name: String) throws -> InstalledPlugin {
        try InstalledPlugin(
            binding: PluginManifest.load(directory: "\(path)/\(name)"),
            directory: "\(path)/\(name)",
            searchPath: "/usr/bin:/bin"
        )
    }

    func test(
        _ name: String,
        clocks: Clocks = Clocks(),
        _ change: (inout PluginTest.Configuration) -> Void
    ) async throws -> PluginTestReport {
        var configuration = PluginTest.Configuration(
            launcher: Attempts.launcher,
            environment: ["PATH": "/usr/bin:/bin"],
            scratch: path + "/scratch"
        )
        change(&configuration)
        var test = PluginTest(try plugin(name), configuration)
        test.clocks = clocks
        return await test.run()
    }
}

extension PluginTestReport {
    /// Of the first case whose name begins so.
    func outcome(_ name: String) -> Case.Outcome? { cases.first { $0.name.hasPrefix(name) }?.outcome }

    /// Why the case whose name begins so failed; nil when it did not.
    func failure(_ name: String) throws -> String? {
        guard let outcome = outcome(name) else {
            throw BelfryError(.notFound, "no case \(name) in \(cases.map(\.name))")
        }
        if case .failed(let why, _) = outcome { return why }
        return nil
    }
}
