// What a manifest and the user say about the events of an observer and the settings of a plugin.

import BelfryCore
import Testing

@testable import BelfryPlugins

@Suite("Observers' manifests and settings")
struct ObserverManifestTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func inspect(_ more: JSONObject) throws -> PluginManifest.Inspection {
        var manifest: JSONObject = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "observer",
            "runner": ["protocol": "observer/1", "command": "true"],
        ]
        for (key, value) in more { manifest[key] = value }
        try directory.write(JSONValue.object(manifest).text, to: "probe/plugin.json")
        return PluginManifest.inspect(directory: directory.path + "/probe")
    }

    private func record(_ kind: TaskEvent.Kind, feature: String? = nil) -> EventRecord {
        let json: JSONValue = feature.map { ["task": ["featureId": .string($0)]] } ?? [:]
        return EventRecord(
            cursor: EventCursor(epoch: "e", position: 1),
            kind: kind,
            taskID: nil,
            json: json.encoded
        )
    }

    @Test("an observer that says nothing hears everything from now on, one event at a time")
    func defaults() throws {
        let observation = try #require(inspect([:]).manifest).observation
        #expect(observation == PluginManifest.Observation())
        #expect(TaskEvent.Kind.allCases.allSatisfy { observation.filter.matches(record($0)) })
    }

    @Test("types are named in full, shortly or by a star; features by patterns")
    func filter() throws {
        let more: JSONObject = [
            "events": ["completed", "task.failed", "batch.*"], "event_features": ["video", "text-*"],
            "start": "oldest", "window": 20, "answer_timeout_s": 5,
        ]
        let inspection = try inspect(more)
        let observation = try #require(inspection.manifest).observation
        #expect(inspection.warnings.isEmpty)
        #expect(observation.filter.kinds == [.completed, .failed, .batchAdded, .batchFinished])
        #expect(observation.filter.matches(record(.completed, feature: "text-to-image")))
        #expect(observation.filter.matches(record(.failed, feature: "video")))
        #expect(!observation.filter.matches(record(.added, feature: "video")))
        #expect(!observation.filter.matches(record(.completed, feature: "shell")))
        #expect(!observation.filter.matches(record(.batchFinished)))
        #expect(observation.start == .oldest && observation.window == 20)
        #expect(observation.answerTimeout == .seconds(5))
    }

    @Test("a type that is none is a mistake with a suggestion; what is for observers is refused elsewhere")
    func mistakes() throws {
        let wrong = try inspect(["events": ["compelted"]]).mistakes
        #expect(wrong.first?.message.contains("did you mean 'completed'?") == true, "\(wrong)")
        #expect(wrong.first?.pointer == "/events")
        let feature = try inspect([
            "kind": "feature", "runner": ["protocol": "exec/1", "command": "true"],
            "features": [["id": "probe"]], "events": ["completed"],
        ])
        #expect(feature.mistakes.map(\.pointer) == ["/events"])
    }

    private func scan(_ settings: JSONObject?) -> PluginSnapshot.State? {
        let registry = PluginRegistry(
            places: PluginRegistry.Places(
                bundled: [directory.path],
                system: [],
                user: directory.path + "/user",
                searchPath: "/usr/bin:/bin"
            ),
            settings: settings.map { ["probe": $0] } ?? [:],
            configurationFile: "/etc/my.toml"
        )
        return registry.scan()["probe"]?.state
    }

    private let schema: JSONValue = [
        "type": "object", "required": ["url"], "additionalProperties": false,
        "properties": ["url": ["type": "string"], "tries": ["type": "integer", "default": 3]],
    ]

    @Test("a plugin that wants a setting is unavailable until it is there, and says what to set and where")
    func unconfigured() throws {
        _ = try inspect(["settings": schema])
        let problem = try #require(scan(nil)?.problem)
        #expect(problem.reason == "it is not configured" && problem.isChoice)
        #expect(problem.fix?.hasPrefix("Set url = … below [plugins.probe]") == true)
        let wrong = try #require(scan(["url": 7])?.problem)
        #expect(wrong.reason.contains("'url' must be") && !wrong.isChoice, "\(wrong)")
        guard case .ready(let plugin) = scan(["url": "here"]) else {
            Issue.record("not ready")
            return
        }
        #expect(
            plugin.environment.filter { $0.key.hasPrefix("BELFRY_") } == [
                "BELFRY_SETTINGS": "{\"url\":\"here\",\"tries\":3}", "BELFRY_SETTING_URL": "here",
                "BELFRY_SETTING_TRIES": "3",
            ]
        )
    }

    @Test("a setting that is not known is named, with those that are and the file")
    func unknownSetting() throws {
        _ = try inspect(["settings": schema])
        let problem = try #require(scan(["url": "here", "tires": 4])?.problem)
        #expect(problem.reason == "the setting 'tires' is not known; did you mean 'tries'?")
        let fix = problem.fix ?? ""
        #expect(fix.contains("[plugins.probe] in /etc/my.toml; it knows url, tries, events"), "\(fix)")
        #expect(!fix.contains("Set ") && fix.contains("belfry stop"), "\(fix)")
    }

    @Test("the user's choice of events takes the place of the manifest's, and a wrong one is said")
    func chosenEvents() throws {
        _ = try inspect(["settings": schema, "events": ["completed"]])
        guard case .ready(let plugin) = scan(["url": "here", "events": ["failed"], "start": "oldest"]) else {
            Issue.record("not ready")
            return
        }
        #expect(plugin.manifest.observation.filter.kinds == [.failed])
        #expect(plugin.manifest.observation.start == .oldest)
        #expect(scan(["url": "here", "events": ["fail"]])?.problem?.reason.contains("'fail'") == true)
        #expect(scan(["url": "here", "start": "soon"])?.problem?.reason.contains("now or oldest") == true)
    }

    @Test("answers are read in both forms, and what is none means nothing")
    func answers() {
        let known: [(String, ObserverAnswer)] = [
            ("{\"ack\":7}", .ack(7)), (" ::ack 7", .ack(7)),
            ("{\"reject\":7,\"reason\":\"odd\"}", .reject(7, "odd")),
            ("::reject 7 very odd", .reject(7, "very odd")),
            ("::reject 7", .reject(7, "no reason given")),
            ("{\"retry\":7}", .retry(7, "no reason given", after: nil)),
            ("::retry 7 1.5 full", .retry(7, "full", after: .milliseconds(1500))),
            ("::retry 7", .retry(7, "no reason given", after: nil)),
            ("{\"retry\":7,\"after_s\":1e300}", .retry(7, "no reason given", after: .seconds(86_400))),
            ("::status busy", .status("busy")), ("{\"status\":\"\"}", .status("")),
        ]
        for (line, answer) in known { #expect(ObserverAnswer(line) == answer, "\(line)") }
        for line in ["", "ack 7", "{\"ack\":\"7\"}", "::ack x", "::retry 7 soon", "{\"ack\":", "::", "[7]"] {
            #expect(ObserverAnswer(line) == nil, "\(line)")
        }
    }
}
