// belfry plugin add, update, setup and enable: what brings programs of others onto this machine. Each shows what
// would run before it asks, and what was shown is what is taken.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

struct PluginAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Adds a plugin from a directory, an archive or a git repository, or an MCP server.",
        discussion: """
            A plugin runs programs as you. Add only what you would run yourself.

            A directory is copied and enabled. An archive (.tar.gz, .zip) or a repository (its address, with
            #BRANCH or #TAG behind it if you like) is added too, but stays off until belfry plugin enable.

            An MCP server's tools become features: belfry plugin add --mcp 'uvx mcp-server-time'
            """
    )

    @Argument(
        help: "A directory that has a plugin.json, an archive, a repository's address, or an mcpServers file."
    )
    var source: String?
    @OptionGroup(title: "MCP servers") var servers: MCPOptions
    @Flag(help: "Use the directory where it is instead of copying it: for who writes it.") var link = false
    @Flag(help: "Leave out its Python environment; belfry plugin setup makes it later.") var noSetup = false
    @Flag(help: "Do not ask.") var yes = false

    func run() throws {
        let installer = PluginInstaller()
        let session = installer.session
        if let servers = try servers.servers(argument: source, session: session) {
            return try MCPAdding(session: session, needsNoAnswer: yes).add(
                servers.entries,
                isWhole: servers.isWhole
            )
        }
        guard let source else {
            throw ValidationError(
                "Name a directory, an archive or a repository, or give --mcp or --mcp-servers."
            )
        }
        let files = try installer.bring(source)
        defer { files.tidyUp() }
        let found = try session.ask(
            "POST",
            "/v1/plugins/inspect",
            body: ["directory": .string(files.directory)]
        )
        if found["state"]?.string == "invalid" {
            throw BelfryError(.invalidPlugin, found["reason"]?.string ?? "", fix: found["fix"]?.string)
        }
        let id = found["id"]?.string ?? ""
        let lines =
            ["\(id) \(found["version"]?.string ?? "") from \(source)"]
            + PluginText.demands(of: found["asks"] ?? [:])
            + [PluginText.pinning(link ? nil : found["digest"]?.string)]
        try installer.confirm(lines, "Add it?", isAnswered: yes)
        var body: JSONObject = ["directory": .string(files.directory), "link": .bool(link)]
        body.set("digest", link ? nil : found["digest"])
        body.set("from", files.origin)
        let added = try session.ask("POST", "/v1/plugins", body: .object(body))
        Self.tell(added)
        if files.isDownload {
            return Output.note("It is off until you have looked at it: belfry plugin enable \(id)")
        }
        try installer.complete(added, makesVenv: !noSetup)
    }

    static func tell(_ added: JSONValue) {
        let features = (added["features"]?.array ?? []).compactMap(\.string)
        let brings = added["kind"] == "observer" ? "it hears events" : features.joined(separator: ", ")
        Output.line("added \(added["id"]?.string ?? ""): \(brings)")
    }
}

