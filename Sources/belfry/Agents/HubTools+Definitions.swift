// The tools' names, descriptions and parameters.

import BelfryCore
import BelfryMCP

extension HubTools {
    enum Tool: String, CaseIterable {
        case listFeatures = "list_features"
        case submit
        case runCommand = "run_command"
        case status, wait, result, log, cancel, list

        var definition: MCPTool {
            var schema: JSONObject = ["type": "object", "properties": .object(parameters)]
            if !required.isEmpty { schema["required"] = .array(required.map { .string($0) }) }
            schema["additionalProperties"] = false
            var tool = MCPTool(rawValue, description, inputSchema: .object(schema))
            switch self {
            case .listFeatures, .status, .wait, .result, .log, .list:
                tool.annotations = ["readOnlyHint": true]
            case .submit: tool.annotations = ["readOnlyHint": false, "destructiveHint": false]
            case .runCommand, .cancel: tool.annotations = ["readOnlyHint": false, "destructiveHint": true]
            }
            return tool
        }

        private var description: String {
            switch self {
            case .listFeatures: "Lists what can be run, each with the JSON Schema of its params."
            case .submit:
                "Runs a feature in the background. Returns its task number at once; call wait next. To chain, name earlier tasks in after and use \"${task.result.path}\" in params for the file that the first of them makes."
            case .runCommand:
                "Runs a program with arguments in the background, without a shell. Returns its task number at once; call wait next, and log for its output. For pipes: [\"sh\", \"-c\", \"…\"]."
            case .status: "Tells how a task stands, without waiting."
            case .wait:
                "Waits until a task is done, for at most 55 seconds, and gives its result. While done is false, call it again."
            case .result:
                "Gives the result of a task that is done: its value, the paths of its files, small texts, and small pictures if asked."
            case .log: "Gives the end of what a task printed."
            case .cancel: "Cancels a task: a waiting one at once, a running one as soon as it stops."
            case .list: "Lists tasks, newest first."
            }
        }

        private var required: [String] {
            switch self {
            case .submit: ["feature"]
            case .runCommand: ["command"]
            case .status, .wait, .result, .log, .cancel: ["task"]
            case .listFeatures, .list: []
            }
        }

        var parameters: JSONObject {
            switch self {
            case .listFeatures: ["feature": ["type": "string", "description": "Only this one"]]
            case .submit:
                Self.submission(["feature": ["type": "string"], "params": ["type": "object"]])
            case .runCommand:
                Self.submission(["command": ["type": "array", "items": ["type": "string"], "minItems": 1]])
            case .status, .cancel: ["task": Self.task]
            case .wait:
                [
                    "task": Self.task,
                    // Below the 60 seconds after which clients give up by themselves.
                    "seconds": ["type": "number", "minimum": 0, "maximum": 55, "default": 45],
                ]
            case .result:
                [
                    "task": Self.task,
                    "pictures": [
                        "type": "boolean", "default": false, "description": "Show pictures up to 1 MiB",
                    ],
                ]
            case .log:
                [
                    "task": Self.task,
                    "lines": ["type": "integer", "minimum": 1, "maximum": 1000, "default": 50],
                ]
            case .list:
                [
                    "status": ["enum": ["pending", "processing", "completed", "failed", "cancelled"]],
                    "feature": ["type": "string"],
                    "limit": ["type": "integer", "minimum": 1, "maximum": 100, "default": 20],
                ]
            }
        }

        private static var task: JSONValue {
            ["type": ["integer", "string"], "description": "Its number, or \"last\""]
        }

        private static func submission(_ own: JSONObject) -> JSONObject {
            var object = own
            object["directory"] = ["type": "string", "description": "Absolute; relative paths start there"]
            object["title"] = ["type": "string"]
            object["priority"] = ["type": "integer", "description": "Higher starts first; 0 by itself"]
            object["after"] = [
                "type": "array", "items": ["type": ["integer", "string"]],
                "description": "Start when these tasks have completed",
            ]
            return object
        }
    }
}
