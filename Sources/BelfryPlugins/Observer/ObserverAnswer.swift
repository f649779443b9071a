// What an observer says on its stdout: JSON, or the short form for shells.

import BelfryCore

/// One line from an observer.
enum ObserverAnswer: Hashable {
    /// Everything up to this position is done.
    case ack(Int64)
    /// This event cannot be used, whatever is tried; everything before it is done.
    case reject(Int64, String)
    /// This event is to come again, after a while; everything before it is done.
    case retry(Int64, String, after: Duration?)
    /// A word for people, and a sign of life.
    case status(String)

    /// Nil when the line means nothing.
    init?(_ line: String) {
        let text = line.trimmingPrefix { $0 == " " || $0 == "\t" }
        if text.hasPrefix("::") {
            self.init(words: text.dropFirst(2))
        } else if text.hasPrefix("{"), let json = try? JSONValue(parsing: String(text)) {
            self.init(json: json)
        } else {
            return nil
        }
    }

    private init?(json: JSONValue) {
        let reason = json["reason"]?.string ?? "no reason given"
        if let position = json["ack"]?.int {
            self = .ack(position)
        } else if let position = json["reject"]?.int {
            self = .reject(position, reason)
        } else if let position = json["retry"]?.int {
            self = .retry(position, reason, after: Self.wait(json["after_s"]?.double))
        } else if let text = json["status"]?.string {
            self = .status(text)
        } else {
            return nil
        }
    }

    /// `ack 12`, `reject 12 reason`, `retry 12 30 reason`, `status words`.
    private init?(words text: Substring) {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard let word = parts.first else { return nil }
        let rest = parts.count > 1 ? parts[1] : ""
        if word == "status" {
            self = .status(String(rest))
            return
        }
        let numbers = rest.split(separator: " ", maxSplits: word == "retry" ? 2 : 1)
        guard let position = numbers.first.flatMap({ Int64($0) }) else { return nil }
        func reason(_ index: Int) -> String {
            numbers.count > index ? String(numbers[index]) : "no reason given"
        }
        switch word {
        case "ack": self = .ack(position)
        case "reject": self = .reject(position, reason(1))
        case "retry":
            guard numbers.count > 1 else {
                self = .retry(position, reason(2), after: nil)
                return
            }
            guard let seconds = Double(numbers[1]) else { return nil }
            self = .retry(position, reason(2), after: Self.wait(seconds))
        default: return nil
        }
    }

    private static func wait(_ seconds: Double?) -> Duration? {
        guard let seconds, seconds.isFinite else { return nil }
        return .milliseconds(Int64(min(max(seconds, 0), 86_400) * 1000))
    }
}