struct PluginUpdateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Takes a plugin's new version from where it came from.",
        discussion: """
            Shows what would change and asks. Tasks that run go on with the version that they began with. The new
            version's Python environment is made first: when it cannot be, the old version stays.
            """
    )

    @Argument(help: "The plugin's id.") var plugin: String
    @Argument(help: "Where from, when it is elsewhere now: a directory, an archive or a repository.")
    var from: String?
    @Flag(help: "Leave out its Python environment; belfry plugin setup makes it later.") var noSetup = false
    @Flag(help: "Do not ask.") var yes = false

    func run() throws {
        let installer = PluginInstaller()
        let path = "/v1/plugins/\(URLText.encode(plugin))"
        let present = try installer.session.ask("GET", path)
        if from == nil, present["from"]?["kind"] == "command" {
            let command = present["from"]?["location"]?.string ?? ""
            throw BelfryError(
                .invalidRequest,
                "The plugin '\(plugin)' is a server that was added by its command, not from files.",
                fix:
                    "belfry plugin remove \(plugin), then: belfry plugin add --id \(plugin) --mcp '\(command)'"
            )
        }
        guard let source = from ?? present["from"]?["location"]?.string else {
            throw BelfryError(
                .invalidRequest,
                "It is not known where the plugin '\(plugin)' is from.",
                fix: "Say it: belfry plugin update \(plugin) FROM"
            )
        }
        let files = try installer.bring(source)
        defer { files.tidyUp() }
        let changes = try installer.session.ask(
            "POST",
            path + "/compare",
            body: ["directory": .string(files.directory)]
        )
        if changes["isSame"]?.bool == true { return Output.line("\(plugin) is as it is in \(source)") }
        try installer.confirm(Self.lines(changes, source), "Take it?", isAnswered: yes)
        let isOff = present["state"]?.string == "disabled"
        if !noSetup, !isOff, changes["wantsSetup"]?.bool == true { try prepare(files, changes, present) }
        var body: JSONObject = ["directory": .string(files.directory)]
        body.set("digest", changes["digest"])
        body.set("from", files.origin)
        let updated = try installer.session.ask("POST", path + "/update", body: .object(body))
        Output.line("updated \(plugin) to \(updated["version"]?.string ?? "?")")
        try installer.complete(updated, makesVenv: false)
    }

    /// Makes the environment of the version that is to come, while the one that is there goes on. One that the
    /// plugin can do without holds nothing up.
    private func prepare(_ files: PluginInstaller.Files, _ changes: JSONValue, _ present: JSONValue) throws {
        do {
            _ = try OfflineHub(session: Session()).setUpPlugin(
                in: files.directory,
                aheadOf: changes["digest"]?.string
            )
        } catch var error as BelfryError {
            if changes["asks"]?["venv"]?["optional"] == true, error.code == .featureUnavailable {
                return Output.note("\(Terminal.visible(error.message)) It goes without.")
            }
            let version = present["version"]?.string.map { "at \($0)" } ?? "as it was"
            error.message += " \(plugin) stays \(version)."
            throw error
        }
    }

    private static func lines(_ changes: JSONValue, _ source: String) -> [String] {
        let old = changes["from"]?.string ?? "?"
        var lines = ["\(changes["id"]?.string ?? "") \(old) → \(changes["to"]?.string ?? "?") from \(source)"]
        for (key, mark) in [("changed", "~"), ("added", "+"), ("removed", "-")] {
            let paths = (changes["files"]?[key]?.array ?? []).compactMap(\.string)
            lines += paths.prefix(20).map { "  \(mark) \($0)" }
            if paths.count > 20 { lines.append("  \(mark) and \(paths.count - 20) more") }
        }
        let (asked, asks) = (changes["asked"] ?? [:], changes["asks"] ?? [:])
        if asked != asks {
            lines += ["What it may do changes. From now on it"] + PluginText.demands(of: asks)
        }
        return lines
    }
}

struct PluginSetupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup",
        abstract: "Makes a plugin's Python environment, with what its requirements name."
    )

    @Argument(help: "The plugin's id.") var plugin: String

    func run() throws {
        let installer = PluginInstaller()
        let found = try installer.session.ask("GET", "/v1/plugins/\(URLText.encode(plugin))")
        guard found["asks"]?["venv"] != nil else {
            throw BelfryError(
                .invalidRequest,
                "The plugin '\(plugin)' wants no Python environment.",
                fix: "See: belfry plugin show \(plugin)"
            )
        }
        // pip runs what it installs: not for files that nobody has looked at.
        if found["confirmed"]?.bool == false || found["state"]?.string == "invalid" {
            throw BelfryError(
                .notAllowedNow,
                found["reason"]?.string ?? "The plugin '\(plugin)' was downloaded and is not enabled yet.",
                fix: found["fix"]?.string ?? "Run: belfry plugin enable \(plugin)"
            )
        }
        try installer.setUp(found)
    }
}

