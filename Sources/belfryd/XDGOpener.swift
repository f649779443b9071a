// Opens what a popup offers: the person's own programs, started through belfry-launch, so that they get
// none of the hub's descriptors and are nobody's children.

import BelfryCore
import BelfryDesktop
import Glibc
import Subprocess
import SystemPackage

/// Opens URIs with `xdg-open` and programs with `gtk-launch`, found on `PATH`.
///
/// Both find out what is meant and start it; that they could be started is all that is waited for.
struct XDGOpener: DesktopOpener {
    /// belfry-launch.
    let launcher: String
    /// The hub's own, which the person's session is to be found by.
    let environment: [String: String]

    func open(_ uri: String, token: String?) async throws {
        try Self.check(uri)
        try await start(Tool(name: "xdg-open", package: "xdg-utils"), for: uri, token: token)
    }

    func launch(_ desktopID: String, token: String?) async throws {
        let isID =
            !desktopID.isEmpty && desktopID.utf8.count <= 255 && !desktopID.hasPrefix("-")
            && desktopID.unicodeScalars.allSatisfy { $0 != "/" && $0.value > 0x20 && $0.value != 0x7F }
        guard isID else {
            throw BelfryError(
                .invalidRequest,
                "'\(desktopID.prefix(80))' is not the desktop id of a program.",
                fix: "Give the name of its desktop file without the ending, such as org.gimp.GIMP."
            )
        }
        try await start(Tool(name: "gtk-launch", package: "libgtk-3-bin"), for: desktopID, token: token)
    }

    // MARK: What may be opened

    private static func check(_ uri: String) throws {
        let isPlain = uri.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
        switch uri.prefix(while: { $0 != ":" }).lowercased() {
        case "http" where isPlain, "https" where isPlain: return
        case "file":
            // Whoever made the URI, its file is what is opened.
            guard isPlain, let path = FileURI.path(uri), !path.utf8.contains(0) else { break }
            if access(path, F_OK) == 0 { return }
            throw BelfryError(
                .notFound,
                "Cannot open \(path): \(String(cString: strerror(errno))).",
                fix: "It may have been moved or deleted since; run the task again to make it anew."
            )
        default: break
        }
        throw BelfryError(
            .invalidRequest,
            "Cannot open '\(uri.prefix(80))': it is not the URI of a file or a page.",
            fix: "Give a URI that begins with file:///, https:// or http://."
        )
    }

    // MARK: Starting

    private struct Tool {
        let name: String
        /// The Debian package that has it.
        let package: String
    }

    private func start(_ tool: Tool, for subject: String, token: String?) async throws {
        guard let program = find(tool.name) else {
            throw BelfryError(
                .notFound,
                "Cannot open \(subject): there is no \(tool.name) on the PATH of the hub.",
                fix: "Install it: sudo apt install \(tool.package)"
            )
        }
        do {
            let result = try await Subprocess.run(
                .path(FilePath(launcher)),
                // What the person saves there is for others to read as usual, not private as the hub's files.
                arguments: ["detach", "--umask", "022", "--", program, subject],
                environment: .custom(variables(token).map { Array("\($0.key)=\($0.value)".utf8) + [0] }),
                input: .none,
                output: .discarded,
                error: .string(limit: 65536)
            )
            guard result.terminationStatus.isSuccess else {
                throw failure(
                    subject,
                    result.standardError.split(separator: "\n").joined(separator: " ")
                )
            }
        } catch let error as SubprocessError {
            throw failure(subject, "\(launcher): \(error)")
        }
    }

    private func failure(_ subject: String, _ reason: String) -> BelfryError {
        BelfryError(
            .internalError,
            "Cannot open \(subject): \(reason)",
            fix: "Install Belfry as a whole (make install)."
        )
    }

    private func find(_ program: String) -> String? {
        let directories = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        return directories.lazy.filter { $0.hasPrefix("/") }.map { "\($0)/\(program)" }.first { path in
            var info = stat()
            return access(path, X_OK) == 0 && stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
        }
    }

    /// What concerns the hub as a service, or an earlier click.
    private static let ofTheHub: Set<String> = [
        "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC",
        "INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE", "XDG_ACTIVATION_TOKEN", "DESKTOP_STARTUP_ID",
    ]

    private func variables(_ token: String?) -> [String: String] {
        var variables = environment.filter { !Self.ofTheHub.contains($0.key) }
        // The token is the popup server's word, and only a convenience.
        if let token, !token.isEmpty, token.utf8.count <= 4096, !token.utf8.contains(0) {
            variables["XDG_ACTIVATION_TOKEN"] = token
            variables["DESKTOP_STARTUP_ID"] = token
        }
        return variables
    }
}
