// The built-in feature `shell`: any command, as if typed where the task was submitted.

public import BelfryCore
import FoundationEssentials
import Glibc
import Subprocess

/// Runs a command in the submitter's directory, umask and environment. Its output is the task's log.
///
/// An interrupted command is not run again by itself: running `./deploy.sh` twice is worse than once
/// too few.
public struct ShellFeature: Feature {
    public let descriptor: FeatureDescriptor
    /// It sees every line of output, and each is a sign of life.
    public let keepsTimeouts = true
    private let schema: JSONSchema
    private let launcher: String
    /// Sleeps; injected, so that a test's timeouts need no time.
    var sleep: @Sendable (Duration) async throws -> Void = { try await ContinuousClock().sleep(for: $0) }

    /// - Parameter launcher: the path of belfry-launch.
    public init(launcher: String) throws {
        self.launcher = launcher
        var descriptor = FeatureDescriptor(
            id: "shell",
            title: "Run a command",
            summary: "Any command: belfry run -- COMMAND ARG…"
        )
        descriptor.paramsSchema = [
            "type": "object", "required": ["command"], "additionalProperties": false,
            "properties": [
                "command": [
                    "type": "array", "minItems": 1, "items": ["type": "string"],
                    "description": "The program and its arguments",
                ]
            ],
        ]
        descriptor.onInterrupt = .fail
        self.descriptor = descriptor
        schema = try JSONSchema(descriptor.paramsSchema)
    }

    public func accept(_ params: JSONValue, from context: SubmissionContext?) throws -> JSONValue {
        let params = try schema.accept(
            Self.plain(params),
            workingDirectory: context?.workingDirectory,
            featureID: descriptor.id
        )
        guard let name = Self.command(params).first, !name.hasTaskReference else {
            throw BelfryError(
                .invalidParams,
                "The program to run cannot be what an earlier task made.",
                fix: "Name a program; its arguments may speak of earlier tasks.",
                pointer: "/command/0"
            )
        }
        guard Self.find(name, for: context) != nil else { throw Self.missing(name, for: context) }
        return params
    }

    /// What earlier tasks made need not be text, but a program's arguments are: a number is written out, and a
    /// list, such as that of all files, becomes as many arguments.
    private static func plain(_ params: JSONValue) -> JSONValue {
        guard var members = params.object, let command = members["command"]?.array else { return params }
        members["command"] = .array(command.flatMap { $0.array ?? [$0] }.map(word))
        return .object(members)
    }

    private static func word(_ value: JSONValue) -> JSONValue {
        switch value {
        case .int, .double, .bool: .string(value.text)
        default: value
        }
    }

    private static func missing(_ name: String, for context: SubmissionContext?) -> BelfryError {
        if name.contains("/") {
            return BelfryError(
                .invalidParams,
                "'\(name)' is not a program that can be run.",
                fix: "Give the path of a file that is executable.",
                pointer: "/command/0"
            )
        }
        let path = context?.environment?["PATH"] ?? ProcessInfo.processInfo.environment["PATH"] ?? ""
        return BelfryError(
            .invalidParams,
            "There is no program '\(name)' on the PATH: \(path)",
            fix: "Install it, or give its path.",
            pointer: "/command/0"
        )
    }

    public func params(from arguments: [(key: String, value: String)]) throws -> JSONValue {
        try schema.coerce(arguments, featureID: descriptor.id)
    }

    public func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        let command = Self.command(params)
        guard let program = Self.find(command[0], for: context.submission) else {
            throw TaskFailure(
                "cannot_start",
                "There is no program '\(command[0])'.",
                fix: "Install it, and retry the task."
            )
        }
        var environment =
            context.submission?.environment ?? ExecEnvironment.filtered(ProcessInfo.processInfo.environment)
        environment.merge(ExecEnvironment.ofAttempt([:], context)) { _, own in own }
        environment["PYTHONUNBUFFERED"] = context.submission?.environment?["PYTHONUNBUFFERED"]
        let directory = context.submission?.workingDirectory ?? environment["HOME"] ?? "/"
        var host = ExecHost.Configuration(
            launcher: launcher,
            executable: program,
            arguments: Array(command.dropFirst()),
            environment: environment,
            workingDirectory: directory
        )
        host.umask = context.submission?.umask ?? 0o022
        host.idleTimeout = context.timeouts.idle
        host.totalTimeout = context.timeouts.attempt
        host.livesByOutput = true
        let end = try await ExecHost(configuration: host, sleep: sleep).run(
            onLine: { line in
                if case .progress(let percent, let message) = ExecLine(line) {
                    context.progress(percent, message)
                }
                return true
            },
            onError: { context.log($0) },
            onOutput: { context.log($0) }
        )
        if let failure = ExecEnd.failure(end, said: nil, program: command[0]) { throw failure }
        return TaskResult(value: ["exitCode": 0])
    }

    private static func command(_ params: JSONValue) -> [String] {
        (params["command"]?.array ?? []).compactMap(\.string)
    }

    /// The program as the submitter's shell would find it.
    private static func find(_ name: String, for context: SubmissionContext?) -> String? {
        let directory = context?.workingDirectory ?? "/"
        func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(directory)/\(path)" }
        if name.contains("/") { return isProgram(absolute(name)) ? absolute(name) : nil }
        let path = (context?.environment ?? ProcessInfo.processInfo.environment)["PATH"] ?? "/usr/bin:/bin"
        for part in path.split(separator: ":") {
            let candidate = absolute("\(part)/\(name)")
            if isProgram(candidate) { return candidate }
        }
        return nil
    }

    private static func isProgram(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