struct PluginEnableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Switches a plugin on; of a download it shows first what it runs."
    )

    @Argument(help: "The plugin's id.") var plugin: String
    @Flag(help: "Leave out its Python environment; belfry plugin setup makes it later.") var noSetup = false
    @Flag(help: "Do not ask.") var yes = false

    func run() throws {
        let installer = PluginInstaller()
        let path = "/v1/plugins/\(URLText.encode(plugin))"
        let found = try installer.session.ask("GET", path)
        let isNew = found["confirmed"]?.bool == false
        if isNew {
            try installer.confirm(PluginText.description(of: found), "May it run?", isAnswered: yes)
        }
        let enabled = try installer.session.ask("POST", path + "/enable", body: ["confirmed": .bool(isNew)])
        Output.line("enabled \(plugin)")
        try installer.complete(enabled, makesVenv: isNew && !noSetup)
    }
}

/// What the commands have in common.
struct PluginInstaller {
    let session = Session()

    /// A plugin's files, here or brought here.
    struct Files {
        var directory: String
        /// As the hub takes it; nil for a directory.
        var origin: JSONValue?
        /// What is to be removed in the end.
        var temporary: String?
        var isDownload: Bool { origin != nil }

        func tidyUp() {
            guard let temporary else { return }
            let words = ["/bin/rm", "-rf", "--", temporary]
            let pointers = words.map { strdup($0) } + [nil]
            defer { for pointer in pointers { free(pointer) } }
            var pid = pid_t()
            guard posix_spawn(&pid, words[0], nil, nil, pointers, environ) == 0 else { return }
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        }
    }

    /// The directory `source` itself, or what an archive or a repository holds.
    func bring(_ source: String) throws -> Files {
        let real = realpath(source, nil)
        defer { free(real) }
        var info = stat()
        if let real, stat(real, &info) == 0, info.st_mode & S_IFMT == S_IFDIR {
            let path = String(cString: real)
            // Anything but a bare repository is taken as it lies there.
            if access(path + "/plugin.json", F_OK) == 0 || access(path + "/HEAD", F_OK) != 0 {
                return Files(directory: path)
            }
        }
        let fetched = try OfflineHub(session: session).fetchPlugin(real.map { String(cString: $0) } ?? source)
        return Files(
            directory: fetched["directory"]?.string ?? "",
            origin: fetched["from"],
            temporary: fetched["root"]?.string
        )
    }

    /// Shows what is about to happen, also to who has said yes already: a script's log has it then.
    func confirm(_ lines: [String], _ question: String, isAnswered: Bool) throws {
        for line in lines { Output.note(Terminal.visible(line)) }
        guard try isAnswered || Confirmation.ask(question) else { throw ExitCode(ExitStatus.failure) }
    }

    /// Makes the environment that a plugin lacks, and says what else is missing.
    func complete(_ plugin: JSONValue, makesVenv: Bool) throws {
        var plugin = plugin
        if makesVenv, plugin["asks"]?["venv"] != nil, plugin["venv"] == nil, plugin["state"] != "invalid" {
            plugin = try setUp(plugin)
        }
        guard let reason = plugin["reason"]?.string else { return }
        Output.note("It cannot run yet: \(Terminal.visible(reason))")
        if let fix = plugin["fix"]?.string { Output.note("  fix: \(Terminal.visible(fix))") }
    }

    /// - Returns: the plugin as it is then.
    @discardableResult
    func setUp(_ plugin: JSONValue) throws -> JSONValue {
        let id = plugin["id"]?.string ?? ""
        let made = try OfflineHub(session: session).setUpPlugin(in: plugin["directory"]?.string ?? "")
        Output.line("made \(made["venv"]?.string ?? "")")
        let all = try session.ask("POST", "/v1/plugins/scan")["plugins"]?.array ?? []
        return all.first { $0["id"]?.string == id } ?? plugin
    }
}
