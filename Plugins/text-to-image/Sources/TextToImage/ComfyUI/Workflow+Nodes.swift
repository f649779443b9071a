// Workflows as they come from the editor, without marked places: the samplers lead to everything else.

import BelfryCore

extension Workflow {
    /// The inputs in which text encoders of the various models take their words.
    private static let textInputs = ["text", "text_g", "text_l", "clip_l", "clip_g", "t5xxl"]

    /// Puts the values into the samplers and the nodes that these are linked to.
    mutating func fillNodes(_ values: WorkflowValues) throws {
        let samplers = nodes.keys.filter {
            link($0, "positive") != nil && (input($0, "seed") ?? input($0, "noise_seed")) != nil
        }
        guard let main = samplers.first(where: { (input($0, "denoise")?.double ?? 1) >= 1 }) ?? samplers.first
        else {
            throw Self.missing("a KSampler (a node with the inputs 'positive' and 'seed')")
        }
        var filled: Set<String> = []
        for sampler in samplers {
            for name in ["seed", "noise_seed"] where setValue(sampler, name, values.values["seed"]) {
                filled.insert("seed")
            }
            try fillTexts(sampler, values, &filled)
        }
        fillMain(main, values, &filled)
        try values.requirePlaces(filled) {
            "None of its nodes takes it: leave it out, or write {{\($0)}} as the value of the input that does."
        }
    }

    private mutating func fillTexts(_ sampler: String, _ values: WorkflowValues, _ filled: inout Set<String>)
        throws
    {
        guard let positive = upstream(from: sampler, by: "positive", where: takesText) else {
            throw Self.missing("a CLIPTextEncode behind the input 'positive' of '\(sampler)'")
        }
        for name in Self.textInputs where setValue(positive, name, values.values["prompt"]) {
            filled.insert("prompt")
        }
        // Only what the task asks for: the workflow's own words against are worth keeping.
        guard values.asked.contains("negative_prompt"),
            let negative = upstream(from: sampler, by: "negative", where: takesText), negative != positive
        else { return }
        for name in Self.textInputs where setValue(negative, name, values.values["negative_prompt"]) {
            filled.insert("negative_prompt")
        }
    }

    /// What the task asks for; the rest stays as the workflow has it.
    private mutating func fillMain(_ sampler: String, _ values: WorkflowValues, _ filled: inout Set<String>) {
        let size = upstream(from: sampler, by: "latent_image") { input($0, "width")?.int != nil }
        let model = upstream(from: sampler, by: "model") {
            input($0, "ckpt_name")?.string != nil || input($0, "unet_name")?.string != nil
        }
        let places: [(name: String, node: String?, inputs: [String])] = [
            ("steps", sampler, ["steps"]), ("cfg", sampler, ["cfg"]), ("sampler", sampler, ["sampler_name"]),
            ("scheduler", sampler, ["scheduler"]), ("width", size, ["width"]), ("height", size, ["height"]),
            ("count", size, ["batch_size"]), ("model", model, ["ckpt_name", "unet_name"]),
        ]
        for place in places where values.asked.contains(place.name) {
            guard let node = place.node else { continue }
            for name in place.inputs where setValue(node, name, values.values[place.name]) {
                filled.insert(place.name)
            }
        }
    }

    private func takesText(_ node: String) -> Bool {
        Self.textInputs.contains { input(node, $0)?.string != nil }
    }

    /// Sets an input that is there and no link.
    private mutating func setValue(_ node: String, _ name: String, _ value: JSONValue?) -> Bool {
        guard let value, let old = input(node, name), Self.target(old) == nil else { return false }
        set(node, name, value)
        return true
    }

    /// The nearest node that fits among those that an input is made of.
    private func upstream(from node: String, by input: String, where fits: (String) -> Bool) -> String? {
        var queue = [link(node, input)].compactMap { $0 }
        var seen = Set(queue)
        while !queue.isEmpty {
            let next = queue.removeFirst()
            if fits(next) { return next }
            for (_, value) in nodes[next]?["inputs"]?.object ?? [:] {
                if let target = Self.target(value), seen.insert(target).inserted { queue.append(target) }
            }
        }
        return nil
    }

    private static func missing(_ node: String) -> TaskFailure {
        TaskFailure(
            "bad_workflow",
            "The workflow has no node that is \(node).",
            fix: "Write {{prompt}}, {{seed}} and so on as the values of the inputs that take them."
        )
    }
}
