// The feature of Docs/WritingAPlugin.md, word for word.

import BelfryCore
import BelfryPluginKit

struct Shout: Feature {
    let descriptor = FeatureDescriptor(id: "shout", title: "Says it louder")

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        guard let text = params["text"]?.string else { throw TaskFailure("bad_input", "There is no text.") }
        context.progress(50, "taking a breath")
        return TaskResult(value: ["text": .string(text.uppercased())])
    }
}
