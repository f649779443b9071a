// What authors are given and told, before a hub sees their plugin.

import BelfryCore
import FoundationEssentials
import Testing

@testable import BelfryPlugins

/// Plugins in a directory of their own, and what is said of them.
private struct Workshop {
    let attempts: Attempts
    var root: String { attempts.directory.path }
    let registry: PluginRegistry

    init() throws {
        attempts = try Attempts()
        let places = PluginRegistry.Places(
            bundled: [],
            system: [],
            user: attempts.directory.path + "/user",
            searchPath: "/usr/bin:/bin"
        )
        registry = PluginRegistry(places: places)
    }

    func plugin(_ name: String) throws -> AuthoredPlugin {
        try AuthoredPlugin(directory: "\(root)/\(name)", registry: registry)
    }

    /// Tests the plugin in `name`.
    func test(_ name: String, _ change: (inout PluginTest) -> Void = { _ in }) async throws
        -> PluginTestReport
    {
        let scratch = root + "/scratch"
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        var test = PluginTest(
            try plugin(name).ready(),
            PluginTest.Configuration(
                launcher: Attempts.launcher,
                environment: ["PATH": "/usr/bin:/bin"],
                scratch: scratch
            )
        )
        change(&test)
        return await test.run()
    }

    /// A plugin `probe` of one shell script.
    func write(_ script: String, grace: Int = 5, feature: JSONObject = [:]) throws {
        try attempts.directory.write("#!/bin/sh\n" + script + "\n", to: "probe/main.sh", mode: 0o755)
        var entry = feature
        entry["id"] = "probe"
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "${plugin_dir}/main.sh"],
            "features": [.object(entry)], "cancel_grace_s": .int(Int64(grace)),
        ]
        try attempts.directory.write(manifest.text, to: "probe/plugin.json")
    }
}

@Suite("A new plugin", .timeLimit(.minutes(1)))
struct PluginScaffoldTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    @Test(
        "is sound, and passes every test, in each language that needs no build",
        arguments: [PluginScaffold.Language.sh, .python]
    )
    func passes(_ language: PluginScaffold.Language) async throws {
        try PluginScaffold(id: "greeter", language: language).write(to: workshop.root + "/greeter")
        let plugin = try workshop.plugin("greeter")
        #expect(plugin.problems.isEmpty && plugin.warnings.isEmpty)
        let report = try await workshop.test("greeter")
        #expect(report.cases.count == 4 && report.failures == 0 && report.skipped <= 1, "\(report)")
    }

    @Test("that is made of a command runs it, with what it is given as it is")
    func command() async throws {
        let scaffold = try PluginScaffold(id: "joined", command: CommandTemplate("cat {file} {other:file}"))
        try scaffold.write(to: workshop.root + "/joined")
        try workshop.attempts.directory.write("one\n", to: "it's \"one\" $HOME")
        let trial = try Trial(
            try workshop.plugin("joined").ready(),
            featureID: nil,
            launcher: Attempts.launcher,
            environment: ["PATH": "/usr/bin:/bin"],
            workingDirectory: workshop.root,
            outputDirectory: workshop.root + "/out"
        )
        let file = ("file", "it's \"one\" $HOME")
        let result = try await trial.run(try trial.params(from: [file, ("other", "joined/README.md")]))
        let path = try #require(result.artifacts.first.flatMap { FileURI.path($0.uri) })
        #expect(try String(contentsOfFile: path, encoding: .utf8).hasPrefix("one\n# joined\n"))
    }

    @Test(
        "that is made of a command has an example, with a file where one is wanted, and passes every test",
        arguments: [
            ("tac {file}", ["file": "example.txt"]), ("cp {input} {output.png}", ["input": "example.png"]),
            ("cp {image} {output}", ["image": "example.png"]),
            ("seq {n:integer} {m:number} {last:integer=3}", ["n": 1, "m": 1]),
            ("echo {words}", ["words": "example"]),
        ] as [(String, JSONValue)]
    )
    func examples(_ line: String, _ params: JSONValue) async throws {
        let scaffold = try PluginScaffold(id: "made", command: CommandTemplate(line))
        try scaffold.write(to: workshop.root + "/made")
        let plugin = try workshop.plugin("made")
        #expect(plugin.problems.isEmpty && plugin.warnings.isEmpty, "\(plugin.problems) \(plugin.warnings)")
        #expect(plugin.manifest?.features.first?.examples.map(\.params) == [params])
        let report = try await workshop.test("made")
        #expect(report.failures == 0 && report.cases.count >= 3, "\(report)")
    }

    @Test(
        "that wants a sound or a video says that its author has to bring one",
        arguments: ["x {video}", "x {file} {output.mp3}"]
    )
    func noExample(_ line: String) throws {
        let scaffold = try PluginScaffold(id: "made", command: CommandTemplate(line))
        #expect(scaffold.notes.count == 2 && scaffold.notes[1].contains("examples"))
        #expect(scaffold.files.first { $0.path == "plugin.json" }?.text.contains("examples") == false)
    }

    @Test("in Swift is the program that is built with Belfry as an example of the guide")
    func swift() throws {
        let parts = #filePath.split(separator: "/").dropLast(3)
        let checkout = "/" + parts.joined(separator: "/")
        let scaffold = try PluginScaffold(id: "word-count", language: .swift, belfry: checkout)
        let example = checkout + "/Docs/Examples/SwiftPlugin/Main.swift"
        let files = Dictionary(uniqueKeysWithValues: scaffold.files.map { ($0.path, $0.text) })
        #expect(try files["Sources/Main.swift"] == String(contentsOfFile: example, encoding: .utf8))
        #expect(files["Package.swift"]?.contains(#".package(name: "belfry", path: "\#(checkout)")"#) == true)
        let build = try #require(scaffold.build)
        #expect(build.contains(".build/release/word-count --exec --manifest > plugin.json"))
        #expect(files["README.md"]?.contains(build) == true)
    }

    @Test("in Swift needs a checkout of Belfry, and says so", arguments: [nil, "/nowhere", "/tmp"])
    func noCheckout(_ belfry: String?) {
        let error = #expect(throws: BelfryError.self) {
            try PluginScaffold(id: "counter", language: .swift, belfry: belfry)
        }
        #expect(error?.code == .invalidRequest && error?.fix?.contains("--belfry DIR") == true)
    }

    @Test("is not written over what is there")
    func conflict() throws {
        let scaffold = try PluginScaffold(id: "greeter", language: .sh)
        try scaffold.write(to: workshop.root + "/greeter")
        let error = #expect(throws: BelfryError.self) { try scaffold.write(to: workshop.root + "/greeter") }
        #expect(error?.code == .conflict)
    }

    @Test("has an id that a plugin can have", arguments: ["", "A", "a b", "../a", "-a"])
    func ids(_ id: String) {
        let error = #expect(throws: BelfryError.self) { try PluginScaffold(id: id, language: .sh) }
        #expect(error?.code == .invalidRequest)
    }
}

