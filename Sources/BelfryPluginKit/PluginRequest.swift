// What the hub asks of the program: one line of JSON, made into what a feature is given.

import BelfryCore

/// The request that the hub writes on stdin.
struct PluginRequest: Sendable {
    let featureID: String
    let params: JSONValue
    private let taskID: TaskID
    private let attempt: Int
    private let fence: Int64
    private let outputDirectory: String
    private let checkpoint: JSONValue?

    init(_ bytes: [UInt8]) throws {
        let json: JSONValue
        do { json = try JSONValue(parsing: bytes) } catch {
            throw TaskFailure(
                "bad_request",
                "stdin is not a request of exec/1: \(error)",
                fix: "Run it through Belfry: belfry run …"
            )
        }
        let reader = JSONReader(json, what: "request")
        featureID = try reader.string("featureId")
        params = json["params"] ?? [:]
        taskID = try reader.taskID("taskId")
        attempt = Int(json["attempt"]?.int ?? 1)
        fence = json["fence"]?.int ?? 0
        outputDirectory = try reader.string("outputDir")
        checkpoint = json["checkpoint"]
    }

    func context(_ output: ProtocolOutput) -> FeatureContext {
        var context = FeatureContext(
            taskID: taskID,
            featureID: featureID,
            attempt: attempt,
            fence: fence,
            outputDirectory: outputDirectory,
            onProgress: { percent, message in output.write(percent: percent, message: message) },
            onLog: { bytes in output.log(bytes) },
            onCheckpoint: { checkpoint in output.write(checkpoint: checkpoint) }
        )
        context.checkpoint = checkpoint
        return context
    }
}
