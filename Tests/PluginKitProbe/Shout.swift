// The feature of Docs/WritingAPlugin.md, word for word.

import BelfryCore
import BelfryPluginKit

struct Shout: TypedFeature {
    struct Params: Codable {
        var text: String
        var times: Int
    }

    let descriptor = FeatureDescriptor(
        id: "shout",
        title: "Says it louder",
        params: Params.self,
        ["text": .init("What to say"), "times": .init("How often", default: 1, in: 1...9)]
    )

    func process(_ params: Params, _ context: FeatureContext) async throws -> TaskResult {
        context.progress(50, "taking a breath")
        let words = repeatElement(params.text.uppercased(), count: params.times)
        return TaskResult(value: ["text": .string(words.joined(separator: " "))])
    }
}
