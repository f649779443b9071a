// How a plugin's program is started: always through belfry-launch, which has its whole tree end with it.

import BelfryCore
import Subprocess

/// One program with its arguments and surroundings, for belfry-launch.
struct Launch: Sendable {
    /// belfry-launch.
    var launcher: String
    /// Absolute.
    var executable: String
    var arguments: [String] = []
    /// The whole environment that the program gets.
    var environment: [String: String] = [:]
    /// Absolute.
    var workingDirectory: String
    /// Defaults to what the hub has.
    var umask: UInt32?
    /// Address space of one process, in MiB. Defaults to no limit.
    var addressSpaceMB: Int?
    /// Memory of the whole tree, in MiB. Defaults to no limit.
    var memoryMB: Int?
    /// From TERM to KILL. Defaults to 5 seconds.
    var cancelGrace = Duration.seconds(5)
    /// What the plugin's files must be. Defaults to whatever they are.
    var pins: PinnedFiles?

    var launcherArguments: Arguments {
        var arguments = ["run", "--grace", "\(cancelGrace.seconds)", "--cwd", workingDirectory]
        if let umask { arguments += ["--umask", String(umask & 0o777, radix: 8)] }
        if let addressSpaceMB { arguments += ["--address-space-mb", String(addressSpaceMB)] }
        if let memoryMB { arguments += ["--memory-mb", String(memoryMB)] }
        return Arguments(arguments + ["--", executable] + self.arguments)
    }

    var subprocessEnvironment: Environment {
        .custom(environment.map { Array("\($0.key)=\($0.value)".utf8) + [0] })
    }

    /// Why there is no process at all.
    func failure(_ error: SubprocessError) -> TaskFailure {
        TaskFailure(
            "cannot_start",
            "Cannot start \(launcher): \(error)",
            fix: "Install Belfry as a whole (make install)."
        )
    }
}
