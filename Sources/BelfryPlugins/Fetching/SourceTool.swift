// Runs git, python3 and pip for whoever adds a plugin: in the foreground, with what they say shown as they say it.

import BelfryCore
import Subprocess
import SystemPackage

struct SourceTool {
    /// The variables that the program gets.
    let environment: [String: String]

    /// Runs `program` with its output shown on stderr, where it leaves data alone.
    ///
    /// - Returns: its exit status; 128 and the signal when one ended it.
    /// - Throws: ``BelfryError`` when it is not there or cannot be started.
    func run(_ program: String, _ arguments: [String], directory: String = "/") async throws -> Int {
        try await perform(program) { path in
            let result = try await Subprocess.run(
                .path(FilePath(path)),
                arguments: Arguments(arguments),
                environment: .custom(variables),
                workingDirectory: FilePath(directory),
                input: .fileDescriptor(.standardInput, closeAfterSpawningProcess: false),
                output: .fileDescriptor(.standardError, closeAfterSpawningProcess: false),
                error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false)
            )
            return Self.status(result.terminationStatus)
        }
    }

    /// Runs `program` and gives what it prints, up to 64 KiB, without the space around it.
    ///
    /// - Throws: as ``run(_:_:directory:)``, and when its status is not 0.
    func output(_ program: String, _ arguments: [String], directory: String = "/") async throws -> String {
        try await perform(program) { path in
            let result = try await Subprocess.run(
                .path(FilePath(path)),
                arguments: Arguments(arguments),
                environment: .custom(variables),
                workingDirectory: FilePath(directory),
                output: .bytes(limit: 65_536),
                error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false)
            )
            guard Self.status(result.terminationStatus) == 0 else {
                throw BelfryError(.internalError, "\(path) \(arguments.joined(separator: " ")) failed.")
            }
            let text = String(decoding: result.standardOutput, as: UTF8.self)
            return text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        }
    }

    private func perform<Value>(_ program: String, _ work: (String) async throws -> Value) async throws
        -> Value
    {
        let searchPath = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        let found = program.hasPrefix("/") ? program : ProgramSearch.find(program, on: searchPath)
        guard let found else {
            let missing = ProgramSearch.missing(program, on: searchPath)
            throw BelfryError(.featureUnavailable, missing.message, fix: missing.fix)
        }
        do { return try await work(found) } catch let error as SubprocessError {
            throw BelfryError(.internalError, "\(found) cannot be started: \(error)")
        }
    }

    private var variables: [Environment.Key: String] {
        var variables: [Environment.Key: String] = [:]
        for (name, value) in environment {
            if let key = Environment.Key(rawValue: name) { variables[key] = value }
        }
        return variables
    }

    private static func status(_ status: TerminationStatus) -> Int {
        switch status {
        case .exited(let code): Int(code)
        case .signaled(let signal): 128 + Int(signal)
        }
    }
}
