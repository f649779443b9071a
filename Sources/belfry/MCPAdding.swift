// belfry plugin add --mcp and --mcp-servers: servers of others, wrapped into ordinary plugins.

import ArgumentParser
import BelfryCore
import Glibc

/// How a server of others is named on the command line.
struct MCPOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Add an MCP server: the command that starts it, in one word.",
            valueName: "command"
        )
    )
    var mcp: String?
    @Option(
        help: ArgumentHelp("Add the servers of an mcpServers file.", valueName: "file"),
        completion: .file()
    )
    var mcpServers: String?
    @Option(help: "With --mcp: the plugin's id. Defaults to the program's name.") var id: String?
    @Option(help: "With --mcp: only these tools, with commas between them.") var tools: String?
    @Option(
        help: ArgumentHelp(
            "With --mcp: a variable for it, NAME=VALUE or NAME as it is now.",
            valueName: "name"
        )
    )
    var env: [String] = []

    /// The servers to add, and whether there are some that cannot be; nil when none are named.
    ///
    /// - Parameter argument: what was given as the directory: may be an mcpServers file.
    func servers(argument: String?, session: Session) throws -> (entries: [MCPServerEntry], isWhole: Bool)? {
        let directory = try session.context(withEnvironment: false).workingDirectory
        let reader = MCPServerReader(environment: session.environment, directory: directory)
        if let mcp {
            let names = (tools ?? "").split(separator: ",").map { $0.filter { !$0.isWhitespace } }
            return ([try reader.entry(commandLine: mcp, id: id, tools: names, variables: env)], true)
        }
        guard let file = mcpServers ?? argument.flatMap({ Self.isServersFile($0) ? $0 : nil }) else {
            return nil
        }
        let found = try reader.entries(file: file)
        for name in found.skipped {
            Output.note("skipped \(name): it is reached at an address, not started here")
        }
        for (name, error) in found.failures { Output.note("\(name): \(error)") }
        if found.servers.isEmpty, let first = found.failures.first { throw first.error }
        return (found.servers, found.failures.isEmpty)
    }

    /// Not an archive, whose first byte is another.
    private static func isServersFile(_ path: String) -> Bool {
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return false }
        let first = (try? FileBytes.read(path))?.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        return first == UInt8(ascii: "{")
    }
}

/// Adds servers one after the other; one that cannot be added stops none of the others.
struct MCPAdding {
    let session: Session
    let needsNoAnswer: Bool

    /// - Parameter isWhole: false when others could not even be tried: then it has not worked in the end.
    func add(_ servers: [MCPServerEntry], isWhole: Bool) throws {
        let commands = servers.map { "  \($0.commandLine)" }
        try PluginInstaller().confirm(
            ["This will run as you:"] + commands,
            "Add it?",
            isAnswered: needsNoAnswer
        )
        var failures: [any Error] = []
        for server in servers {
            do { try add(server) } catch {
                failures.append(error)
                if servers.count > 1 { Output.note("\(server.id): \(error)") }
            }
        }
        guard let first = failures.first else {
            if !isWhole { throw ExitCode(ExitStatus.failure) }
            return
        }
        if servers.count == 1 { throw first }
        throw ExitCode(ExitStatus.failure)
    }

    private func add(_ server: MCPServerEntry) throws {
        let directory = try makeDirectory(server)
        defer {
            unlink(directory + "/plugin.json")
            rmdir(directory)
        }
        let answer = try session.ask(
            "POST",
            "/v1/plugins",
            body: [
                "directory": .string(directory), "link": false,
                "from": ["kind": "command", "location": .string(server.commandLine)],
            ]
        )
        PluginAddCommand.tell(answer)
        try PluginInstaller().complete(answer, makesVenv: false)
    }

    /// A plugin's directory for the hub to copy. Its variables may be secrets: nobody else can read it.
    private func makeDirectory(_ server: MCPServerEntry) throws -> String {
        var template = Array("\(session.environment["TMPDIR"] ?? "/tmp")/belfry-mcp-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw BelfryError(
                .notWritable,
                "No directory can be made in TMPDIR.",
                fix: "Set TMPDIR to one of yours."
            )
        }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let file = open(directory + "/plugin.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw BelfryError(.notWritable, "\(directory) cannot be written.") }
        defer { close(file) }
        let bytes = server.manifest.encoded
        guard write(file, bytes, bytes.count) == bytes.count else {
            throw BelfryError(
                .notWritable,
                "\(directory)/plugin.json cannot be written.",
                fix: "Make room on the disk."
            )
        }
        return directory
    }
}
