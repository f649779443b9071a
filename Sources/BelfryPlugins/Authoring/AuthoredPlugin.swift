// A plugin as its author sees it: every mistake at once, and what is missing on this machine.

public import BelfryCore

/// A plugin's directory, looked at without adding it.
public struct AuthoredPlugin: Sendable {
    /// Absolute, without links.
    public let directory: String
    /// Nil while there are mistakes.
    public let manifest: PluginManifest?
    /// What keeps it from running, each with its fix: mistakes in the manifest, or what is missing here.
    public let problems: [BelfryError]
    /// Why it does nothing as long as the user has not set it up, which is no mistake of its author's.
    public let notConfigured: BelfryError?
    /// Sentences for people.
    public let warnings: [String]
    /// Ready to be started; nil while there are problems.
    public let installed: InstalledPlugin?

    /// - Parameter registry: says where programs and venvs are.
    /// - Throws: ``BelfryError`` `not_found` when there is no plugin.
    public init(directory: String, registry: PluginRegistry) throws {
        let plugin = try registry.inspect(directory: directory)
        let inspection = PluginManifest.inspect(directory: plugin.directory)
        self.directory = plugin.directory
        manifest = inspection.manifest
        warnings = inspection.warnings + (inspection.manifest.map(Self.advice) ?? [])
        if case .ready(let ready) = plugin.state { installed = ready } else { installed = nil }
        let missing = plugin.problems.isEmpty ? plugin.state.problem.map { [$0] } ?? [] : plugin.problems
        func error(_ problem: PluginSnapshot.Problem) -> BelfryError {
            BelfryError(.featureUnavailable, problem.reason, fix: problem.fix)
        }
        let isSound = inspection.mistakes.isEmpty
        notConfigured = isSound ? missing.first(where: \.isChoice).map(error) : nil
        problems = isSound ? missing.filter { !$0.isChoice }.map(error) : inspection.mistakes
    }

    /// What no rule asks for, but users and tests would miss.
    private static func advice(_ manifest: PluginManifest) -> [String] {
        let names = manifest.features.filter { $0.examples.isEmpty && !$0.runsWithoutParams }.map(\.id)
        guard !names.isEmpty else { return [] }
        let features = names.joined(separator: ", ")
        return ["no examples for \(features): without them belfry plugin test has nothing to run"]
    }

    /// - Throws: the first of ``problems``, or ``notConfigured``.
    public func ready() throws -> InstalledPlugin {
        if let problem = problems.first ?? notConfigured { throw problem }
        guard let installed else { throw BelfryError(.invalidPlugin, "\(directory) holds no plugin.") }
        return installed
    }
}

extension PluginManifest.FeatureEntry {
    /// Whether nothing has to be given: then it is its own example.
    var runsWithoutParams: Bool { (try? JSONSchema(paramsSchema))?.check([:]).isEmpty ?? false }

    /// What a test runs it with.
    var trials: [PluginManifest.Example] {
        if !examples.isEmpty { return examples }
        return runsWithoutParams ? [PluginManifest.Example(title: "without parameters", params: [:])] : []
    }
}
