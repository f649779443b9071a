// Prometheus' own checker of metric pages.

import Subprocess
import SystemPackage

enum Promtool {
    struct Verdict: Equatable {
        /// 0: parsed, and nothing to say; 1: cannot be parsed; 3: parsed, with objections.
        var status: Int
        var words: String
    }

    static func check(_ page: String) async throws -> Verdict {
        let result = try await Subprocess.run(
            .name("promtool"),
            arguments: ["check", "metrics"],
            input: .string(page),
            output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        )
        guard case .exited(let code) = result.terminationStatus else { return Verdict(status: -1, words: "") }
        return Verdict(
            status: Int(code),
            words: result.standardOutput + result.standardError
        )
    }
}
