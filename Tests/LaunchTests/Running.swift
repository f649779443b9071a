// A process under test with its pipes. Every wait is for an event: a line, the end of a stream, an exit
// status. The end of the errors stream says most: every process of a tree inherits it, the launcher's too,
// so that it ends when the last of them is gone.

import Glibc
import Synchronization

/// Held while a process is started, and while a pipe is made that it must not inherit.
private let spawning = Mutex(())

/// How a process ended.
enum Ending: Equatable {
    case exited(Int32)
    case killed(by: Int32)

    init(status: Int32) {
        self = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .killed(by: status & 0x7f)
    }
}

/// What went wrong around the program under test.
enum TestFailure: Error {
    case nothingHappened(waitingFor: String)
    case cannotSpawn(String, errno: Int32)
    case noBinary(searched: [String])
}

/// A pipe or a socket pair, closed on exec, so that only what a test hands on is inherited.
struct Channel {
    let reader: Int32
    let writer: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        spawning.withLock { _ in
            precondition(pipe(&ends) == 0)
            for end in ends { precondition(fcntl(end, F_SETFD, FD_CLOEXEC) == 0) }
        }
        (reader, writer) = (ends[0], ends[1])
    }

    /// A pair of connected sockets instead of a pipe.
    init(socket: Void) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        precondition(socketpair(AF_UNIX, type, 0, &ends) == 0)
        (reader, writer) = (ends[0], ends[1])
    }
}

extension Channel {
    /// A file to write to, as the writing end; there is nothing to read.
    init(writingTo path: String) {
        reader = open("/dev/null", O_RDONLY | O_CLOEXEC)
        writer = open(path, O_WRONLY | O_CLOEXEC)
    }
}

/// Bytes read from a descriptor, with an end to patience that only a hanging program reaches.
struct Stream {
    let descriptor: Int32
    let name: String

    /// The next line without its newline; what is left at the end of the stream, "" for nothing.
    func line() throws -> String {
        var bytes: [UInt8] = []
        while let byte = try read(1).first, byte != UInt8(ascii: "\n") { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Everything up to the end of the stream.
    func rest() throws -> String {
        var bytes: [UInt8] = []
        while case let more = try read(4096), !more.isEmpty { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func read(_ most: Int) throws -> [UInt8] {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, 60_000) > 0 else { throw TestFailure.nothingHappened(waitingFor: name) }
        return [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            count = max(0, Glibc.read(descriptor, buffer.baseAddress, most))
        }
    }
}

/// A started process, its standard streams being ours.
final class Running {
    let pid: pid_t
    let input: Int32
    let output: Stream
    let errors: Stream
    private var open: Set<Int32>
    private var ending: Ending?

    /// Starts `words[0]` the way a careless hub does: with SIGPIPE ignored and SIGTERM and SIGUSR1 blocked.
    ///
    /// `passing` maps numbers in the new process to descriptors of ours. `stdout` is a pipe unless given.
    init(_ words: [String], stdout: Channel = Channel(), passing: [Int32: Int32] = [:]) throws {
        let (stdin, stderr) = (Channel(), Channel())
        // The numbers to give may be in use as ours: out of their way first.
        let wanted = passing.merging([0: stdin.reader, 1: stdout.writer, 2: stderr.writer]) { $1 }
        let sources = wanted.mapValues { fcntl($0, F_DUPFD_CLOEXEC, 100) }
        defer {
            for descriptor in [stdin.reader, stdout.writer, stderr.writer] + sources.values {
                close(descriptor)
            }
        }
        pid = try spawn(words, descriptors: sources)
        input = stdin.writer
        output = Stream(descriptor: stdout.reader, name: "output")
        errors = Stream(descriptor: stderr.reader, name: "the end of the errors")
        open = [input, output.descriptor, errors.descriptor]
    }

    deinit {
        if ending == nil {
            // A failed test. A launcher kills its tree for want of a reader, others hear the signal.
            closeOutput()
            kill(pid, SIGTERM)
        }
        for descriptor in open { close(descriptor) }
    }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Waits until the process has a child that sleeps; false when it ends without one.
    func hasSleepingChild() -> Bool {
        while state(of: pid) != "Z" {
            let children = read("/proc/\(pid)/task/\(pid)/children").split(separator: " ")
            if children.contains(where: { pid_t($0).map(state) == "S" }) { return true }
        }
        return false
    }

    /// The state comes after the name, which is in parentheses.
    private func state(of process: pid_t) -> Character? {
        read("/proc/\(process)/stat").split(separator: ")").last?.dropFirst().first
    }

    private func read(_ path: String) -> String {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        return String(unsafeUninitializedCapacity: 1024) {
            max(0, Glibc.read(descriptor, $0.baseAddress, 1024))
        }
    }

    func closeInput() { if open.remove(input) != nil { close(input) } }

    func closeOutput() { if open.remove(output.descriptor) != nil { close(output.descriptor) } }

    /// Waits until the process and all that hold its errors stream are gone.
    @discardableResult
    func end() throws -> (ending: Ending, errors: String) {
        let text = try errors.rest()
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let ending = Ending(status: status)
        self.ending = ending
        return (ending, text)
    }
}

private func spawn(_ words: [String], descriptors: [Int32: Int32]) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, source) in descriptors { posix_spawn_file_actions_adddup2(&actions, source, number) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var blocked = sigset_t()
    sigemptyset(&blocked)
    sigaddset(&blocked, SIGTERM)
    sigaddset(&blocked, SIGUSR1)
    posix_spawnattr_setsigmask(&attributes, &blocked)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    // Of the whole test process, which may write to a pipe without a reader as well.
    Glibc.signal(SIGPIPE, SIG_IGN)

    let arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid = pid_t()
    let code = spawning.withLock { _ in posix_spawn(&pid, words[0], &actions, &attributes, arguments, environ)
    }
    guard code == 0 else { throw TestFailure.cannotSpawn(words[0], errno: code) }
    return pid
}
