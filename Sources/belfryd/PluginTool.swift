// What `belfry plugin new|validate|test|run` hand over to: work on a plugin's directory, without a hub. The order
// comes as JSON, so that the options are declared in one place, the command line's.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryPlugins
import FoundationEssentials
import Glibc
import Logging
import Synchronization

struct PluginTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin-tool",
        abstract: "Works on a plugin's directory.",
        shouldDisplay: false
    )

    @Argument var order: String

    func run() async throws {
        // Not `Process.prepare()`: what an author is given is made with the author's own mask.
        signal(SIGPIPE, SIG_IGN)
        do {
            let order = try JSONValue(parsing: order)
            switch order["do"]?.string {
            case "new": try new(order)
            case "validate": try validate(order)
            case "test": try await test(order)
            default: try await trial(order)
            }
        } catch let error as BelfryError {
            FileHandleText.standardError("belfry: \(error.description)")
            throw ExitCode(error.code == .notWritable ? 77 : 1)
        }
    }

    // MARK: new

    private func new(_ order: JSONValue) throws {
        let id = order["id"]?.string ?? ""
        let directory = order["directory"]?.string ?? id
        let scaffold =
            if let command = order["command"]?.string {
                try PluginScaffold(id: id, command: CommandTemplate(command))
            } else {
                try PluginScaffold(
                    id: id,
                    language: try language(order["language"]?.string ?? "sh"),
                    belfry: order["belfry"]?.string
                )
            }
        try scaffold.write(to: directory)
        let build = scaffold.build.map { "  (cd \(directory) && \($0))\n" } ?? ""
        print(
            """
            made \(directory)
            \(build)  belfry plugin test \(directory)         try it
              belfry plugin add --link \(directory)   use it from there
            """
        )
    }

    private func language(_ name: String) throws -> PluginScaffold.Language {
        if let language = PluginScaffold.Language(rawValue: name) { return language }
        throw BelfryError(
            .invalidRequest,
            "There is nothing to begin with in '\(name)'.",
            fix:
                "--lang is one of: \(PluginScaffold.Language.allCases.map(\.rawValue).joined(separator: ", "))"
        )
    }

    // MARK: validate

    private func validate(_ order: JSONValue) throws {
        let plugin = try plugin(order).found
        for warning in plugin.warnings { print("warning: \(warning)") }
        for problem in plugin.problems {
            print("error: \(problem.message)")
            if let fix = problem.fix { print("  fix: \(fix)") }
        }
        guard plugin.problems.isEmpty, let manifest = plugin.manifest else { throw ExitCode(1) }
        let features = manifest.features.map(\.id).joined(separator: ", ")
        print("ok: \(manifest.id) \(manifest.version), \(manifest.runner.wire.rawValue)", terminator: "")
        print(features.isEmpty ? "" : ": \(features)")
    }

    // MARK: test

    private func test(_ order: JSONValue) async throws {
        let surroundings = try plugin(order)
        let plugin = try surroundings.found.ready()
        let scratch = try Scratch()
        defer { scratch.remove() }
        var configuration = PluginTest.Configuration(
            launcher: surroundings.launcher,
            environment: surroundings.environment,
            scratch: scratch.path
        )
        configuration.secrets = surroundings.secrets
        configuration.timeout = .seconds(order["timeout"]?.double ?? 60)
        let report = await PluginTest(plugin, configuration).run { print($0.text) }
        print(report.summary)
        if let path = order["junit"]?.string { try write(report.junit, to: path) }
        if report.failures > 0 { throw ExitCode(1) }
    }

    private func write(_ text: String, to path: String) throws {
        do { try text.write(toFile: path, atomically: true, encoding: .utf8) } catch {
            throw BelfryError(
                .notWritable,
                "\(path) cannot be written.",
                fix: "Name another file: --junit FILE"
            )
        }
    }

    // MARK: run

    private func trial(_ order: JSONValue) async throws {
        let surroundings = try plugin(order)
        let plugin = try surroundings.found.ready()
        if plugin.manifest.runner.wire == .observer { return try await observe(plugin, surroundings, order) }
        do {
            let isServer = plugin.manifest.runner.wire == .mcp
            let result =
                isServer
                ? try await call(plugin, surroundings, order) : try await attempt(plugin, surroundings, order)
            print(result.json.prettyText)
        } catch let failure as TaskFailure {
            let fix = failure.fix.map { "\n  fix: \($0)" } ?? ""
            FileHandleText.standardError("failed(\(failure.code)): \(failure.message)\(fix)")
            throw ExitCode(1)
        } catch let snooze as TaskSnooze {
            FileHandleText.standardError("snoozed for \(snooze.delay.seconds) s: \(snooze.message ?? "")")
            throw ExitCode(1)
        }
    }

    private func attempt(
        _ plugin: InstalledPlugin,
        _ surroundings: Surroundings,
        _ order: JSONValue
    ) async throws -> TaskResult {
        let trial = try Trial(
            plugin,
            featureID: order["feature"]?.string,
            launcher: surroundings.launcher,
            environment: surroundings.environment,
            secrets: surroundings.secrets,
            workingDirectory: FileManager.default.currentDirectoryPath,
            outputDirectory: try outputDirectory(order),
            trace: trace(order)
        )
        let params = try trial.params(from: try pairs(order["params"]?.array ?? []))
        return try await trial.run(params, onProgress: TraceText.progress) {
            FileHandleText.writeAll($0, to: 2)
        }
    }

    private func call(
        _ plugin: InstalledPlugin,
        _ surroundings: Surroundings,
        _ order: JSONValue
    ) async throws -> TaskResult {
        let trial = ServerTrial(
            plugin,
            launcher: surroundings.launcher,
            environment: surroundings.environment,
            secrets: surroundings.secrets,
            workingDirectory: FileManager.default.currentDirectoryPath,
            trace: trace(order)
        )
        return try await trial.run(
            order["feature"]?.string,
            try pairs(order["params"]?.array ?? []),
            outputDirectory: try outputDirectory(order),
            onProgress: TraceText.progress
        ) { FileHandleText.writeAll($0, to: 2) }
    }

    /// Hands the lines of stdin to an observer; from a terminal, a sample of each event that it hears.
    private func observe(
        _ plugin: InstalledPlugin,
        _ surroundings: Surroundings,
        _ order: JSONValue
    ) async throws {
        if order["feature"] != nil || order["output"] != nil || order["params"]?.array?.isEmpty == false {
            throw BelfryError(
                .invalidRequest,
                "An observer has no features, parameters or output.",
                fix: "Hand it events on stdin: belfry tail --json | belfry plugin run DIR"
            )
        }
        let trial = ObserverTrial(
            plugin,
            launcher: surroundings.launcher,
            environment: surroundings.environment,
            secrets: surroundings.secrets,
            trace: trace(order),
            onError: { FileHandleText.standardError($0) }
        )
        let input = isatty(0) != 0 ? [] : FileHandleText.readAll(0)
        let lines = String(decoding: input, as: UTF8.self).split(separator: "\n").map(String.init)
        let isDone = try await trial.run(lines) { type, position, answer in
            print("\(position)  \(type)  \(TraceText.words(answer))")
        }
        if !isDone { throw ExitCode(1) }
    }

    private func trace(_ order: JSONValue) -> PluginTrace? {
        order["trace"]?.bool == true ? TraceText.print : nil
    }

    private func outputDirectory(_ order: JSONValue) throws -> String {
        guard let named = order["output"]?.string else { return try Scratch().path }
        let path = named.hasPrefix("/") ? named : FileManager.default.currentDirectoryPath + "/" + named
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw BelfryError(.notWritable, "\(path) cannot be made.", fix: "Name another: --output DIR")
        }
        return path
    }

    private func pairs(_ words: [JSONValue]) throws -> [(key: String, value: String)] {
        try words.compactMap(\.string).map { word in
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                throw BelfryError(.invalidRequest, "'\(word)' is no key=value.", fix: "Write key=value.")
            }
            return (String(word[..<equals]), String(word[word.index(after: equals)...]))
        }
    }

    // MARK: Surroundings

    /// What the hub would start a plugin with.
    private struct Surroundings {
        let found: AuthoredPlugin
        let launcher: String
        let environment: [String: String]
        let secrets: PluginSecrets
    }

    private func plugin(_ order: JSONValue) throws -> Surroundings {
        let environment = ProcessInfo.processInfo.environment
        let places = Places(environment: environment)
        let (configuration, warnings) = try Configuration.load(places)
        let assembly = Assembly(
            places: places,
            configuration: configuration,
            warnings: warnings,
            logger: Logger(label: "belfryd")
        )
        return Surroundings(
            found: try AuthoredPlugin(
                directory: order["directory"]?.string ?? ".",
                registry: assembly.registry
            ),
            launcher: assembly.launcher,
            environment: environment.merging(configuration.environment) { _, own in own },
            secrets: configuration.secrets
        )
    }
}

/// A new directory below the system's for temporary files.
private struct Scratch {
    let path: String

    init() throws {
        let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(base)/belfry-plugin-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw BelfryError(
                .notWritable,
                "No directory can be made in \(base): \(String(cString: strerror(errno))).",
                fix: "Set TMPDIR to a directory that you may write to."
            )
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// What a trial shows on stderr while it runs.
private enum TraceText {
    @Sendable static func print(_ frame: PluginFrame, _ line: String) {
        FileHandleText.standardError((frame == .sent ? "→ " : "← ") + line)
    }

    static func words(_ answer: ObserverTrial.Answer) -> String {
        switch answer {
        case .ack: "ack"
        case .reject(let reason): "reject: \(reason)"
        case .retry(let reason): "retry: \(reason)"
        case .none(let reason): "no answer: \(reason)"
        }
    }

    @Sendable static func progress(_ percent: Double?, _ message: String?) {
        let words = [percent.map { "\(Int($0.rounded())) %" }, message].compactMap(\.self)
        FileHandleText.standardError(words.joined(separator: "  "))
    }
}
