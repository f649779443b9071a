// Plugins that the tests of the authors' tools try, and what came of it.

import BelfryCore

@testable import BelfryPlugins

extension TestDirectory {
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
