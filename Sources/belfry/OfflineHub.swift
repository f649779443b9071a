// What belfryd does without being a hub: it answers one request from the store, fetches a plugin, or sets one up,
// and ends.

import BelfryAPI
import BelfryCore
import Glibc
import Synchronization

struct OfflineHub {
    let session: Session

    /// - Returns: the body of a 2xx answer.
    /// - Throws: ``BelfryError`` with what went wrong.
    func answer(_ method: String, _ path: String, body: JSONValue? = nil) throws -> [UInt8] {
        try ask(["answer", method, path], input: body?.encoded ?? [])
    }

    /// Puts a backup in the place of the store.
    ///
    /// - Throws: as ``answer(_:_:body:)``; `already_running` while a hub runs.
    func restore(_ file: String) throws -> [UInt8] { try ask(["restore", file], input: []) }

    /// Brings a plugin from elsewhere to look at it; git and its like speak on stderr.
    func fetchPlugin(_ source: String) throws -> JSONValue {
        try Session.parse(try ask(["fetch-plugin", "--", source], input: []))
    }

    /// Makes the Python environment of the plugin in `directory`; pip speaks on stderr.
    ///
    /// - Parameter isAhead: whether it is for a version that is yet to be taken.
    func setUpPlugin(in directory: String, aheadOf digest: String? = nil) throws -> JSONValue {
        let words = ["setup-plugin"] + (digest.map { ["--ahead", $0] } ?? []) + ["--", directory]
        return try Session.parse(try ask(words, input: []))
    }

    private func ask(_ words: [String], input: [UInt8]) throws -> [UInt8] {
        let programs = HubStarter.programsDirectory(environment: session.environment)
        guard let hub = HubStarter.program("belfryd", in: programs) else {
            throw BelfryError(
                .noHub,
                "No hub is running, and there is no belfryd in \(programs).",
                fix: "Install Belfry as a whole (make install), or set BELFRY_BIN_DIR."
            )
        }
        let output = try run([hub] + words, input: input)
        guard let newline = output.firstIndex(of: 0x0A),
            let status = Int(String(decoding: output[..<newline], as: UTF8.self))
        else {
            throw BelfryError(.internalError, "belfryd could not answer.", fix: "See: belfry doctor")
        }
        let rest = Array(output[(newline + 1)...])
        if (200..<300).contains(status) { return rest }
        if let json = try? JSONValue(parsing: rest), let error = BelfryError(problem: json) { throw error }
        throw BelfryError(.internalError, "belfryd answered \(status).")
    }

    /// Runs a program to its end; the input is small enough for a pipe, or read before it answers.
    private func run(_ arguments: [String], input: [UInt8]) throws -> [UInt8] {
        // One at a time: between `pipe` and `fcntl` another program would be handed our ends, and keep them open.
        let program = try Self.starting.withLock { _ in try Self.start(arguments) }
        defer { close(program.output) }
        var rest = input[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(program.input, $0.baseAddress, $0.count) }
            guard written > 0 else { break }
            rest = rest.dropFirst(written)
        }
        close(program.input)
        let output = FileBytes.readToEnd(program.output)
        var status: Int32 = 0
        while waitpid(program.pid, &status, 0) < 0, errno == EINTR {}
        return output
    }

    private static let starting = Mutex(())

    /// - Returns: the process, and our ends of its stdin and stdout.
    private static func start(_ arguments: [String]) throws -> (pid: pid_t, input: Int32, output: Int32) {
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
            throw BelfryError(.internalError, "Cannot make a pipe: \(String(cString: strerror(errno))).")
        }
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        let pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, arguments[0], &actions, nil, pointers, environ)
        close(toChild[0])
        close(fromChild[1])
        guard code == 0 else {
            close(toChild[1])
            close(fromChild[0])
            throw BelfryError(.noHub, "Cannot start \(arguments[0]): \(String(cString: strerror(code))).")
        }
        return (pid, toChild[1], fromChild[0])
    }
}

enum FileBytes {
    static func readToEnd(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// - Parameter path: a file, or `-` for the standard input.
    static func read(_ path: String) throws -> [UInt8] {
        if path == "-" { return readToEnd(0) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw BelfryError(.invalidRequest, "Cannot read \(path): \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        return readToEnd(descriptor)
    }
}
