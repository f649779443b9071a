// One attempt without a hub: in a directory of its own, watched line by line.

public import BelfryCore
import Glibc
import Synchronization

/// Runs single attempts of a plugin's feature, the way the hub would.
public struct Trial: Sendable {
    let feature: ExecFeature
    /// What relative file parameters start from.
    let workingDirectory: String
    /// Absolute; made when it is not there.
    let outputDirectory: String

    /// - Parameters:
    ///   - featureID: may be left out when there is only one.
    ///   - workingDirectory: what relative file parameters start from.
    /// - Throws: ``BelfryError`` `unknown_feature`, or what keeps the feature from being made.
    public init(
        _ plugin: InstalledPlugin,
        featureID: String?,
        launcher: String,
        environment: [String: String],
        secrets: PluginSecrets = PluginSecrets(),
        workingDirectory: String,
        outputDirectory: String,
        trace: PluginTrace? = nil
    ) throws {
        let entry = try Self.entry(featureID, of: plugin)
        var feature = try ExecFeature(
            plugin: plugin,
            entry: entry,
            launcher: launcher,
            environment: environment,
            secrets: secrets
        )
        feature.trace = trace
        self.feature = feature
        self.workingDirectory = workingDirectory
        self.outputDirectory = outputDirectory
    }

    private static func entry(_ id: String?, of plugin: InstalledPlugin) throws
        -> PluginManifest.FeatureEntry
    {
        let entries = plugin.manifest.features
        if let id, let entry = entries.first(where: { $0.id == id }) { return entry }
        if id == nil, entries.count == 1 { return entries[0] }
        let names = entries.map(\.id).joined(separator: ", ")
        throw BelfryError(
            .unknownFeature,
            id.map { "The plugin has no feature '\($0)'." } ?? "The plugin has several features.",
            fix: "Name one of: \(names)"
        )
    }

    /// Parameters of `key=value` arguments.
    ///
    /// - Throws: ``BelfryError`` `invalid_params`.
    public func params(from arguments: [(key: String, value: String)]) throws -> JSONValue {
        try feature.params(from: arguments)
    }

    /// Does the work of one attempt.
    ///
    /// - Throws: as ``Feature/process(_:_:)``; ``BelfryError`` for parameters that are refused.
    public func run(
        _ params: JSONValue,
        onProgress: @escaping @Sendable (Double?, String?) -> Void = { _, _ in },
        onLog: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) async throws -> TaskResult {
        let accepted = try feature.accept(
            params,
            from: SubmissionContext(workingDirectory: workingDirectory)
        )
        let context = try Self.context(feature, outputDirectory, onProgress: onProgress, onLog: onLog)
        return try await feature.process(accepted, context)
    }

    /// What an attempt is given; makes the directory.
    static func context(
        _ feature: any Feature,
        _ outputDirectory: String,
        onProgress: @escaping @Sendable (Double?, String?) -> Void = { _, _ in },
        onLog: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) throws -> FeatureContext {
        do throws(FileError) { try FileSystem.makeDirectories(outputDirectory) } catch {
            throw BelfryError(.notWritable, "\(error.reason).", fix: "Name another output directory.")
        }
        var context = FeatureContext(
            taskID: IDGenerator().taskID(at: SystemWallClock().now),
            featureID: feature.descriptor.id,
            attempt: 1,
            fence: 1,
            outputDirectory: outputDirectory,
            onProgress: onProgress,
            onLog: onLog
        )
        context.timeouts = feature.descriptor.timeouts
        return context
    }

    /// What an attempt did, as a test wants to know it.
    struct Observation: Sendable {
        var end: Result<TaskResult, any Error>
        var percents: [Double]
        /// Lines on stdout that mean nothing, and the first of them.
        var garbage: (count: Int, first: String?)
        var discardedLines: Int
        /// Whether it had a result or a file by then, however it ended.
        var hasResult = false
    }

    /// Runs an attempt to its end and tells everything about it.
    ///
    /// - Parameter onSign: called with each sign of life.
    func observe(_ params: JSONValue, onSign: @escaping @Sendable () -> Void = {}) async -> Observation {
        let percents = Mutex<[Double]>([])
        var observation = Observation(
            end: .failure(CancellationError()),
            percents: [],
            garbage: (0, nil),
            discardedLines: 0
        )
        do {
            let accepted = try feature.accept(
                params,
                from: SubmissionContext(workingDirectory: workingDirectory)
            )
            let context = try Self.context(
                feature,
                outputDirectory,
                onProgress: { percent, _ in
                    if let percent { percents.withLock { $0.append(percent) } }
                    onSign()
                },
                onLog: { _ in onSign() }
            )
            let reading = ExecReading(context)
            defer { observation.hasResult = reading.hasResult }
            let end = try await feature.attempt(accepted, context, reading)
            observation.garbage = reading.garbage
            observation.discardedLines = end.discardedLines
            observation.end = .success(try feature.judge(reading, end))
        } catch {
            observation.end = .failure(error)
        }
        observation.percents = percents.withLock { $0 }
        return observation
    }
}
