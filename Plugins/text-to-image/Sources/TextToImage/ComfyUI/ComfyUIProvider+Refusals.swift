// Why ComfyUI does not take a workflow: `{"error": {…}, "node_errors": {NODE: {"errors": […], "class_type"}}}`.

import BelfryCore

extension ComfyUIProvider {
    func refusal(_ answer: ServerAnswer) -> TaskFailure {
        guard answer.status == 400, let error = answer.json?["error"] else {
            return client.failure(answer.status, said: answer.excerpt)
        }
        let problems = answer.json?["node_errors"]?.object ?? [:]
        for (node, problem) in problems {
            let place = "\(problem["class_type"]?.string ?? "node") (\(node))"
            guard let first = problem["errors"]?.array?.first else { continue }
            if let failure = unknownModel(first) { return failure }
            return TaskFailure(
                "bad_workflow",
                "\(place) cannot run: \(Self.words(first))",
                fix: "Mend that input, in the workflow or in the parameters of the task."
            )
        }
        let kind = error["type"]?.string ?? ""
        let words = Self.words(error)
        let isUnknownNode = kind == "missing_node_type" || words.contains("does not exist")
        return TaskFailure(
            "bad_workflow",
            "\(client.settings.baseURL) does not take the workflow: \(words)",
            fix: isUnknownNode
                ? "Install what the node comes with on the server (ComfyUI-Manager finds it), or take it out."
                : "Try the workflow in ComfyUI itself."
        )
    }

    private static func words(_ error: JSONValue) -> String {
        let parts = [error["message"]?.string, error["details"]?.string].compactMap { $0 }.filter {
            !$0.isEmpty
        }
        let said = parts.isEmpty ? (error.string ?? error.text) : parts.joined(separator: ": ")
        return said.truncated(toUTF8: 500)
    }

    private func unknownModel(_ error: JSONValue) -> TaskFailure? {
        let info = error["extra_info"]
        guard error["type"]?.string == "value_not_in_list",
            ["ckpt_name", "unet_name"].contains(info?["input_name"]?.string),
            let model = info?["received_value"]?.string
        else { return nil }
        let config = info?["input_config"]?.array ?? []
        let list = config.first?.array ?? config.dropFirst().first?["options"]?.array ?? []
        return .noSuchModel(model, known: list.compactMap(\.string), server: client.settings.baseURL)
    }
}
