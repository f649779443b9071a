// The second feature of Docs/WritingAPlugin.md, word for word.

import BelfryCore
import BelfryPluginKit

struct Count: Feature {
    let descriptor = FeatureDescriptor(id: "count", title: "Counts pages, one after the other")

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        let pages = params["pages"]?.int ?? 10
        guard params["busy"] != true else { throw TaskSnooze(for: .seconds(60), "The printer is busy.") }
        for page in (context.checkpoint?.int ?? 0)..<pages {
            // … the work on one page …
            context.saveCheckpoint(.int(page + 1))
        }
        return TaskResult(value: ["pages": .int(pages)])
    }
}
