// One line of the exec/1 protocol, in JSON or in the form that shells write.

import BelfryCore

/// What a line on a plugin's stdout says.
enum ExecLine: Equatable {
    case progress(percent: Double?, message: String?)
    case result(JSONValue?, [Artifact])
    case artifact(String)
    case failure(TaskFailure)
    /// What the next attempt is to know; nil forgets what was kept.
    case checkpoint(JSONValue?)
    case snooze(TaskSnooze)

    struct Artifact: Equatable {
        var path: String
        var mime: String?
    }

    /// - Returns: nil when the line is none of the protocol's.
    init?(_ line: String) {
        if line.hasPrefix("{") {
            guard let json = try? JSONValue(parsing: line), let read = Self.read(json) else { return nil }
            self = read
        } else if line.hasPrefix("::") {
            guard let read = Self.read(line.dropFirst(2)) else { return nil }
            self = read
        } else {
            return nil
        }
    }

    private static func read(_ json: JSONValue) -> ExecLine? {
        switch json["type"]?.string {
        case "progress": return .progress(percent: json["percent"]?.double, message: json["message"]?.string)
        case "result":
            let artifacts = (json["artifacts"]?.array ?? []).compactMap { item in
                (item["path"]?.string ?? item.string).map { Artifact(path: $0, mime: item["mime"]?.string) }
            }
            return .result(json["value"], artifacts)
        case "error":
            return .failure(
                TaskFailure(
                    json["code"]?.string ?? "error",
                    json["message"]?.string ?? "The plugin gave no reason.",
                    fix: json["fix"]?.string,
                    isRetryable: json["retryable"]?.bool ?? false
                )
            )
        case "checkpoint": return json["value"].map(saving)
        case "snooze":
            return json["seconds"]?.double.flatMap { bounded($0, json["message"]?.string) }.map(
                ExecLine.snooze
            )
        default: return nil
        }
    }

    private static func read(_ line: Substring) -> ExecLine? {
        let parts = line.split(separator: " ", maxSplits: 1)
        let rest = parts.count > 1 ? String(parts[1]) : ""
        switch parts.first {
        case "progress":
            let words = rest.split(separator: " ", maxSplits: 1)
            guard let first = words.first,
                let percent = Double(first.hasSuffix("%") ? first.dropLast() : first)
            else {
                return nil
            }
            return .progress(percent: percent, message: words.count > 1 ? String(words[1]) : nil)
        case "artifact": return rest.isEmpty ? nil : .artifact(rest)
        case "result": return (try? JSONValue(parsing: rest)).map { .result($0, []) }
        case "error":
            let words = rest.split(separator: " ", maxSplits: 1)
            guard let code = words.first else { return nil }
            return .failure(
                TaskFailure(String(code), words.count > 1 ? String(words[1]) : "The plugin gave no reason.")
            )
        case "checkpoint": return (try? JSONValue(parsing: rest)).map(saving)
        case "snooze":
            let words = rest.split(separator: " ", maxSplits: 1)
            return words.first.flatMap(Double.init).flatMap {
                bounded($0, words.count > 1 ? String(words[1]) : nil)
            }.map(ExecLine.snooze)
        default: return nil
        }
    }

    private static func saving(_ value: JSONValue) -> ExecLine {
        // A bare nil would be JSON's null.
        value.isNull ? .checkpoint(Optional.none) : .checkpoint(value)
    }

    /// From a second to seven days: shorter is as good as running on, longer as good as never.
    ///
    /// - Returns: nil for what is no time.
    static func bounded(_ seconds: Double, _ message: String?) -> TaskSnooze? {
        guard !seconds.isNaN else { return nil }
        let bounded = min(max(seconds, 1), 604_800)
        return TaskSnooze(for: .milliseconds(Int64((bounded * 1000).rounded())), message)
    }
}
