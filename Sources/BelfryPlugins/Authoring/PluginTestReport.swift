// What a test of a plugin found: for the eye, and for the programs that read JUnit's XML.

public import BelfryCore

/// The outcome of every case, in the order in which they ran.
public struct PluginTestReport: Sendable {
    /// One thing that was tried.
    public struct Case: Sendable, Hashable {
        public enum Outcome: Sendable, Hashable {
            case passed
            /// It works, but not as well as it could: why, and the next step.
            case warned(String, fix: String?)
            /// Why, and the next step.
            case failed(String, fix: String?)
            /// Why it was not tried.
            case skipped(String)
        }

        /// The feature or the plugin that it is about.
        public var subject: String
        /// A sentence without its subject, such as `ends when it is cancelled`.
        public var name: String
        public var outcome: Outcome
        public var seconds: Double

        public init(_ subject: String, _ name: String, _ outcome: Outcome, seconds: Double = 0) {
            self.subject = subject
            self.name = name
            self.outcome = outcome
            self.seconds = seconds
        }
    }

    public let pluginID: String
    public internal(set) var cases: [Case] = []

    /// The report of a plugin that does nothing yet.
    public static func untried(_ pluginID: String, because reason: BelfryError) -> PluginTestReport {
        let why = [reason.message, reason.fix].compactMap(\.self).joined(separator: ". ")
        return PluginTestReport(
            pluginID: pluginID,
            cases: [Case(pluginID, "does what it is for", .skipped(why))]
        )
    }

    public var failures: Int {
        cases.count { if case .failed = $0.outcome { true } else { false } }
    }

    public var skipped: Int {
        cases.count { if case .skipped = $0.outcome { true } else { false } }
    }

    public var warnings: Int {
        cases.count { if case .warned = $0.outcome { true } else { false } }
    }

    /// `7 passed, 1 failed, 2 skipped, 1 warning`; what is warned of has passed.
    public var summary: String {
        let passed = cases.count - failures - skipped
        let rest = [(skipped, "skipped"), (warnings, warnings == 1 ? "warning" : "warnings")].filter {
            $0.0 > 0
        }
        return (["\(passed) passed", "\(failures) failed"] + rest.map { "\($0.0) \($0.1)" }).joined(
            separator: ", "
        )
    }

    /// The report as JUnit's XML.
    public var junit: String {
        let total = cases.reduce(0) { $0 + $1.seconds }
        let counts = "tests=\"\(cases.count)\" failures=\"\(failures)\" skipped=\"\(skipped)\""
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuites>",
            "<testsuite name=\"\(XML.escaped(pluginID))\" \(counts) time=\"\(XML.seconds(total))\">",
        ]
        lines += cases.map(\.junit)
        return (lines + ["</testsuite>", "</testsuites>", ""]).joined(separator: "\n")
    }
}

extension PluginTestReport.Case {
    /// For people: `ok      poster: ends when it is cancelled (0.31 s)`, and in a second line what to do about a
    /// failure. There may be anything of the plugin's in them, control characters too.
    public var lines: [String] {
        func fixed(_ line: String, _ fix: String?) -> [String] {
            [line] + (fix.map { ["        fix: \($0)"] } ?? [])
        }
        return switch outcome {
        case .passed: ["ok      \(subject): \(name) (\(XML.seconds(seconds)) s)"]
        case .warned(let why, let fix): fixed("warning \(subject): \(name): \(why)", fix)
        case .skipped(let why): ["skipped \(subject): \(name): \(why)"]
        case .failed(let why, let fix): fixed("FAILED  \(subject): \(name): \(why)", fix)
        }
    }

    fileprivate var junit: String {
        let head =
            "<testcase classname=\"\(XML.escaped(subject))\" name=\"\(XML.escaped(name))\" time=\"\(XML.seconds(seconds))\""
        switch outcome {
        case .passed: return head + "/>"
        case .warned(let why, _):
            return head + "><system-out>warning: \(XML.escaped(why))</system-out></testcase>"
        case .skipped(let why): return head + "><skipped message=\"\(XML.escaped(why))\"/></testcase>"
        case .failed(let why, let fix):
            return head
                + "><failure message=\"\(XML.escaped(why))\">\(XML.escaped(fix ?? ""))</failure></testcase>"
        }
    }
}

private enum XML {
    /// For text and attributes. What XML 1.0 has no way to say (section 2.2) is replaced.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n": result += "&#10;"
            case "\t", " "..."\u{D7FF}", "\u{E000}"..."\u{FFFD}", "\u{10000}"..."\u{10FFFF}":
                result.unicodeScalars.append(scalar)
            default: result += "\u{FFFD}"
            }
        }
        return result
    }

    static func seconds(_ seconds: Double) -> String {
        let hundredths = Int((seconds * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
