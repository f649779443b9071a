// The two forms in which most tasks are submitted: `belfry add -- COMMAND ARG…` and `belfry add FEATURE
// key=value …`. Scripts do it thousands of times, and building the parser costs more than all the rest.

import BelfryAPI
import BelfryCore

/// A submission without options.
enum PlainSubmission {
    case command([String])
    case feature(String, arguments: [String])

    /// - Parameter words: the command line without the program's name, as typed.
    /// - Returns: nil when it is not `add`, or has any option: then the parser reads it.
    init?(_ words: [String]) {
        guard words.count > 1, words[0] == "add" else { return nil }
        if words[1] == "--" {
            guard words.count > 2 else { return nil }
            self = .command(Array(words[2...]))
            return
        }
        guard !words[1].isEmpty, !words[1...].contains(where: { $0.hasPrefix("-") }),
            words[2...].allSatisfy({ $0.contains("=") })
        else { return nil }
        self = .feature(words[1], arguments: Array(words[2...]))
    }

    func submission(_ session: Session) throws -> JSONObject {
        switch self {
        case .command(let words):
            var object: JSONObject = ["id": Session.newTaskID(), "featureId": "shell"]
            object["params"] = ["command": .array(words.map { .string($0) })]
            object["context"] = try session.context(withEnvironment: true).json
            return object
        case .feature(let feature, let arguments):
            var object: JSONObject = ["id": Session.newTaskID(), "featureId": .string(feature)]
            object["arguments"] = .array(arguments.map(SubmissionOptions.pair))
            object["context"] = try session.context(withEnvironment: feature == "shell").json
            return object
        }
    }
}
