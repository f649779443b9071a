// How tests read one value from a page of metrics.

import BelfryMetrics

extension MetricsRegistry {
    /// The value of a line, given as name and labels; nil when it is not there.
    func value(_ line: String) -> String? {
        let found = page().split(separator: "\n").first { $0.hasPrefix(line + " ") }
        return found.map { String($0.dropFirst(line.count + 1)) }
    }
}
