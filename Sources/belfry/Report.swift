// What the doctors have to say, each thing with the way to mend it.

import BelfryCore
import BelfryStdoutSink

/// What was found, printed as it is found, or at the end as JSON.
struct Report {
    let isJSON: Bool
    var isBad = false
    var findings: [JSONValue] = []

    init(isJSON: Bool) { self.isJSON = isJSON }

    mutating func ok(_ text: String) { add("✓", "ok", text) }
    mutating func hint(_ text: String, _ fix: String) { add("○", "hint", text, fix) }
    /// What is as somebody wanted it, with the way to change it.
    mutating func note(_ text: String, _ fix: String) { add("·", "note", text, fix) }
    mutating func bad(_ text: String, _ fix: String) {
        isBad = true
        add("✗", "bad", text, fix)
    }

    private mutating func add(_ mark: String, _ level: String, _ text: String, _ fix: String? = nil) {
        var finding: JSONObject = ["level": .string(level), "text": .string(text)]
        finding.set("fix", fix.map { .string($0) })
        findings.append(.object(finding))
        if isJSON { return }
        Output.line("\(mark) \(Terminal.visible(text))")
        if let fix { Output.line("  fix: \(Terminal.visible(fix))") }
    }

    mutating func check(_ text: String, _ work: () throws -> Void) {
        do {
            try work()
            ok(text)
        } catch let error as BelfryError {
            bad(error.message, error.fix ?? "none is known")
        } catch {
            bad("\(error)", "none is known")
        }
    }
}
