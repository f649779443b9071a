// A place of its own for a whole Belfry: directories, environment, and the programs as built.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage
import Testing

/// How a program ended, and what it said.
struct Ran: Sendable {
    var status: Int
    var output: String
    var errors: String

    var json: JSONValue { (try? JSONValue(parsing: output)) ?? .null }
    var lines: [Substring] { output.split(separator: "\n") }
}

/// Directories and programs for one test; the hub in them ends with it.
final class Sandbox: Sendable {
    let root: String
    let places: Places
    let environment: [String: String]

    /// Where the programs are: beside the bundle that runs the tests.
    static let programs: String = HubStarter.programsDirectory(environment: [:])

    init(_ changes: [String: String?] = [:]) throws {
        var template = Array("/tmp/belfry-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BelfryError(.internalError, "no temporary directory") }
        root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var variables: [String: String?] = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": root, "LANG": "C.UTF-8", "TZ": "UTC",
            "BELFRY_STATE_DIR": root + "/state", "BELFRY_DATA_DIR": root + "/data",
            "BELFRY_RUNTIME_DIR": root + "/run", "BELFRY_CONFIG": root + "/config.toml",
            "BELFRY_PLUGIN_DIR": root + "/plugins",
        ]
        variables.merge(changes) { _, new in new }
        environment = variables.compactMapValues { $0 }
        places = Places(environment: environment)
        try Self.layOutPlugins(root + "/plugins")
    }

    deinit {
        if let pid = hubProcess { kill(pid, SIGKILL) }
        try? FileManager.default.removeItem(atPath: root)
    }

    /// The bundled plugins as an installation has them.
    private static func layOutPlugins(_ directory: String) throws {
        let source = checkout + "/Plugins"
        let files = FileManager.default
        for name in try files.contentsOfDirectory(atPath: source) {
            guard files.fileExists(atPath: "\(source)/\(name)/plugin.json") else { continue }
            try files.createDirectory(atPath: "\(directory)/\(name)", withIntermediateDirectories: true)
            for file in try files.contentsOfDirectory(atPath: "\(source)/\(name)")
            where !["Sources", "Renderer", "bin", "__pycache__"].contains(file) {
                try files.copyItem(
                    atPath: "\(source)/\(name)/\(file)",
                    toPath: "\(directory)/\(name)/\(file)"
                )
            }
            let program = "\(programs)/belfry-\(name)"
            guard files.fileExists(atPath: program) else { continue }
            try files.createDirectory(atPath: "\(directory)/\(name)/bin", withIntermediateDirectories: true)
            try files.createSymbolicLink(
                atPath: "\(directory)/\(name)/bin/belfry-\(name)",
                withDestinationPath: program
            )
        }
    }

    /// The package's own directory.
    static let checkout: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    /// The process of the hub that runs here, if one does.
    var hubProcess: pid_t? {
        guard let text = try? String(contentsOfFile: places.runtime + "/hub.lock", encoding: .utf8),
            let pid = pid_t(text.prefix { $0 != "\n" }), kill(pid, 0) == 0
        else { return nil }
        return pid
    }

    /// Starts the hub as a submission does.
    func startHub() throws {
        try HubStarter(places: places, programs: Self.programs, environment: environment).start()
    }

    /// Kills the hub and waits until it is gone, with all that it started.
    func killHub() async throws {
        let pid = try #require(hubProcess)
        kill(pid, SIGKILL)
        try await run("/usr/bin/flock", [places.runtime + "/hub.lock", "true"])
    }

    /// Runs `belfry` to its end.
    @discardableResult
    func belfry(
        _ arguments: String...,
        input: String = "",
        directory: String? = nil,
        adding: [String: String] = [:]
    ) async throws -> Ran {
        try await run(
            Self.programs + "/belfry",
            arguments,
            input: input,
            directory: directory,
            adding: adding
        )
    }

    /// Runs any program to its end.
    @discardableResult
    func run(
        _ program: String,
        _ arguments: [String],
        input: String = "",
        directory: String? = nil,
        adding: [String: String] = [:]
    ) async throws -> Ran {
        var variables: [Environment.Key: String] = [:]
        for (key, value) in environment.merging(adding, uniquingKeysWith: { _, new in new }) {
            variables[Environment.Key(rawValue: key)!] = value
        }
        let result = try await Subprocess.run(
            .path(FilePath(program)),
            arguments: Arguments(arguments),
            environment: .custom(variables),
            workingDirectory: FilePath(directory ?? root),
            input: .string(input),
            output: .bytes(limit: 64 << 20),
            error: .bytes(limit: 1 << 20)
        )
        let status: Int
        switch result.terminationStatus {
        case .exited(let code): status = Int(code)
        case .signaled(let signal): status = 128 + Int(signal)
        }
        return Ran(
            status: status,
            output: String(decoding: result.standardOutput, as: UTF8.self),
            errors: String(decoding: result.standardError, as: UTF8.self)
        )
    }

    /// Every line of the event log, rotated files not counted.
    func eventLog() throws -> [JSONValue] {
        let text = try String(contentsOfFile: places.eventLog, encoding: .utf8)
        return try text.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
    }

    /// The positions in the event log, rotated files included, oldest file first.
    func wholeEventLog() async throws -> [Int64] {
        let script =
            "for f in $(ls events-*.jsonl* 2>/dev/null | sort -t- -k2n -k3n) events.jsonl; do zcat -f \"$f\"; done"
        let ran = try await run("/bin/sh", ["-c", script], directory: places.state)
        return try ran.lines.compactMap { try JSONValue(parsing: String($0))["position"]?.int }
    }

    func append(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        #expect(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }

    func write(_ text: String, to path: String, mode: mode_t = 0o644) throws {
        let full = path.hasPrefix("/") ? path : "\(root)/\(path)"
        let parent = full.split(separator: "/").dropLast().joined(separator: "/")
        try FileManager.default.createDirectory(atPath: "/" + parent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(filePath: full))
        chmod(full, mode)
    }
}
