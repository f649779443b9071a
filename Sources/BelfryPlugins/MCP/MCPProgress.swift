// What a server says while it works on a call: how far it is, and what plugins that are made with BelfryPluginKit tell
// a hub beyond that.

import BelfryCore
import BelfryMCP

/// The params of one `notifications/progress`.
struct MCPProgress {
    let params: JSONValue

    /// Hands on what is said. What cannot be is written to the attempt's log, and not believed.
    func tell(_ context: FeatureContext) {
        let checkpoint = params["_meta"]?[MCP.Meta.checkpoint]
        let log = params["_meta"]?[MCP.Meta.log]
        guard checkpoint != nil || log != nil else { return tellProgress(context) }
        // Its number only repeats what was told before, so it is a sign of life and nothing more.
        context.progress(nil)
        if let checkpoint {
            // A bare nil would be JSON's null.
            context.saveCheckpoint(checkpoint.isNull ? Optional.none : checkpoint)
        }
        if let log { self.log(log, context) }
    }

    private func log(_ value: JSONValue, _ context: FeatureContext) {
        guard let text = value.string else {
            return context.logLine("\(MCP.Meta.log) must be text, and is \(value.excerpt)")
        }
        context.log(Array(text.utf8))
    }

    private func tellProgress(_ context: FeatureContext) {
        let done = params["progress"]?.double
        var percent: Double?
        if let done, let total = params["total"]?.double, total > 0 {
            percent = min(max(done / total * 100, 0), 100)
        }
        // Without a total there is still a count to show, once it counts something.
        let count = percent == nil && done != 0 ? done.flatMap { _ in params["progress"]?.text } : nil
        context.progress(percent, params["message"]?.string ?? count)
    }
}

extension FeatureContext {
    /// Appends a sentence of the hub's own to the attempt's log.
    func logLine(_ text: String) { log(Array((text.truncated(toUTF8: 4096) + "\n").utf8)) }
}
