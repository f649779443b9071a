// Prometheus' text format, version 0.0.4: lines of `name{labels} value`, with HELP and TYPE before the
// first of a family. https://prometheus.io/docs/instrumenting/exposition_formats/

/// A page as it is being written. Whoever writes keeps the lines of a family together.
struct ExpositionPage {
    private(set) var text = ""

    mutating func comment(_ words: String) {
        text += "# \(Self.escaped(words, quotes: false))\n"
    }

    mutating func begin(_ name: String, type: String, help: String?) {
        if let help { text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n" }
        text += "# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: String, _ value: String) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    /// As Go writes and reads numbers: whole ones without a point.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        return "\(value)"
    }

    /// A backslash and a newline would end or change what they stand in; a quote does so in a label.
    static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
