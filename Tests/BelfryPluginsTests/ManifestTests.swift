// What a manifest says of how its features are run, and what is told when it says it wrongly.

import BelfryCore
import Testing

@testable import BelfryPlugins

@Suite("A manifest's features")
struct ManifestTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    /// Inspects a plugin whose one feature has these members beside its id.
    private func inspect(_ members: String) throws -> PluginManifest.Inspection {
        var feature = try JSONValue(parsing: members).object ?? [:]
        feature["id"] = "probe"
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "true"], "features": [.object(feature)],
        ]
        try directory.write(manifest.text, to: "plugin.json")
        return PluginManifest.inspect(directory: directory.path)
    }

    private func descriptor(_ members: String) throws -> FeatureDescriptor {
        let inspection = try inspect(members)
        #expect(inspection.warnings == [])
        let manifest = try #require(inspection.manifest, "\(inspection.mistakes)")
        return manifest.descriptor(of: manifest.features[0])
    }

    @Test("needs, timeouts and retries reach whoever runs its tasks")
    func descriptor() throws {
        let descriptor = try descriptor(
            """
            {"needs": {"slots": 2, "gpu": 1, "memory": "8G"}, "timeouts": {"idle_s": 120, "total_s": 1800.5},
             "retry": {"max_attempts": 5, "initial_delay_s": 2, "max_delay_s": 60, "multiplier": 3, "jitter": 0.5,
                       "retry_on": ["exit_status"], "give_up_on": ["bad_input", "too_large"]}}
            """
        )
        #expect(descriptor.needs == TaskNeeds(slots: 2, resources: ["gpu": 1, "memory": 8 << 30]))
        #expect(descriptor.timeouts == TaskTimeouts(attempt: .milliseconds(1_800_500), idle: .seconds(120)))
        var retry = RetryPolicy()
        (retry.maxAttempts, retry.initialDelay, retry.maxDelay) = (5, .seconds(2), .seconds(60))
        (retry.multiplier, retry.jitter) = (3, 0.5)
        (retry.retryOn, retry.giveUpOn) = (["exit_status"], ["bad_input", "too_large"])
        #expect(descriptor.retry == retry)
    }

    @Test("a feature that says nothing needs one slot, has no bounds and is tried once")
    func defaults() throws {
        let descriptor = try descriptor("{}")
        #expect(descriptor.needs.isDefault)
        #expect(descriptor.timeouts == TaskTimeouts())
        #expect(descriptor.retry == .never)
        #expect(try self.descriptor(#"{"retry": {}}"#).retry == RetryPolicy())
    }

    @Test(
        "what is wrong is told with its place",
        arguments: [
            (#"{"needs": {"slots": 0}}"#, "/needs/slots"), (#"{"needs": {"slots": 1025}}"#, "/needs/slots"),
            (#"{"needs": {"GPU": 1}}"#, "/needs/GPU"), (#"{"needs": {"a/b": 1}}"#, "/needs/a~1b"),
            (#"{"needs": {"gpu": -1}}"#, "/needs/gpu"), (#"{"needs": {"gpu": 0.5}}"#, "/needs/gpu"),
            (#"{"needs": {"memory": "much"}}"#, "/needs/memory"), (#"{"needs": ["gpu"]}"#, "/needs"),
            (#"{"retry": {"jitter": 1.5}}"#, "/retry/jitter"),
            (#"{"retry": {"jitter": "0"}}"#, "/retry/jitter"),
            (#"{"retry": {"retry_on": "busy"}}"#, "/retry/retry_on"),
            (#"{"retry": {"retry_on": [""]}}"#, "/retry/retry_on"),
            (#"{"retry": {"give_up_on": [7]}}"#, "/retry/give_up_on"),
        ]
    )
    func mistakes(members: String, place: String) throws {
        let inspection = try inspect(members)
        #expect(inspection.manifest == nil)
        #expect(inspection.mistakes.map(\.pointer) == ["/features/0" + place])
        #expect(inspection.mistakes.first?.fix?.isEmpty == false)
    }

    @Test("more than 32 codes, or a code of more than 64 bytes, are too many")
    func codes() throws {
        for codes in [(0..<33).map { "c\($0)" }, [String(repeating: "c", count: 65)]] {
            let list = JSONValue.array(codes.map { .string($0) }).text
            #expect(try inspect(#"{"retry": {"give_up_on": \#(list)}}"#).mistakes.count == 1)
        }
    }

    @Test("keys that mean nothing are noted, with what may have been meant")
    func unknown() throws {
        let inspection = try inspect(#"{"need": {"gpu": 1}, "retry": {"retryon": ["busy"]}}"#)
        #expect(inspection.manifest != nil)
        #expect(inspection.warnings.count == 2)
        #expect(inspection.warnings.contains { $0.contains("/features/0/need ") && $0.contains("'needs'") })
        #expect(inspection.warnings.contains { $0.contains("/retry/retryon ") && $0.contains("'retry_on'") })
    }
}
