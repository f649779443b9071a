// What a server says beside its answers.

import BelfryCore
import Synchronization

extension MCPServer {
    /// stderr belongs to nobody in particular: everybody who is served gets it.
    func log(_ bytes: [UInt8]) {
        for log in state.withLock({ $0.calls.values.filter { !$0.isAbandoned }.map(\.log) }) { log(bytes) }
    }

    func heard(_ remark: MCPConnection.Remark) {
        switch remark {
        case .toolsChanged: hears.changed.yield()
        case .message(let text): log(Array((text.truncated(toUTF8: 4096) + "\n").utf8))
        case .garbage(let line):
            if garbage == 1 {
                configuration.onRemark("prints what is not MCP to stdout: \(line.truncated(toUTF8: 200))")
            }
            log(Array((line.truncated(toUTF8: 4096) + "\n").utf8))
        }
    }

    /// Whose answer a line was that nobody could read, is clear only when one is waited for.
    func discarded() {
        let limit = configuration.process.maxLineBytes
        configuration.onRemark("printed a line of more than \(limit) bytes, which was thrown away")
        let calls = state.withLock { Array($0.calls.keys) }
        guard calls.count == 1, let id = calls.first else { return }
        connection.fail(
            id,
            TaskFailure(
                "line_too_long",
                "\(configuration.name) answered with a line of more than \(limit) bytes.",
                fix: "Let it write files into the output directory, or raise limits.max_line_bytes."
            )
        )
    }
}
