// A tool of an MCP server as a feature.

import BelfryCore

/// One tool of an installed plugin.
struct MCPFeature: Feature {
    let descriptor: FeatureDescriptor
    /// As the server calls it.
    let tool: String
    private let schema: JSONSchema
    private let host: MCPHost

    /// - Parameters:
    ///   - entry: what the manifest says of the feature.
    ///   - schema: of its params. One that goes beyond the subset is shown as it is, and what it says is checked by
    ///     the server alone.
    init(_ entry: PluginManifest.FeatureEntry, tool: String, schema: JSONValue, host: MCPHost) {
        self.tool = tool
        self.host = host
        descriptor = host.plugin.manifest.descriptor(of: entry)
        self.schema = (try? JSONSchema(schema)) ?? Self.anything
    }

    private static let anything: JSONSchema = {
        do { return try JSONSchema(["type": "object"]) } catch { preconditionFailure("\(error)") }
    }()

    func accept(_ params: JSONValue, from context: SubmissionContext?) throws -> JSONValue {
        let accepted = try schema.accept(
            SecretParams.opened(params),
            workingDirectory: context?.workingDirectory,
            featureID: descriptor.id
        )
        return SecretParams.sealed(accepted, by: descriptor.paramsSchema)
    }

    func params(from arguments: [(key: String, value: String)]) throws -> JSONValue {
        try schema.coerce(arguments, featureID: descriptor.id)
    }

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        try await host.call(tool, SecretParams.opened(params), context)
    }
}
