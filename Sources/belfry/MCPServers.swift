// MCP servers of others as plugins: from a command line, or from the file that other programs of this kind read.
// What such a server needs to be found and to run, PATH and variables, is what the shell has at this moment.

import BelfryCore
import Glibc

/// One server to add.
struct MCPServerEntry {
    var id: String
    /// Absolute.
    var command: String
    var arguments: [String]
    var environment: [String: String]
    var workingDirectory: String
    /// The tools that are wanted; empty for all.
    var tools: [String] = []

    var commandLine: String { ([command] + arguments).joined(separator: " ") }

    /// An ordinary plugin's manifest.
    var manifest: JSONValue {
        var env = JSONObject()
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) { env[name] = .string(value) }
        var manifest: JSONObject = [
            "manifest_version": 1, "id": .string(id), "version": "1.0.0", "kind": "feature",
            "summary": .string(commandLine),
            "runner": [
                "protocol": "mcp", "command": .string(command),
                "args": .array(arguments.map { .string($0) }), "env": .object(env),
                "cwd": .string(workingDirectory),
            ],
        ]
        if !tools.isEmpty {
            manifest["features"] = .array(
                tools.map { ["id": .string("\(id)/\(Self.word($0))"), "tool": .string($0)] }
            )
        }
        return .object(manifest)
    }

    /// As ids are: lower-case, and `-` for what they do not hold.
    static func word(_ text: String) -> String {
        let word = String(
            text.lowercased().map {
                ("a"..."z").contains($0) || ("0"..."9").contains($0) || "-_.".contains($0) ? $0 : "-"
            }
        )
        let start = word.drop { "-_.".contains($0) }
        return start.isEmpty ? "server" : String(start.prefix(60))
    }
}

/// Makes entries of what was typed or written.
struct MCPServerReader {
    /// The caller's.
    let environment: [String: String]
    let directory: String

    /// From `--mcp 'command args'`.
    func entry(commandLine: String, id: String?, tools: [String], variables: [String]) throws
        -> MCPServerEntry
    {
        let words = try ShellWords.split(commandLine)
        guard let name = words.first else {
            throw BelfryError(
                .invalidRequest,
                "--mcp names no command.",
                fix: "Write it like --mcp 'uvx mcp-server-time'."
            )
        }
        var own: [String: String] = [:]
        for variable in variables {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init
            )
            guard let value = parts.count == 2 ? parts[1] : environment[parts[0]], !parts[0].isEmpty else {
                throw BelfryError(
                    .invalidRequest,
                    "--env \(variable): there is no such variable.",
                    fix: "Write NAME=VALUE, or set it first."
                )
            }
            own[parts[0]] = value
        }
        let arguments = Array(words.dropFirst())
        var entry = try make(id ?? Self.suggestedID(words), name, arguments, own, directory)
        entry.tools = tools
        return entry
    }

    /// From `{"mcpServers": {NAME: {"command": …, "args": […], "env": {…}}}}`.
    ///
    /// - Returns: the servers in the order of the file, the names of those that are not started but reached
    ///   at an address, and those that cannot be started.
    func entries(file: String) throws -> (
        servers: [MCPServerEntry], skipped: [String], failures: [(name: String, error: BelfryError)]
    ) {
        guard let json = try? JSONValue(parsing: FileBytes.read(file)),
            let servers = json["mcpServers"]?.object
        else {
            throw BelfryError(
                .invalidRequest,
                "\(file) holds no \"mcpServers\".",
                fix: "Write {\"mcpServers\": {\"NAME\": {\"command\": \"…\", \"args\": []}}}."
            )
        }
        var found: [MCPServerEntry] = []
        var skipped: [String] = []
        var failures: [(name: String, error: BelfryError)] = []
        for (name, server) in servers {
            guard let command = server["command"]?.string else {
                skipped.append(name)
                continue
            }
            do { found.append(try entry(name, command, server)) } catch let error as BelfryError {
                failures.append((name, error))
            }
        }
        return (found, skipped, failures)
    }

    private func entry(_ name: String, _ command: String, _ server: JSONValue) throws -> MCPServerEntry {
        let arguments = try (server["args"]?.array ?? []).map { try expanded($0.string ?? $0.text, name) }
        var own: [String: String] = [:]
        for (key, value) in server["env"]?.object ?? [:] {
            own[key] = try expanded(value.string ?? value.text, name)
        }
        let place = server["cwd"]?.string ?? directory
        return try make(MCPServerEntry.word(name), try expanded(command, name), arguments, own, place)
    }

    private func make(
        _ id: String,
        _ command: String,
        _ arguments: [String],
        _ own: [String: String],
        _ directory: String
    ) throws -> MCPServerEntry {
        let path = own["PATH"] ?? environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return MCPServerEntry(
            id: id,
            command: try absolute(command, path),
            arguments: arguments,
            environment: own.merging(["PATH": path]) { own, _ in own },
            workingDirectory: directory
        )
    }

    private func absolute(_ command: String, _ path: String) throws -> String {
        func isProgram(_ path: String) -> Bool {
            var info = stat()
            return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
        }
        let home = command.hasPrefix("~/") ? (environment["HOME"] ?? "") + command.dropFirst() : command
        let places =
            home.contains("/")
            ? [home.hasPrefix("/") ? "" : directory + "/"] : path.split(separator: ":").map { $0 + "/" }
        if let found = places.map({ $0 + home }).first(where: isProgram) { return found }
        throw BelfryError(
            .invalidRequest,
            home.contains("/")
                ? "'\(command)' is not a program that can be run."
                : "There is no program '\(command)' on the PATH: \(path)",
            fix: "Install it, or give its path."
        )
    }

    /// With `${NAME}` and `${NAME:-default}` replaced, as other programs that read the file do.
    private func expanded(_ text: String, _ server: String) throws -> String {
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...]
            guard rest.hasPrefix("${"), let end = rest.firstIndex(of: "}") else {
                result.append(rest.removeFirst())
                continue
            }
            let inner = String(rest.dropFirst(2)[..<end])
            rest = rest[rest.index(after: end)...]
            var name = inner
            var standard: String?
            if let colon = inner.firstIndex(of: ":"), inner[colon...].hasPrefix(":-") {
                name = String(inner[..<colon])
                standard = String(inner[colon...].dropFirst(2))
            }
            guard let value = environment[name] ?? standard else {
                throw BelfryError(
                    .invalidRequest,
                    "The server '\(server)' wants ${\(inner)}, which is not set.",
                    fix: "Set it, and try again."
                )
            }
            result += value
        }
        return result + rest
    }

    /// A package runner says little; what it runs says more.
    static func suggestedID(_ words: [String]) -> String {
        func name(_ word: String) -> String { String(word.split(separator: "/").last ?? "server") }
        let runners = [
            "npx", "uvx", "uv", "python", "python3", "node", "bunx", "pipx", "docker", "env", "sh", "bash",
        ]
        let first = name(words[0])
        guard runners.contains(first) else { return MCPServerEntry.word(first) }
        let rest = words.dropFirst().filter { !$0.hasPrefix("-") && !["run", "tool", "exec"].contains($0) }
        guard let target = rest.first else { return MCPServerEntry.word(first) }
        let bare = name(
            String(target.split(separator: "@", omittingEmptySubsequences: true).first ?? "server")
        )
        let text =
            target.hasPrefix("@") ? name(target).split(separator: "@").first.map(String.init) ?? bare : bare
        return MCPServerEntry.word(
            text.hasSuffix(".py") || text.hasSuffix(".js") ? String(text.dropLast(3)) : text
        )
    }
}
