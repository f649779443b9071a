// Starting programs beside a test.

public import Glibc

/// What went wrong around the programs of a test.
public struct BusTestingFailure: Error, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

/// Two connected ends, closed on exec from their first moment on, so that no program that another test
/// starts holds one open. (Glibc's module has no `pipe2`.)
struct Pipe {
    let reader: Int32
    let writer: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw BusTestingFailure("no pipe: errno \(errno)")
        }
        (reader, writer) = (ends[0], ends[1])
    }
}

/// Starts a program found in `PATH`, which the kernel ends with the thread that calls this.
///
/// Its input is empty.
/// - Parameters:
///   - environment: all of it.
///   - log: a file for what it says, both streams. Defaults to nil: the test's own output.
///   - descriptor: becomes the program's descriptor `number`, after the log has become its output. Defaults to
///     nil: none.
///   - number: Defaults to 1, the standard output.
///   - deathSignal: what ends it, as setpriv names it. Defaults to `KILL`.
/// - Throws: ``BusTestingFailure``.
public func spawn(
    _ arguments: [String],
    environment: [String: String],
    log: String? = nil,
    descriptor: Int32? = nil,
    as number: Int32 = 1,
    deathSignal: String = "KILL"
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    if let log {
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
    }
    if let descriptor { posix_spawn_file_actions_adddup2(&actions, descriptor, number) }
    // Dispatch's threads block signals, and a program that starts so is deaf: to SIGTERM, or a bus to the
    // SIGCHLD by which it learns that what it started has ended.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let command = ["setpriv", "--pdeathsig", deathSignal, "--"] + arguments
    let words = command.map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in words + variables { free(pointer) } }
    var pid = pid_t()
    let code = posix_spawnp(&pid, command[0], &actions, &attributes, words, variables)
    guard code == 0 else { throw BusTestingFailure("cannot start \(arguments[0]): error \(code)") }
    return pid
}

/// Waits for the end of a child.
@discardableResult
func wait(for pid: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return status
}

/// The test's own environment, with what is set beside it.
func environment(adding added: [String: String]) -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
        let parts = String(cString: entry).split(
            separator: "=",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
        next += 1
    }
    return variables.merging(added) { _, new in new }
}
