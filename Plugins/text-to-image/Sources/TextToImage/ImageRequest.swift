// What is asked of a provider, as read from a task's parameters.

import BelfryCore

struct ImageRequest: Sendable {
    var prompt: String
    var style: String?
    var negativePrompt: String?
    /// Pixels; nil leaves the size to the provider.
    var size: (width: Int, height: Int)?
    var seed: Int64?
    var model: String?
    var steps: Int64?
    /// How closely the model keeps to the prompt.
    var cfg: Double?
    var sampler: String?
    var scheduler: String?
    /// Pictures; at least 1.
    var count = 1
    /// The path of a ComfyUI workflow.
    var workflow: String?

    /// The prompt with the style in words, for models that know no other way.
    var words: String { style.map { "\(prompt), \($0) style" } ?? prompt }

    init(prompt: String, params: JSONValue) {
        self.prompt = prompt
        style = params["style"]?.string
        negativePrompt = params["negative_prompt"]?.string
        if params["width"] != nil || params["height"] != nil {
            size = (Int(params["width"]?.int ?? 768), Int(params["height"]?.int ?? 512))
        }
        seed = params["seed"]?.int
        model = params["model"]?.string
        steps = params["steps"]?.int
        cfg = params["cfg"]?.double
        sampler = params["sampler"]?.string
        scheduler = params["scheduler"]?.string
        count = max(1, Int(params["count"]?.int ?? 1))
        workflow = params["workflow"]?.string
    }

    /// The parameters that only some providers have: said rather than passed over in silence.
    static func refuseForeign(_ params: JSONValue, provider: String) throws {
        let takes: Set<String> =
            switch provider {
            case "openai": ["count"]
            case "sdapi": ["negative_prompt", "steps", "cfg", "sampler", "scheduler", "count"]
            case "comfyui":
                ["negative_prompt", "steps", "cfg", "sampler", "scheduler", "count", "workflow"]
            default: []
            }
        let special = ["negative_prompt", "steps", "cfg", "sampler", "scheduler", "count", "workflow"]
        guard let foreign = special.first(where: { params[$0] != nil && !takes.contains($0) }) else { return }
        throw TaskFailure(
            "bad_input",
            "provider=\(provider) knows no '\(foreign)'.",
            fix: "Leave it out, or choose a provider that has it: belfry feature show text-to-image"
        )
    }
}
