// What goes into a workflow, by the names of its places.

import BelfryCore

struct WorkflowValues: Sendable {
    /// Every place has a value; what the task does not say is what ComfyUI's own nodes begin with.
    var values: [String: JSONValue]
    /// What the task says: each must find a place.
    var asked: [String]

    /// - Parameters:
    ///   - seed: for a task that names none.
    ///   - model: the checkpoint, when it is known.
    init(_ request: ImageRequest, seed: Int64, model: String?) {
        values = [
            "prompt": .string(request.words), "negative_prompt": .string(request.negativePrompt ?? ""),
            "seed": .int(request.seed ?? seed), "steps": .int(request.steps ?? 20),
            "cfg": .double(request.cfg ?? 8), "sampler": .string(request.sampler ?? "euler"),
            "scheduler": .string(request.scheduler ?? "normal"),
            "width": .int(Int64(request.size?.width ?? 512)),
            "height": .int(Int64(request.size?.height ?? 512)), "count": .int(Int64(request.count)),
        ]
        values["model"] = model.map { .string($0) }
        let given: [(String, Bool)] = [
            ("prompt", true), ("negative_prompt", request.negativePrompt != nil),
            ("seed", request.seed != nil), ("steps", request.steps != nil), ("cfg", request.cfg != nil),
            ("sampler", request.sampler != nil), ("scheduler", request.scheduler != nil),
            ("width", request.size != nil), ("height", request.size != nil), ("count", request.count > 1),
            ("model", request.model != nil),
        ]
        asked = given.filter(\.1).map(\.0)
    }

    static let names = [
        "prompt", "negative_prompt", "seed", "width", "height", "steps", "cfg", "sampler", "scheduler",
        "model",
        "count",
    ]

    /// - Throws: a failure when something that the task says has found no place.
    func requirePlaces(_ filled: Set<String>, fix: (String) -> String) throws {
        guard let homeless = asked.first(where: { !filled.contains($0) }) else { return }
        throw TaskFailure(
            "bad_workflow",
            "The workflow has no place for '\(homeless)'.",
            fix: fix(homeless)
        )
    }
}
