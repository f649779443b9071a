// What a task is called in lists, events and popups when its submitter gave it no title.

import BelfryCore

enum TaskTitle {
    static let limit = 200

    /// The given title, or the prompt, command line or file among the params, on one line. What an earlier task will
    /// have made is not known yet: `…` stands for it among other words, and it names nothing by itself.
    static func make(for new: NewTask) -> String {
        let source = new.title.isEmpty ? derived(from: new.params) : new.title
        let line = source.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.utf8.count <= limit || line.count <= limit ? line : String(line.prefix(limit - 1)) + "…"
    }

    private static func derived(from params: JSONValue) -> String {
        if let command = params["command"]?.array {
            return command.compactMap(\.string).map(withoutReferences).joined(separator: " ")
        }
        func text(_ key: String) -> String? {
            guard let text = params[key]?.string.map(withoutReferences), text != unknown else { return nil }
            return text
        }
        for key in ["title", "prompt", "text"] { if let text = text(key) { return text } }
        for key in ["input", "image", "file", "source"] {
            if let path = text(key) { return path.split(separator: "/").last.map(String.init) ?? path }
        }
        return ""
    }

    private static let unknown = "…"

    private static func withoutReferences(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let reference = TaskReference(firstIn: rest) {
            result += rest[..<reference.range.lowerBound] + unknown
            rest = rest[reference.range.upperBound...]
        }
        return result + rest
    }
}
