// belfry feature and plugin: what can be run, and where it comes from.

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
                feature["id"]?.string ?? "", state, feature["plugin"]?.string ?? "built in",
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

struct PluginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin",
        abstract: "Plugins: programs that bring features.",
        subcommands: [
            PluginListCommand.self, PluginAddCommand.self, PluginRemoveCommand.self, PluginEnableCommand.self,
            PluginDisableCommand.self,
        ],
        defaultSubcommand: PluginListCommand.self
    )
}

struct PluginListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the plugins and their states."
    )

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let answer = try Session().ask("GET", "/v1/plugins")
        if json { return Output.json(answer) }
        var table = Table(["PLUGIN", "VERSION", "STATE", "SOURCE", "DIRECTORY"])
        for plugin in answer["plugins"]?.array ?? [] {
            let isLinked = plugin["linked"]?.bool == true
            table.add([
                plugin["id"]?.string ?? "", plugin["version"]?.string ?? "", plugin["state"]?.string ?? "",
                (plugin["source"]?.string ?? "") + (isLinked ? ", linked" : ""),
                plugin["directory"]?.string ?? "",
            ])
        }
        table.print()
        for plugin in answer["plugins"]?.array ?? [] {
            guard let reason = plugin["reason"]?.string else { continue }
            Output.note("\(plugin["id"]?.string ?? plugin["directory"]?.string ?? ""): \(reason)")
            if let fix = plugin["fix"]?.string { Output.note("  fix: \(fix)") }
        }
    }
}

struct PluginAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Adds a plugin from a directory, or an MCP server.",
        discussion: """
            A plugin runs programs as you. Add only what you would run yourself.
            An MCP server's tools become features: belfry plugin add --mcp 'uvx mcp-server-time'
            """
    )

    @Argument(help: "The directory that has its plugin.json, or an mcpServers file.") var directory: String?
    @OptionGroup(title: "MCP servers") var servers: MCPOptions
    @Flag(help: "Use it where it is instead of copying it: for who writes it.") var link = false
    @Flag(help: "Do not ask.") var yes = false

    func run() throws {
        let session = Session()
        if let servers = try servers.servers(argument: directory, session: session) {
            return try MCPAdding(session: session, needsNoAnswer: yes).add(servers)
        }
        guard let directory else {
            throw ValidationError("Name a directory, or give --mcp or --mcp-servers.")
        }
        guard let resolved = realpath(directory, nil) else {
            throw BelfryError(
                .invalidPlugin,
                "There is no directory \(directory).",
                fix: "Name the directory that has the plugin's plugin.json in it."
            )
        }
        defer { free(resolved) }
        let path = String(cString: resolved)
        // The hub says what is wrong with a manifest; this is for the question only.
        let manifest = (try? JSONValue(parsing: FileBytes.read(path + "/plugin.json"))) ?? [:]
        let command = manifest["runner"]?["command"]?.string ?? "?"
        let arguments = (manifest["runner"]?["args"]?.array ?? []).compactMap(\.string).joined(separator: " ")
        if !yes,
            !(try Confirmation.ask("The plugin \(path) will run as you: \(command) \(arguments)\nAdd it?"))
        {
            throw ExitCode(ExitStatus.failure)
        }
        let answer = try session.ask(
            "POST",
            "/v1/plugins",
            body: ["directory": .string(path), "link": .bool(link)]
        )
        Self.tell(answer)
    }

    static func tell(_ answer: JSONValue) {
        let features = (answer["features"]?.array ?? []).compactMap(\.string)
        Output.line("added \(answer["id"]?.string ?? ""): \(features.joined(separator: ", "))")
        if let reason = answer["reason"]?.string { Output.note("It cannot run yet: \(reason)") }
    }
}

struct PluginRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Removes a plugin of yours."
    )

    @Argument(help: "The plugin's id.") var plugin: String
    @Flag(help: "Do not ask.") var yes = false

    func run() throws {
        if !yes, !(try Confirmation.ask("Remove the plugin \(plugin)?")) {
            throw ExitCode(ExitStatus.failure)
        }
        _ = try Session().ask("DELETE", "/v1/plugins/\(URLText.encode(plugin))")
        Output.line("removed \(plugin)")
    }
}

struct PluginEnableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Switches a plugin on again."
    )

    @Argument(help: "The plugin's id.") var plugin: String

    func run() throws {
        _ = try Session().ask("POST", "/v1/plugins/\(URLText.encode(plugin))/enable")
        Output.line("enabled \(plugin)")
    }
}

struct PluginDisableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Switches a plugin off for you, until you enable it; its tasks wait."
    )

    @Argument(help: "The plugin's id.") var plugin: String

    func run() throws {
        _ = try Session().ask("POST", "/v1/plugins/\(URLText.encode(plugin))/disable")
        Output.line("disabled \(plugin)")
    }
}

enum Confirmation {
    /// Asks on the terminal; without one the answer must be given as `--yes`.
    static func ask(_ question: String) throws -> Bool {
        guard isatty(0) != 0 else {
            throw BelfryError(
                .invalidRequest,
                question.split(separator: "\n").first.map(String.init) ?? question,
                fix: "Give --yes to say so in a script."
            )
        }
        Output.note(question + " [y/N] ")
        return readLine()?.lowercased().hasPrefix("y") ?? false
    }
}
