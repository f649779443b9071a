// The plugin as a program of exec/1: one task, as a line of JSON on stdin, and lines on stdout.

import BelfryCore
import BelfryMCP
import Glibc

enum ExecProgram {
    /// Does the one task that the hub gives, and ends the process. SIGTERM cancels it.
    static func serve(_ features: [any Feature]) async -> Never {
        let output = LineOutput.takingStandardOutput()
        let outcome = await outcome(of: features, output)
        write(outcome, output)
        if case .failure = outcome { exit(1) }
        exit(0)
    }

    private static func outcome(of features: [any Feature], _ output: LineOutput) async -> AttemptOutcome {
        do {
            let request = try ExecRequest(readToEnd(STDIN_FILENO))
            guard let feature = features.first(where: { $0.descriptor.id == request.featureID }) else {
                throw TaskFailure("unknown_feature", "This program does not serve '\(request.featureID)'.")
            }
            let reports = AttemptReports { write($0, output) }
            let cancellation = WorkCancellation()
            Termination.watch { cancellation.cancel() }
            let context = request.context(reports)
            defer { reports.end() }
            return try await cancellation.run { await .of(feature, request.params, context) }
        } catch { return .failure(AttemptOutcome.failure(error)) }
    }

    private static func write(_ report: AttemptReports.Report, _ output: LineOutput) {
        switch report {
        case .progress(let percent, let message):
            var object: JSONObject = ["type": "progress"]
            object.set("percent", percent.map { .double($0) })
            object.set("message", message.map { .string($0) })
            write(object, output)
        case .checkpoint(let value): write(["type": "checkpoint", "value": value ?? .null], output)
        case .log(let text): LineOutput.writeAll(Array(text.utf8), to: STDERR_FILENO)
        }
    }

    private static func write(_ outcome: AttemptOutcome, _ output: LineOutput) {
        switch outcome {
        case .result(let result):
            let artifacts = result.artifacts.map { artifact -> JSONValue in
                var object: JSONObject = ["path": .string(FileURI.path(artifact.uri) ?? artifact.uri)]
                object.set("mime", artifact.mime.map { .string($0) })
                return .object(object)
            }
            write(["type": "result", "value": result.value ?? [:], "artifacts": .array(artifacts)], output)
        case .snooze(let snooze): write(typed("snooze", snooze.fields), output)
        case .failure(let failure): write(typed("error", failure.fields), output)
        }
    }

    private static func typed(_ type: String, _ fields: JSONObject) -> JSONObject {
        var object: JSONObject = ["type": .string(type)]
        for (key, value) in fields { object[key] = value }
        return object
    }

    private static func write(_ line: JSONObject, _ output: LineOutput) {
        output.write(JSONValue.object(line).encoded + [0x0A])
    }

    private static func readToEnd(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}

/// The request that the hub writes on stdin.
struct ExecRequest: Sendable {
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

    func context(_ reports: AttemptReports) -> FeatureContext {
        var context = FeatureContext(
            taskID: taskID,
            featureID: featureID,
            attempt: attempt,
            fence: fence,
            outputDirectory: outputDirectory,
            onProgress: { reports.progress($0, $1) },
            onLog: { LineOutput.writeAll($0, to: STDERR_FILENO) },
            onCheckpoint: { reports.checkpoint($0) }
        )
        context.checkpoint = checkpoint
        return context
    }
}
