// belfry plugin: which plugins there are, and how they stand.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink

struct PluginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin",
        abstract: "Plugins: programs that bring features.",
        subcommands: [
            PluginListCommand.self, PluginShowCommand.self, PluginAddCommand.self, PluginUpdateCommand.self,
            PluginSetupCommand.self, PluginRemoveCommand.self, PluginEnableCommand.self,
            PluginDisableCommand.self, PluginDoctorCommand.self, PluginLogCommand.self, PluginNewCommand.self,
            PluginValidateCommand.self, PluginTestCommand.self, PluginRunCommand.self,
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
            Output.note(
                Terminal.visible("\(plugin["id"]?.string ?? plugin["directory"]?.string ?? ""): \(reason)")
            )
            if let fix = plugin["fix"]?.string { Output.note("  fix: \(Terminal.visible(fix))") }
        }
    }
}

struct PluginShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows everything about one plugin: its state, what it runs and what it asks for."
    )

    @Argument(help: "The plugin's id.") var plugin: String
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let answer = try Session().ask("GET", "/v1/plugins/\(URLText.encode(plugin))")
        if json { return Output.json(answer) }
        for line in PluginText.description(of: answer) { Output.line(Terminal.visible(line)) }
    }
}

struct PluginDoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says of each plugin what is wrong with it, and the command that mends it.",
        discussion: "The exit status is 0 when every plugin that is switched on can run."
    )

    @Argument(help: "The plugin's id; all of them when left out.") var plugin: String?
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let session = Session()
        let all = try session.ask("GET", "/v1/plugins")["plugins"]?.array ?? []
        let chosen = all.filter { plugin == nil || $0["id"]?.string == plugin }
        // It says which there are.
        if let plugin, chosen.isEmpty { _ = try session.ask("GET", "/v1/plugins/\(URLText.encode(plugin))") }
        var report = Report(isJSON: json)
        for plugin in chosen { Self.check(plugin, &report) }
        if json { Output.json(["findings": .array(report.findings)]) }
        if report.findings.contains(where: { $0["level"] != "ok" && $0["level"] != "note" }) {
            throw ExitCode(ExitStatus.failure)
        }
    }

    /// Of one plugin: its state, then its oddities.
    static func check(_ plugin: JSONValue, _ report: inout Report) {
        let name = plugin["id"]?.string ?? plugin["directory"]?.string ?? "?"
        switch plugin["state"]?.string ?? "?" {
        case "ready", "starting", "busy": report.ok("plugin \(name)")
        case _ where plugin["configured"] == false:
            report.ok("plugin \(name): not configured, does nothing")
        case "disabled": report.note("plugin \(name) is disabled", "belfry plugin enable \(name)")
        case let state:
            report.hint(
                "plugin \(name) is \(state): \(plugin["reason"]?.string ?? "")",
                plugin["fix"]?.string ?? "see: belfry plugin show \(name)"
            )
        }
        for warning in plugin["warnings"]?.array ?? [] {
            report.note("plugin \(name): \(warning.string ?? "")", "belfry plugin show \(name)")
        }
    }
}

struct PluginRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Removes a plugin of yours, with its Python environment."
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

/// What people read about a plugin.
enum PluginText {
    /// What it may run and asks for, as lines; for the question before it may.
    static func demands(of asks: JSONValue) -> [String] {
        let command = words(asks["command"]).map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ")
        var lines = ["  runs, as you:    \(command)"]
        func add(_ title: String, _ value: String?) {
            guard let value, !value.isEmpty else { return }
            lines.append("  " + title + String(repeating: " ", count: max(1, 17 - title.count)) + value)
        }
        add(
            "with variables:",
            asks["env"]?.object?.map { key, value in value == "…" ? key : "\(key)=\(value.string ?? "")" }
                .joined(separator: " ")
        )
        add("is handed:", list(asks["passEnv"]))
        add("is told secrets:", list(asks["secrets"]))
        add("needs programs:", list(asks["executables"]))
        add("needs modules:", list(asks["pythonModules"]))
        if let venv = asks["venv"] {
            let optional = venv["optional"]?.bool == true ? " (it can do without)" : ""
            add("installs:", "what \(venv["requirements"]?.string ?? "") names, with pip\(optional)")
        }
        add("features:", list(asks["features"]))
        return lines
    }

    /// What its files are held against from now on.
    ///
    /// - Parameter digest: of all of them; nil when they are used in place.
    static func pinning(_ digest: String?) -> String {
        guard let digest else { return "  is not pinned:   it is used where it is, and runs what is there" }
        return "  is pinned:       every file, sha256 of all \(digest)"
    }

    static func description(of plugin: JSONValue) -> [String] {
        let id = plugin["id"]?.string ?? ""
        var lines = ["\(id) \(plugin["version"]?.string ?? "")  \(plugin["name"]?.string ?? "")"]
        if let summary = plugin["summary"]?.string, !summary.isEmpty { lines.append(summary) }
        lines.append("")
        lines.append("  state:           \(plugin["state"]?.string ?? "")")
        if let reason = plugin["reason"]?.string { lines.append("  because:         \(reason)") }
        if let fix = plugin["fix"]?.string { lines.append("  fix:             \(fix)") }
        let isLinked = plugin["linked"]?.bool == true
        lines.append("  source:          \(plugin["source"]?.string ?? "")\(isLinked ? ", linked" : "")")
        lines.append("  directory:       \(plugin["directory"]?.string ?? "")")
        if let origin = plugin["from"] {
            let commit = origin["commit"]?.string.map { " at \($0.prefix(12))" } ?? ""
            lines.append("  from:            \(origin["location"]?.string ?? "")\(commit)")
        }
        if let venv = plugin["venv"]?.string { lines.append("  venv:            \(venv)") }
        if let asks = plugin["asks"] { lines += demands(of: asks) }
        for warning in plugin["warnings"]?.array ?? [] { lines.append("  note: \(warning.string ?? "")") }
        return lines
    }

    private static func words(_ value: JSONValue?) -> [String] { (value?.array ?? []).compactMap(\.string) }
    private static func list(_ value: JSONValue?) -> String { words(value).joined(separator: ", ") }
}
