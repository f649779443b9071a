// What an observer's manifest says about the events that it hears.

import BelfryCore

extension PluginManifest {
    /// What an observer hears, and how it is handed over.
    public struct Observation: Sendable, Hashable {
        /// Where an observer begins that has never run.
        public enum Start: String, Sendable, CaseIterable { case now, oldest }

        /// Defaults to all events.
        public var filter = EventFilter()
        /// Defaults to now: what happens from its first start on.
        public var start = Start.now
        /// Events that are handed over before the first is answered, 1…1000. Defaults to 1.
        public var window = 1
        /// An observer that answers nothing for so long is taken for hung. Defaults to 60 seconds.
        public var answerTimeout = Duration.seconds(60)

        public init() {}
    }

    static let observerKeys = ["events", "event_features", "start", "window", "answer_timeout_s"]

    static func readObservation(_ fields: ManifestFields, _ kind: Kind) -> Observation {
        var observation = Observation()
        guard kind == .observer else {
            for key in observerKeys where fields.object[key] != nil {
                fields.mistake(key, "is for observers", fix: "Leave it out, or write \"kind\": \"observer\".")
            }
            return observation
        }
        if fields.object["events"] != nil {
            do throws(EventFilter.Unknown) {
                observation.filter.kinds = try EventFilter.kinds(fields.strings("events"))
            } catch { fields.mistake("events", error.reason, fix: EventFilter.Unknown.fix) }
        }
        if fields.object["event_features"] != nil {
            observation.filter.features = fields.strings("event_features").map { Glob($0) }
        }
        observation.start = fields.choice("start", Observation.Start.self) ?? observation.start
        observation.window = fields.int("window", in: 1...1000) ?? observation.window
        observation.answerTimeout =
            fields.seconds("answer_timeout_s", in: 0.1...86_400) ?? observation.answerTimeout
        return observation
    }
}