@Suite("A plugin's author is told", .timeLimit(.minutes(1)))
struct PluginTestTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    @Test("every mistake at once")
    func mistakes() throws {
        try workshop.attempts.directory.write(#"{"id": "A", "kind": "nothing"}"#, to: "probe/plugin.json")
        let plugin = try workshop.plugin("probe")
        #expect(plugin.problems.count >= 4)
        #expect(plugin.problems.allSatisfy { $0.fix?.isEmpty == false })
        #expect(throws: BelfryError.self) { try plugin.ready() }
    }

    @Test("what is missing on this machine")
    func missing() throws {
        try workshop.write("true")
        try FileManager.default.removeItem(atPath: workshop.root + "/probe/main.sh")
        let plugin = try workshop.plugin("probe")
        #expect(plugin.problems.map(\.code) == [.featureUnavailable])
    }

    @Test("which example fails, and why")
    func failure() async throws {
        try workshop.write(
            #"[ "$BELFRY_PARAM_N" = 1 ] && echo "::result {}" || { echo "::error bad_n no"; exit 1; }"#,
            feature: [
                "params": ["type": "object", "required": ["n"], "properties": ["n": ["type": "integer"]]],
                "examples": [["title": "One", "params": ["n": 1]], ["title": "Two", "params": ["n": 2]]],
            ]
        )
        let report = try await workshop.test("probe")
        #expect(try report.failure("completes (One)") == nil)
        #expect(try report.failure("completes (Two)") == "bad_n: no")
        #expect(report.failures == 1)
    }

    @Test("that what is printed besides the protocol belongs to stderr")
    func garbage() async throws {
        try workshop.write(#"echo loading; echo done; echo "::result {}""#)
        let report = try await workshop.test("probe")
        let why = "2 lines mean nothing, the first is: loading"
        #expect(try report.failure("says only lines") == why)
    }

    @Test(
        "that progress falls, or is no percentage",
        arguments: [("50 10", "it fell from 50.0 to 10.0"), ("1 300", "it said 300.0")]
    )
    func progress(_ percents: String, _ why: String) async throws {
        try workshop.write("for p in \(percents); do echo ::progress $p; done; echo '::result {}'")
        #expect(try await workshop.test("probe").failure("says progress") == why)
    }

    @Test("that it does not end when it is cancelled")
    func deafness() async throws {
        // The child of the shell must not hear the signal either.
        try workshop.write(#"trap "" TERM; echo "::progress 1"; sleep 600 & wait; sleep 600"#, grace: 1)
        let (never, end) = AsyncStream.makeStream(of: Void.self)
        defer { end.finish() }
        let report = try await workshop.test("probe") { test in
            test.clocks.sleep = { if $0 == PluginTest.silence { for await _ in never {} } }
        }
        #expect(try report.failure("ends by itself")?.contains("was killed") == true)
        #expect(try report.failure("completes")?.contains("did not end within") == true)
    }

    @Test("that it ends when it is cancelled, also when it says nothing")
    func obedience() async throws {
        try workshop.write("exec sleep 600", grace: 60)
        let report = try await workshop.test("probe") { $0.clocks.sleep = { _ in } }
        #expect(try report.failure("ends by itself") == nil)
        #expect(report.cases.last?.outcome == .passed)
    }

    @Test("that a result all the same tells nothing of how cancelling is heeded")
    func resultAllTheSame() async throws {
        try workshop.write(
            """
            case $BELFRY_OUTPUT_DIR in *-cancelled)
                trap 'echo "::result {}"; exit 0' TERM; echo "::progress 1"; sleep 600 & wait;;
            esac
            echo "::result {}"
            """
        )
        guard case .skipped(let why) = try await workshop.test("probe").cases.last?.outcome else {
            Issue.record("judged")
            return
        }
        #expect(why.hasPrefix("it had its result all the same"))
    }

    @Test("that an example which fails tells nothing of it either; one that has no result then was cancelled")
    func endsWithoutResult() async throws {
        func outcome(_ natural: String) async throws -> PluginTest.Case.Outcome? {
            try workshop.write(
                """
                case $BELFRY_OUTPUT_DIR in *-cancelled)
                    trap 'exit 1' TERM; echo "::progress 1"; sleep 600 & wait;;
                esac
                \(natural)
                """
            )
            return try await workshop.test("probe").cases.last?.outcome
        }
        #expect(try await outcome("echo '::result {}'") == .passed)
        guard case .skipped(let why) = try await outcome("echo '::error no luck'; exit 1") else {
            Issue.record("judged")
            return
        }
        #expect(why.hasPrefix("its example fails"))
    }

    @Test("that a plugin which waits to be configured is no mistake of theirs")
    func notConfigured() throws {
        try workshop.write("true")
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "observer",
            "runner": ["protocol": "observer/1", "command": "${plugin_dir}/main.sh"],
            "settings": [
                "type": "object", "required": ["topic"], "properties": ["topic": ["type": "string"]],
            ],
        ]
        try workshop.attempts.directory.write(manifest.text, to: "probe/plugin.json")
        let plugin = try workshop.plugin("probe")
        #expect(plugin.problems.isEmpty)
        let reason = try #require(plugin.notConfigured)
        #expect(reason.fix?.contains("topic = …") == true)
        #expect(throws: reason) { try plugin.ready() }
        let report = PluginTestReport.untried("probe", because: reason)
        #expect(report.failures == 0 && report.skipped == 1)
    }

    @Test("what is missing on this machine, also while a plugin waits to be configured")
    func notConfiguredAndLacking() throws {
        try workshop.write("true")
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "observer",
            "runner": ["protocol": "observer/1", "command": "${plugin_dir}/main.sh"],
            "requires": ["executables": ["no-such-program"]],
            "settings": [
                "type": "object", "required": ["topic"], "properties": ["topic": ["type": "string"]],
            ],
        ]
        try workshop.attempts.directory.write(manifest.text, to: "probe/plugin.json")
        let plugin = try workshop.plugin("probe")
        #expect(plugin.notConfigured != nil)
        #expect(plugin.problems.count == 1 && plugin.problems[0].message.contains("no-such-program"))
    }

    @Test("that a feature without examples was not tried")
    func noExamples() async throws {
        let needs: JSONValue = ["type": "object", "required": ["n"]]
        try workshop.write("true", feature: ["params": needs])
        #expect(try workshop.plugin("probe").warnings.map { $0.contains("no examples") } == [true])
        let report = try await workshop.test("probe")
        #expect(report.skipped == 1 && report.failures == 0)
    }

    @Test("the same in JUnit's XML")
    func junit() {
        var report = PluginTestReport(pluginID: "a&b")
        report.cases = [
            PluginTestReport.Case("a", "works", .passed, seconds: 1.5),
            PluginTestReport.Case("a", "fails", .failed("it said \"<\u{1B}\n>\"", fix: "Do & don't")),
            PluginTestReport.Case("a", "waits", .skipped("why")),
        ]
        let xml = """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites>
            <testsuite name="a&amp;b" tests="3" failures="1" skipped="1" time="1.50">
            <testcase classname="a" name="works" time="1.50"/>
            <testcase classname="a" name="fails" time="0.00"><failure message="it said &quot;&lt;\u{FFFD}&#10;&gt;&quot;">Do &amp; don't</failure></testcase>
            <testcase classname="a" name="waits" time="0.00"><skipped message="why"/></testcase>
            </testsuite>
            </testsuites>

            """
        #expect(report.junit == xml)
        #expect(report.summary == "1 passed, 1 failed, 1 skipped")
    }
}
