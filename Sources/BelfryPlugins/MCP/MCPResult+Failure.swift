// Why a tool failed: in its own words, or in those that plugins made with BelfryPluginKit have for a hub.

import BelfryCore
import BelfryMCP

extension MCPResult {
    /// What a result with `isError` means: the ``TaskFailure`` or ``TaskSnooze`` that its `_meta` tells, else
    /// `tool_error`.
    ///
    /// - Parameter text: what the tool says to people.
    func failure(_ text: String) -> any Error {
        let meta = result["_meta"]
        if let said = meta?[MCP.Meta.error], let failure = typed(said) { return failure }
        if let said = meta?[MCP.Meta.snooze], let snooze = snooze(said) { return snooze }
        return TaskFailure("tool_error", text.isEmpty ? "The tool failed without a reason." : text)
    }

    private func typed(_ said: JSONValue) -> TaskFailure? {
        guard let code = said["code"]?.string, (1...64).contains(code.utf8.count),
            let message = said["message"]?.string, !message.isEmpty
        else {
            onRemark(
                "\(MCP.Meta.error) must have a code of 1…64 bytes and a message, and is \(said.excerpt)"
            )
            return nil
        }
        if said["fix"].map({ $0.string == nil && !$0.isNull }) == true {
            onRemark("the fix of \(MCP.Meta.error) must be text")
        }
        if said["retryable"].map({ $0.bool == nil }) == true {
            onRemark("retryable of \(MCP.Meta.error) must be true or false")
        }
        return TaskFailure(
            code,
            message.truncated(toUTF8: Self.longestWords),
            fix: said["fix"]?.string?.truncated(toUTF8: Self.longestWords),
            isRetryable: said["retryable"]?.bool ?? false
        )
    }

    private func snooze(_ said: JSONValue) -> TaskSnooze? {
        let message = said["message"]?.string?.truncated(toUTF8: Self.longestWords)
        guard let snooze = said["seconds"]?.double.flatMap({ ExecLine.bounded($0, message) }) else {
            onRemark("\(MCP.Meta.snooze) must say the seconds, and is \(said.excerpt)")
            return nil
        }
        return snooze
    }

    /// Bytes of each sentence that goes into the store.
    private static var longestWords: Int { 4096 }
}
