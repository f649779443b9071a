// belfry feature: what can be run. And the question that commands ask before they do what cannot be undone.

import ArgumentParser
import BelfryAPI
import BelfryCore
import Glibc

struct FeatureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feature",
        abstract: "What can be run, and its parameters.",
        subcommands: [FeatureListCommand.self, FeatureShowCommand.self],
        defaultSubcommand: FeatureListCommand.self
    )
}

struct FeatureListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the features.")

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let answer = try Session().ask("GET", "/v1/features")
        if json { return Output.json(answer) }
        var table = Table(["FEATURE", "STATE", "FROM", "WHAT IT DOES"])
        for feature in answer["features"]?.array ?? [] {
            let state = feature["state"]?.string ?? "ready"
            let reason = feature["reason"]?.string.map { " (\($0))" } ?? ""
            table.add([
                feature["id"]?.string ?? "", state,
                feature["plugin"]?.string ?? (state == "ready" ? "built in" : ""),
                (feature["title"]?.string ?? "") + reason,
            ])
        }
        table.print()
    }
}

struct FeatureShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows a feature's parameters."
    )

    @Argument(help: "The feature's id.") var feature: String
    @Flag(help: "Print JSON, with the parameters' JSON Schema.") var json = false

    func run() throws {
        let answer = try Session().ask("GET", "/v1/features/\(URLText.encode(feature))")
        if json { return Output.json(answer) }
        Output.line("\(answer["id"]?.string ?? "")  \(answer["title"]?.string ?? "")")
        if let summary = answer["summary"]?.string, !summary.isEmpty { Output.line(summary) }
        Output.line("")
        let schema = answer["params"] ?? [:]
        let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
        var table = Table(["PARAMETER", "TYPE", "DEFAULT", "MEANING"])
        for (name, property) in schema["properties"]?.object ?? [:] {
            table.add([
                required.contains(name) ? "\(name) (required)" : name, type(property),
                property["default"]?.text ?? "",
                property["description"]?.string ?? property["title"]?.string ?? "",
            ])
        }
        table.print()
    }

    private func type(_ property: JSONValue) -> String {
        if let values = property["enum"]?.array {
            return values.map { $0.string ?? $0.text }.joined(separator: "|")
        }
        let name = property["type"]?.string ?? "any"
        let format = property["format"]?.string.map { " (\($0))" } ?? ""
        switch (property["minimum"]?.text, property["maximum"]?.text) {
        case (let low?, let high?): return "\(name) \(low)…\(high)"
        default: return name + format
        }
    }
}

enum Confirmation {
    /// Asks on the terminal; without one the answer must be given as `--yes`.
    static func ask(_ question: String) throws -> Bool {
        guard isatty(0) != 0 else {
            throw BelfryError(
                .invalidRequest,
                "\(question) Nobody can be asked here: the standard input is no terminal.",
                fix: "Give --yes to say so in a script."
            )
        }
        Output.note(question + " [y/N] ")
        return readLine()?.lowercased().hasPrefix("y") ?? false
    }
}
