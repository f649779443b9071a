// What a task is called in lists, events and popups when its submitter gave it no title.

import BelfryCore

enum TaskTitle {
    static let limit = 200

    /// The given title, or the prompt, command line or file among the params, on one line.
    static func make(for new: NewTask) -> String {
        let source = new.title.isEmpty ? derived(from: new.params) : new.title
        let line = source.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.utf8.count <= limit || line.count <= limit ? line : String(line.prefix(limit - 1)) + "…"
    }

    private static func derived(from params: JSONValue) -> String {
        if let command = params["command"]?.array {
            return command.compactMap(\.string).joined(separator: " ")
        }
        for key in ["title", "prompt", "text"] { if let text = params[key]?.string { return text } }
        for key in ["input", "image", "file", "source"] {
            if let path = params[key]?.string {
                return path.split(separator: "/").last.map(String.init) ?? path
            }
        }
        return ""
    }
}
