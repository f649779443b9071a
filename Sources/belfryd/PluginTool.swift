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
            TrialText.note("belfry: \(error.message)", fix: error.fix)
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
        TrialText.lines(
            """
            made \(directory)
            \(build)  belfry plugin test \(directory)         try it
              belfry plugin add --link \(directory)   use it from there
            """
        )
        for note in scaffold.notes { TrialText.line(note) }
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
        for warning in plugin.warnings { TrialText.line("warning: \(warning)") }
        if let reason = plugin.notConfigured {
            TrialText.line("warning: \(reason.message)")
            if let fix = reason.fix { TrialText.line("  fix: \(fix)") }
        }
        for problem in plugin.problems {
            TrialText.line("error: \(problem.message)")
            if let fix = problem.fix { TrialText.line("  fix: \(fix)") }
        }
        guard plugin.problems.isEmpty, let manifest = plugin.manifest else { throw ExitCode(1) }
        let features = manifest.features.map(\.id).joined(separator: ", ")
        let line = "ok: \(manifest.id) \(manifest.version), \(manifest.runner.wire.rawValue)"
        TrialText.line(features.isEmpty ? line : "\(line): \(features)")
    }

    // MARK: test

    private func test(_ order: JSONValue) async throws {
        let surroundings = try plugin(order)
        let report = try await tested(surroundings, order)
        TrialText.line(report.summary)
        if let path = order["junit"]?.string { try write(report.junit, to: path) }
        if report.failures > 0 { throw ExitCode(1) }
    }

    private func tested(_ surroundings: Surroundings, _ order: JSONValue) async throws -> PluginTestReport {
        @Sendable func tell(_ found: PluginTest.Case) { for line in found.lines { TrialText.line(line) } }
        if let id = surroundings.found.manifest?.id, let reason = surroundings.found.notConfigured {
            let report = PluginTestReport.untried(id, because: reason)
            report.cases.forEach(tell)
            return report
        }
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
        let test = PluginTest(plugin, configuration)
        return try await scratch.whileItLasts { await test.run(onCase: tell) }
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
            let result = try await inOutputDirectory(order) { output in
                isServer
                    ? try await call(plugin, surroundings, order, output)
                    : try await attempt(plugin, surroundings, order, output)
            }
            // JSON escapes control characters by itself.
            TrialText.lines(result.json.prettyText)
        } catch let failure as TaskFailure {
            TrialText.note("failed(\(failure.code)): \(failure.message)", fix: failure.fix)
            throw ExitCode(1)
        } catch let snooze as TaskSnooze {
            TrialText.note("snoozed for \(snooze.delay.seconds) s: \(snooze.message ?? "")")
            throw ExitCode(1)
        }
    }

    private func attempt(
        _ plugin: InstalledPlugin,
        _ surroundings: Surroundings,
        _ order: JSONValue,
        _ output: String
    ) async throws -> TaskResult {
        let trial = try Trial(
            plugin,
            featureID: order["feature"]?.string,
            launcher: surroundings.launcher,
            environment: surroundings.environment,
            secrets: surroundings.secrets,
            workingDirectory: FileManager.default.currentDirectoryPath,
            outputDirectory: output,
            trace: trace(order)
        )
        let params = try trial.params(from: try pairs(order["params"]?.array ?? []))
        let log = TrialLog()
        defer { log.finish() }
        return try await trial.run(params, onProgress: TrialText.progress, onLog: log.take)
    }

    private func call(
        _ plugin: InstalledPlugin,
        _ surroundings: Surroundings,
        _ order: JSONValue,
        _ output: String
    ) async throws -> TaskResult {
        let trial = ServerTrial(
            plugin,
            launcher: surroundings.launcher,
            environment: surroundings.environment,
            secrets: surroundings.secrets,
            workingDirectory: FileManager.default.currentDirectoryPath,
            trace: trace(order)
        )
        let log = TrialLog()
        defer { log.finish() }
        return try await trial.run(
            order["feature"]?.string,
            try pairs(order["params"]?.array ?? []),
            outputDirectory: output,
            onProgress: TrialText.progress,
            onLog: log.take
        )
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
            onError: TrialText.note
        )
        let input = isatty(0) != 0 ? [] : FileHandleText.readAll(0)
        let lines = String(decoding: input, as: UTF8.self).split(separator: "\n").map(String.init)
        let isDone = try await trial.run(lines) { type, position, answer in
            TrialText.line("\(position)  \(type)  \(TrialText.words(answer))")
        }
        if !isDone { throw ExitCode(1) }
    }

    private func trace(_ order: JSONValue) -> PluginTrace? {
        order["trace"]?.bool == true ? TrialText.trace : nil
    }

    /// Does something with the directory that the author named, or with a new one. That stays when there is a file
    /// in it, declared or not.
    private func inOutputDirectory(_ order: JSONValue, _ body: (String) async throws -> TaskResult)
        async throws
        -> TaskResult
    {
        if let named = order["output"]?.string { return try await body(try outputDirectory(named)) }
        let scratch = try Scratch()
        defer {
            if scratch.hasFiles {
                TrialText.note("what it made is in \(scratch.path)")
            } else {
                scratch.remove()
            }
        }
        return try await scratch.whileItLasts { try await body(scratch.path) }
    }

    private func outputDirectory(_ named: String) throws -> String {
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
