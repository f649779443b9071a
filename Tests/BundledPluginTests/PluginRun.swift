// Starts programs by system calls, and a bundled plugin as the hub does: what is tested is the plugin.

import BelfryCore
import FoundationEssentials
import Glibc
import Synchronization

/// A directory of its own, removed at the end with what is in it.
struct Folder: ~Copyable {
    let path: String

    init() throws {
        var template = Array("/tmp/belfry-bundled-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", errno) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { _ = try? Run(["rm", "-rf", path]).end() }

    /// The names in the directory, hidden ones too.
    static func names(in path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
            )
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }
}

struct SystemError: Error {
    let call: String
    let reason: String

    init(_ call: String, _ number: Int32) {
        self.call = call
        reason = String(cString: strerror(number))
    }
}

/// A program that has been started, with its output on a pipe.
final class Run {
    let pid: pid_t
    private let output: Int32
    /// Held from making pipes to marking them: another test's program must not inherit an end.
    private static let spawning = Mutex(())
    private var rest: [UInt8] = []

    /// - Parameters:
    ///   - words: the program, searched on the PATH, and its arguments.
    ///   - input: what it reads on stdin; at most what fits into a pipe.
    ///   - searchPath: the PATH that the program itself sees; nil for ours.
    ///   - hasEnvironment: whether it has all of our environment, such as the settings of a proxy.
    init(_ words: [String], input: String = "", searchPath: String? = nil, hasEnvironment: Bool = false)
        throws
    {
        let path = searchPath ?? getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        var environment = ["PATH=\(path)", "LC_ALL=C.UTF-8"]
        if hasEnvironment {
            environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
        }
        (pid, output) = try Self.spawning.withLock { _ in
            try Self.spawn(words, input: input, environment: environment)
        }
    }

    private static func spawn(
        _ words: [String],
        input: String,
        environment: [String]
    ) throws -> (pid: pid_t, output: Int32) {
        let (stdin, stdout) = (try makePipe(), try makePipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, stdin.read, 0)
        posix_spawn_file_actions_adddup2(&actions, stdout.write, 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        // The threads of this process block most signals; the program starts with none blocked.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var child: pid_t = 0
        let failure = posix_spawnp(&child, words[0], &actions, &attributes, &arguments, &environment)
        close(stdin.read)
        close(stdout.write)
        if failure == 0 { _ = write(stdin.write, input, input.utf8.count) }
        close(stdin.write)
        if failure != 0 { throw SystemError("posix_spawnp \(words[0])", failure) }
        return (child, stdout.read)
    }

    deinit { close(output) }

    private static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("pipe", errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// The next line of its output, waiting for it; nil at the end.
    func line() -> String? {
        while true {
            if let newline = rest.firstIndex(of: 0x0A) {
                defer { rest.removeFirst(newline + 1) }
                return String(decoding: rest[..<newline], as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = read(output, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            rest += buffer[..<count]
        }
    }

    /// The most memory that it had at once, in bytes; known once it has ended.
    private(set) var peakMemory = 0

    /// Its remaining lines and its exit status; above 128 is a signal.
    @discardableResult
    func end() throws -> (lines: [String], status: Int32) {
        var lines: [String] = []
        while let line = line() { lines.append(line) }
        var status: Int32 = 0
        var usage = rusage()
        while wait4(pid, &status, 0, &usage) < 0 {
            guard errno == EINTR else { throw SystemError("wait4", errno) }
        }
        peakMemory = usage.ru_maxrss * 1024
        return (lines, status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F)
    }
}

/// One of the bundled plugins, and the Python that it runs on.
struct BundledPlugin {
    let name: String
    /// The interpreter, with options of its own.
    var python: [String]
    /// The PATH that it sees; nil for ours.
    var searchPath: String?

    /// The package's own directory.
    static let checkout = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    var directory: String { "\(Self.checkout)/Plugins/\(name)" }

    func start(_ params: JSONValue, in folder: String) throws -> Run {
        let request: JSONValue = [
            "protocol": "exec/1", "taskId": "01890000-0000-7000-8000-000000000000", "fence": 1, "attempt": 1,
            "featureId": .string(name), "params": params, "inputs": [:], "outputDir": .string(folder),
        ]
        return try Run(
            python + ["\(directory)/main.py"],
            input: request.text + "\n",
            searchPath: searchPath
        )
    }

    /// Runs a task to its end; every line must be the protocol's.
    func run(_ params: JSONValue, in folder: String) throws -> Outcome {
        let run = try start(params, in: folder)
        let end = try run.end()
        let lines = try end.lines.map { try JSONValue(parsing: $0) }
        return Outcome(lines: lines, status: end.status, peakMemory: run.peakMemory)
    }

    /// How a task ended, and all that it said.
    struct Outcome {
        let lines: [JSONValue]
        let status: Int32
        let peakMemory: Int

        /// The last line: the result or the error.
        var last: JSONValue { lines.last ?? .null }
        var value: JSONValue { last["value"] ?? .null }
        var percents: [Double] { lines.compactMap { $0["percent"]?.double } }
    }
}

extension Folder {
    /// A new directory in it, such as for what a plugin makes.
    func output(_ name: String = "out") throws -> String {
        let path = "\(self.path)/\(name)"
        guard mkdir(path, 0o755) == 0 else { throw SystemError("mkdir", errno) }
        return path
    }

    /// A file in it.
    @discardableResult
    func save(_ bytes: some Sequence<UInt8>, as name: String) throws -> String {
        let path = "\(self.path)/\(name)"
        guard let file = fopen(path, "w") else { throw SystemError("fopen", errno) }
        defer { fclose(file) }
        let bytes = Array(bytes)
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw SystemError("fwrite", errno) }
        return path
    }
}
