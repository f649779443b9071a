// Runs attempts of real programs through belfry-launch, and keeps what they said.

import BelfryCore
import FoundationEssentials
import Glibc
import Synchronization

@testable import BelfryPlugins

/// What attempts are given, and what they say on the way.
final class Attempts: Sendable {
    let directory: TestDirectory
    private let state = Mutex<(checkpoints: [JSONValue?], log: [UInt8])>(([], []))
    private let logged: AsyncStream<Void>
    private let didLog: AsyncStream<Void>.Continuation

    init() throws {
        // As the hub does: a program may end without having read its input.
        signal(SIGPIPE, SIG_IGN)
        directory = try TestDirectory()
        (logged, didLog) = AsyncStream.makeStream()
    }

    var checkpoints: [JSONValue?] { state.withLock { $0.checkpoints } }
    var log: String { state.withLock { String(decoding: $0.log, as: UTF8.self) } }

    /// Logs `bytes`.
    func note(_ bytes: [UInt8]) {
        state.withLock { $0.log += bytes }
        didLog.yield()
    }

    /// Waits until something was logged since the last time.
    func nextLog() async { for await _ in logged { return } }

    /// Waits until the log has this. For one who waits at a time.
    func waitForLog(_ text: String) async { while !log.contains(text) { await nextLog() } }

    /// The context of an attempt whose progress is told: what comes of it first says that it has begun.
    func reporting() -> (context: FeatureContext, progress: AsyncStream<Void>) {
        let (progress, report) = AsyncStream.makeStream(of: Void.self)
        let context = FeatureContext(
            taskID: TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab"),
            featureID: "probe",
            attempt: 1,
            fence: 1,
            outputDirectory: "",
            onProgress: { _, _ in report.yield() }
        )
        return (context, progress)
    }

    func context(_ change: (inout FeatureContext) -> Void = { _ in }) throws -> FeatureContext {
        try FileManager.default.createDirectory(
            atPath: directory.path + "/out",
            withIntermediateDirectories: true
        )
        var context = FeatureContext(
            taskID: TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab"),
            featureID: "probe",
            attempt: 1,
            fence: 1,
            outputDirectory: directory.path + "/out",
            submission: SubmissionContext(
                workingDirectory: directory.path,
                environment: ["PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": "9"]
            ),
            onLog: { [self] bytes in note(bytes) },
            onCheckpoint: { [self] checkpoint in state.withLock { $0.checkpoints.append(checkpoint) } }
        )
        change(&context)
        return context
    }

    /// A plugin whose program is a shell script, and what else its manifest says.
    func plugin(_ script: String, _ more: JSONObject = [:]) throws -> ExecFeature {
        try directory.write("#!/bin/sh\n" + script, to: "probe/main.sh", mode: 0o755)
        var manifest: JSONObject = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "${plugin_dir}/main.sh"],
            "features": [["id": "probe"]],
        ]
        for (key, value) in more { manifest[key] = value }
        try directory.write(JSONValue.object(manifest).text, to: "probe/plugin.json")
        return try Self.feature(of: directory.path + "/probe")
    }

    /// The first feature of the plugin in `directory`.
    static func feature(of directory: String) throws -> ExecFeature {
        let plugin = try InstalledPlugin(
            binding: PluginManifest.load(directory: directory),
            directory: directory,
            searchPath: "/usr/bin:/bin"
        )
        return try ExecFeature(
            plugin: plugin,
            entry: plugin.manifest.features[0],
            launcher: launcher,
            environment: ["PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": "9"]
        )
    }

    /// The belfry-launch that was built with the tests: in `BELFRY_BIN_DIR`, else above the test program.
    static let launcher: String = {
        if let named = ProcessInfo.processInfo.environment["BELFRY_BIN_DIR"] {
            return named + "/belfry-launch"
        }
        for start in [CommandLine.arguments.first { $0.hasSuffix(".xctest") }, CommandLine.arguments[0]] {
            var folder = start?[...] ?? ""
            while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
                folder = folder[..<slash]
                if access("\(folder)/belfry-launch", X_OK) == 0 { return "\(folder)/belfry-launch" }
            }
        }
        return "belfry-launch"
    }()
}
