// How an attempt ended, as both protocols tell it.

public import BelfryCore

enum AttemptOutcome {
    case result(TaskResult)
    case snooze(TaskSnooze)
    case failure(TaskFailure)

    /// Runs one attempt to its end, whatever it throws.
    ///
    /// The params are checked again here: not every host that calls a plugin checks them.
    static func of(_ feature: any Feature, _ params: JSONValue, _ context: FeatureContext) async
        -> AttemptOutcome
    {
        do {
            return .result(try await feature.process(try feature.accept(params, from: nil), context))
        } catch let snooze as TaskSnooze { return .snooze(snooze) } catch { return .failure(failure(error)) }
    }

    static func failure(_ error: any Error) -> TaskFailure {
        switch error {
        case let failure as TaskFailure: failure
        case let error as BelfryError: TaskFailure(error.code.rawValue, error.message, fix: error.fix)
        case is CancellationError: TaskFailure("cancelled", "The task was cancelled.")
        default: TaskFailure("feature_error", "\(error)")
        }
    }
}

extension TaskFailure {
    /// As the error line of exec/1 has it, and `belfry/error` of MCP.
    var fields: JSONObject {
        var object: JSONObject = ["code": .string(code), "message": .string(message)]
        object.set("fix", fix.map { .string($0) })
        object["retryable"] = .bool(isRetryable)
        return object
    }
}

extension TaskSnooze {
    /// As the snooze line of exec/1 has it, and `belfry/snooze` of MCP.
    var fields: JSONObject {
        var object: JSONObject = ["seconds": .double(delay.seconds)]
        object.set("message", message.map { .string($0) })
        return object
    }
}

extension TaskResult {
    /// A result that is one file.
    ///
    /// - Parameter path: inside the attempt's output directory.
    public static func file(_ path: String, mime: String? = nil, value: JSONValue? = nil) -> TaskResult {
        TaskResult(value: value, artifacts: [Artifact(uri: FileURI.make(path), mime: mime)])
    }
}
