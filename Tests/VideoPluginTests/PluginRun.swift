// Starts the plugin as the hub does, by system calls: what is tested is the program, not the hub.

import BelfryCore
import Glibc
import Synchronization

/// A directory of its own, removed at the end with what is in it.
struct Folder: ~Copyable {
    let path: String

    init() throws {
        var template = Array("/tmp/belfry-video-XXXXXX".utf8CString)
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
    init(_ words: [String], input: String = "", searchPath: String? = nil) throws {
        (pid, output) = try Self.spawning.withLock { _ in
            try Self.spawn(words, input: input, searchPath: searchPath)
        }
    }

    private static func spawn(
        _ words: [String],
        input: String,
        searchPath: String?
    ) throws -> (pid: pid_t, output: Int32) {
        let (stdin, stdout) = (try makePipe(), try makePipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, stdin.read, 0)
        posix_spawn_file_actions_adddup2(&actions, stdout.write, 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        let path = searchPath ?? getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        var environment: [UnsafeMutablePointer<CChar>?] = [
            strdup("PATH=\(path)"), strdup("LC_ALL=C.UTF-8"), nil,
        ]
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

    /// Its remaining lines and its exit status; above 128 is a signal.
    @discardableResult
    func end() throws -> (lines: [String], status: Int32) {
        var lines: [String] = []
        while let line = line() { lines.append(line) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw SystemError("waitpid", errno) }
        }
        return (lines, status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F)
    }
}

/// The plugin under test.
enum VideoPlugin {
    static let directory: String = {
        var parts = #filePath.split(separator: "/")
        parts.removeLast(3)
        return "/" + parts.joined(separator: "/") + "/Plugins/video"
    }()

    /// Whether the programs are there that the plugin requires.
    static let isRunnable = ["python3", "ffmpeg", "ffprobe"].allSatisfy { find($0) != nil }

    static func find(_ program: String) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// - Parameter isBare: whether nothing is on the plugin's PATH.
    static func start(_ params: JSONValue, in folder: String, isBare: Bool = false) throws -> Run {
        let request: JSONValue = [
            "protocol": "exec/1", "taskId": "01890000-0000-7000-8000-000000000000", "fence": 1, "attempt": 1,
            "featureId": "video", "params": params, "inputs": [:], "outputDir": .string(folder),
        ]
        // python3 may be a script that needs a PATH; the interpreter itself does not.
        let ask = try Run(["python3", "-c", "import sys; print(sys.executable)"])
        let python = ask.line() ?? "python3"
        try ask.end()
        return try Run(
            [python, "\(directory)/main.py"],
            input: request.text + "\n",
            searchPath: isBare ? "/nowhere" : nil
        )
    }

    /// Runs a task to its end; every line must be the protocol's.
    static func run(
        _ params: JSONValue,
        in folder: String,
        isBare: Bool = false
    ) throws -> (lines: [JSONValue], status: Int32) {
        let end = try start(params, in: folder, isBare: isBare).end()
        return (try end.lines.map { try JSONValue(parsing: $0) }, end.status)
    }

    /// Makes a clip with ffmpeg's own sources.
    static func makeClip(_ path: String, size: String = "160x90", seconds: Int = 2, more: [String] = [])
        throws
    {
        let source = ["-f", "lavfi", "-i", "testsrc2=size=\(size):rate=25"]
        let end = try Run(["ffmpeg", "-v", "error"] + source + more + ["-t", "\(seconds)", path]).end()
        guard end.status == 0 else { throw SystemError("ffmpeg \(path)", EINVAL) }
    }

    /// What ffprobe says about the first stream of a file.
    static func facts(_ path: String) throws -> JSONValue {
        let end = try Run(
            ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", "file:" + path]
        ).end()
        return try JSONValue(parsing: end.lines.joined())
    }
}
