// How far a workflow is, from what the server sends while it runs.
// Source: https://docs.comfy.org/development/comfyui-server/comms_messages

import BelfryCore

struct ComfyProgress {
    enum Step {
        case progress(Double?, String)
        case end
        case failure(TaskFailure)
    }

    private let promptID: String
    private let classes: [String: String]
    /// How much of the work each node is: sampling takes nearly all the time.
    private let weights: [String: Double]
    private let total: Double
    private var finished: Set<String> = []
    private var current: String?
    /// How far the current node is, 0…1.
    private var fraction = 0.0
    /// Workflows may loop; people are not told of a way back.
    private var highest = 0.0
    private var isStarted = false

    init(promptID: String, workflow: Workflow) {
        self.promptID = promptID
        var classes: [String: String] = [:]
        for (name, _) in workflow.nodes { classes[name] = workflow.className(name) }
        self.classes = classes
        weights = classes.mapValues { $0.contains("Sampler") ? 20 : 1 }
        total = weights.values.reduce(0, +)
    }

    /// Nil for messages that say nothing new about our prompt.
    mutating func read(_ text: String) -> Step? {
        guard let message = try? JSONValue(parsing: text), let data = message["data"] else { return nil }
        if message["type"]?.string == "status" { return waiting(data) }
        guard data["prompt_id"]?.string == promptID else { return nil }
        let node = data["node"]?.string
        switch message["type"]?.string {
        case "execution_start": return step("started")
        case "execution_cached":
            for node in data["nodes"]?.array ?? [] { if let name = node.string { finished.insert(name) } }
            return step("started")
        case "executing":
            guard let node else { return .end }
            enter(node)
            return step(name(node))
        case "progress":
            if let node { enter(node) }
            guard let value = data["value"]?.double, let most = data["max"]?.double, most > 0 else {
                return nil
            }
            fraction = min(max(value / most, 0), 1)
            return step(
                "\(current.map(name) ?? "working"), step \(Int64(clamping: value)) of \(Int64(clamping: most))"
            )
        case "executed":
            if let node { finished.insert(node) }
            return step("finished \(node.map(name) ?? "a node")")
        case "execution_success": return .end
        case "execution_error": return .failure(ComfyProgress.failure(data))
        case "execution_interrupted": return .failure(ComfyProgress.interrupted)
        default: return nil
        }
    }

    private func waiting(_ data: JSONValue) -> Step? {
        guard !isStarted, let waiting = data["status"]?["exec_info"]?["queue_remaining"]?.int, waiting > 1
        else {
            return nil
        }
        return .progress(nil, "waiting, \(waiting) in the server's queue")
    }

    private mutating func enter(_ node: String) {
        guard node != current else { return }
        if let current { finished.insert(current) }
        current = node
        fraction = 0
    }

    private mutating func step(_ words: String) -> Step {
        isStarted = true
        var done = finished.reduce(0) { $0 + (weights[$1] ?? 0) }
        if let current, !finished.contains(current) { done += fraction * (weights[current] ?? 0) }
        highest = max(highest, total > 0 ? min(done / total, 1) * 95 : 0)
        return .progress(highest, words)
    }

    private func name(_ node: String) -> String { classes[node] ?? "node \(node)" }
}

extension Int64 {
    fileprivate init(clamping value: Double) { self = Int64(Swift.min(Swift.max(value, 0), 1e15)) }
}

extension ComfyProgress {
    static let interrupted = TaskFailure("interrupted", "Someone stopped this picture on the server.")

    /// - Parameter data: what comes with `execution_error`.
    static func failure(_ data: JSONValue) -> TaskFailure {
        let node = "\(data["node_type"]?.string ?? "node") (\(data["node_id"]?.string ?? "?"))"
        let kind = data["exception_type"]?.string ?? "error"
        let said = "\(kind): \(data["exception_message"]?.string ?? "no reason given")".truncated(
            toUTF8: 1000
        )
        let message = "\(node) failed: \(said)"
        return ServerClient.failure(said: said, message: message)
            ?? TaskFailure(
                "node_failed",
                message,
                fix: "Try the workflow in ComfyUI itself; its log says more."
            )
    }
}
