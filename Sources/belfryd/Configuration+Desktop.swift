// What the configuration says about popups.

import BelfryCore
import BelfryDesktop

extension Configuration {
    mutating func readDesktop(_ reader: inout ConfigurationReader) throws {
        let key = "sinks.desktop."
        if let flag = try reader.bool(key + "enabled") { isDesktopSinkEnabled = flag }
        if let flag = try reader.bool(key + "progress") { desktop.showsProgress = flag }
        if let seconds = try reader.int(key + "progress_after_seconds", 0...86_400) {
            desktop.progressDelay = .seconds(seconds)
        }
        if let count = try reader.int(key + "aggregate_above", 0...1000) {
            desktop.aggregateAbove = Int(count)
        }
        if let count = try reader.int(key + "summary_above", 0...1000) { desktop.summaryAbove = Int(count) }
        if let flag = try reader.bool(key + "private") { desktop.isPrivate = flag }
        if let flag = try reader.bool(key + "sounds") { desktop.playsSounds = flag }
        if let flag = try reader.bool(key + "pictures") { desktop.showsPictures = flag }
        if let ranges = try reader.strings(key + "quiet_hours") {
            let hours = try QuietHours(ranges, place: reader.place(of: key + "quiet_hours"))
            desktop.quietHours = hours.isEmpty ? nil : hours
        }
        try readTexts(&reader)
        var rules: [PopupRule] = []
        try reader.tables(key + "rules") { rules.append(try Self.rule(&$0)) }
        if !rules.isEmpty { desktop.rules = rules }
    }

    private mutating func readTexts(_ reader: inout ConfigurationReader) throws {
        let texts: [(String, WritableKeyPath<PopupTexts, PopupTemplate>)] = [
            ("progress_title", \.progressTitle), ("progress_body", \.progressBody),
            ("completed_title", \.completedTitle), ("completed_body", \.completedBody),
            ("failed_title", \.failedTitle), ("failed_body", \.failedBody),
            ("cancelled_title", \.cancelledTitle), ("cancelled_body", \.cancelledBody),
        ]
        for (name, path) in texts {
            if let template = try Self.template("sinks.desktop.text." + name, &reader) {
                desktop.texts[keyPath: path] = template
            }
        }
    }

    private static func rule(_ reader: inout ConfigurationReader) throws -> PopupRule {
        var rule = PopupRule()
        rule.feature = try reader.string("feature").map { Glob($0) }
        rule.user = try reader.string("user").map { Glob($0) }
        rule.origin = try reader.string("origin").map { Glob($0) }
        if let name = try reader.string("outcome") {
            guard let occasion = PopupOccasion(rawValue: name) else {
                let names = PopupOccasion.allCases.map(\.rawValue).joined(separator: ", ")
                throw reader.error("outcome", "must be one of: \(names)")
            }
            rule.occasion = occasion
        }
        (rule.minDuration, rule.maxDuration) = try durations(&reader)
        if let name = try reader.string("urgency") {
            let known: [String: PopupRule.Loudness] = [
                "none": .none, "low": .shown(.low), "normal": .shown(.normal), "critical": .shown(.critical),
            ]
            guard let loudness = known[name] else {
                throw reader.error("urgency", "must be one of: none, low, normal, critical")
            }
            rule.loudness = loudness
        }
        rule.title = try template("title", &reader)
        rule.body = try template("body", &reader)
        return rule
    }

    private static func durations(_ reader: inout ConfigurationReader) throws -> (Duration?, Duration?) {
        let least = try reader.int("min_seconds", 0...31_536_000)
        let most = try reader.int("max_seconds", 0...31_536_000)
        if let least, let most, least > most {
            throw reader.error("min_seconds", "must not be more than max_seconds")
        }
        return (least.map { .seconds($0) }, most.map { .seconds($0) })
    }

    private static func template(_ key: String, _ reader: inout ConfigurationReader) throws -> PopupTemplate?
    {
        try reader.string(key).map { try PopupTemplate($0, place: reader.place(of: key)) }
    }
}
