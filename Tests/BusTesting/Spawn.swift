// Starting programs beside a test.

import Glibc

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
/// - Parameters:
///   - output: what becomes the program's descriptor `number`. Defaults to its standard output.
///   - log: a file for what else it says. Defaults to nil: the test's own output.
///   - environment: what is set beside the test's own environment. Defaults to nothing.
func spawn(
    _ arguments: [String],
    output: Int32,
    as number: Int32 = 1,
    log: String? = nil,
    environment: [String: String] = [:]
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    if let log {
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
    }
    posix_spawn_file_actions_adddup2(&actions, output, number)
    let command = ["setpriv", "--pdeathsig", "KILL", "--"] + arguments
    let words = command.map { strdup($0) } + [nil]
    let variables = variables(environment).map { strdup($0) } + [nil]
    defer { for pointer in words + variables { free(pointer) } }
    // Dispatch's threads block signals, and a bus that hears no SIGCHLD never learns that what it started
    // has ended.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
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

private func variables(_ added: [String: String]) -> [String] {
    var variables = added.map { "\($0.key)=\($0.value)" }
    var next = environ
    while let entry = next.pointee {
        let variable = String(cString: entry)
        if added[String(variable.prefix { $0 != "=" })] == nil { variables.append(variable) }
        next += 1
    }
    return variables
}
