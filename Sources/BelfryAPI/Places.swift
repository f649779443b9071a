// Where Belfry keeps its files: the XDG base directories, with overrides for tests and for who
// wants a second hub. The CLI and the hub must agree, so they ask here.

import BelfryCore
import Glibc

/// The directories and the socket of one hub.
public struct Places: Sendable, Hashable {
    /// The store, the event log, results and logs. Defaults to `$XDG_STATE_HOME/belfry`, which is
    /// `~/.local/state/belfry`; overridden by `BELFRY_STATE_DIR`.
    public var state: String
    /// The user's plugins are in `plugins` below. Defaults to `$XDG_DATA_HOME/belfry`, which is
    /// `~/.local/share/belfry`; overridden by `BELFRY_DATA_DIR`.
    public var data: String
    /// `$XDG_CONFIG_HOME/belfry/config.toml`, which is `~/.config/belfry/config.toml`;
    /// overridden by `BELFRY_CONFIG`.
    public var configFile: String
    /// The socket and the locks. `$XDG_RUNTIME_DIR/belfry`, else `/run/user/<uid>/belfry` where
    /// that exists, else `/tmp/belfry-<uid>`; overridden by `BELFRY_RUNTIME_DIR`.
    public var runtime: String

    public var socket: String { runtime + "/hub.sock" }
    public var store: String { state + "/belfry.sqlite" }
    public var eventLog: String { state + "/events.jsonl" }
    /// What the hub itself has to say when nobody watches.
    public var hubLog: String { state + "/belfryd.log" }
    /// Where the logs of plugins that stay are, one `ID.log` for each; an older one is `ID.log.1`.
    public var pluginLogs: String { state + "/plugins-log" }
    public var userPlugins: String { data + "/plugins" }
    /// Where `/etc/xdg` and its like are searched for `belfry/config.toml`.
    public var systemConfigFiles: [String]
    /// Where plugins of the system are.
    public var systemPlugins: [String]

    public init(environment: [String: String]) {
        let home = Self.absolute(environment["HOME"]) ?? Self.homeFromPasswd() ?? "/tmp"
        state =
            Self.absolute(environment["BELFRY_STATE_DIR"])
            ?? (Self.absolute(environment["XDG_STATE_HOME"]) ?? home + "/.local/state") + "/belfry"
        data =
            Self.absolute(environment["BELFRY_DATA_DIR"])
            ?? (Self.absolute(environment["XDG_DATA_HOME"]) ?? home + "/.local/share") + "/belfry"
        configFile =
            Self.absolute(environment["BELFRY_CONFIG"])
            ?? (Self.absolute(environment["XDG_CONFIG_HOME"]) ?? home + "/.config") + "/belfry/config.toml"
        runtime =
            Self.absolute(environment["BELFRY_RUNTIME_DIR"])
            ?? Self.absolute(environment["XDG_RUNTIME_DIR"]).map { $0 + "/belfry" } ?? Self.runtimeFallback()
        systemConfigFiles = Self.list(environment["XDG_CONFIG_DIRS"], or: "/etc/xdg").map {
            $0 + "/belfry/config.toml"
        }
        systemPlugins = Self.list(environment["XDG_DATA_DIRS"], or: "/usr/local/share:/usr/share")
            .map { $0 + "/belfry/plugins" }
    }

    /// The XDG specification says that relative paths are to be ignored.
    private static func absolute(_ path: String?) -> String? {
        guard let path, path.hasPrefix("/") else { return nil }
        return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    private static func list(_ value: String?, or fallback: String) -> [String] {
        (value?.isEmpty == false ? value! : fallback).split(separator: ":").compactMap {
            absolute(String($0))
        }
    }

    private static func homeFromPasswd() -> String? {
        guard let entry = getpwuid(getuid()), let directory = entry.pointee.pw_dir else { return nil }
        return String(cString: directory)
    }

    /// For a hub started from ssh or cron, where `XDG_RUNTIME_DIR` may be unset.
    private static func runtimeFallback() -> String {
        let user = "/run/user/\(getuid())"
        var info = stat()
        if stat(user, &info) == 0, info.st_uid == getuid() { return user + "/belfry" }
        return "/tmp/belfry-\(getuid())"
    }

    /// The longest path that fits into a Unix socket's address.
    public static let maxSocketPath = 107

    /// Makes the runtime directory, private to the user.
    ///
    /// - Throws: ``BelfryError`` `invalid_place` when the socket's path is too long, or when the
    ///   directory is somebody else's, a symbolic link, or open to others.
    public func prepareRuntime() throws {
        guard socket.utf8.count <= Self.maxSocketPath else {
            throw BelfryError(
                .invalidPlace,
                "The path of the hub's socket is \(socket.utf8.count) bytes long; a Unix socket's may have "
                    + "\(Self.maxSocketPath): \(socket)",
                fix: "Set BELFRY_RUNTIME_DIR to a shorter path, such as /tmp/belfry-\(getuid())."
            )
        }
        try Self.makePrivateDirectory(runtime)
    }

    /// Makes the state directory, private to the user.
    ///
    /// - Throws: ``BelfryError`` `not_writable` naming the path, also when the directory is there.
    public func prepareState() throws {
        try Self.makeParents(of: state)
        try Self.makePrivateDirectory(state)
        guard access(state, W_OK | X_OK) == 0 else { throw Self.notWritable(state, errno) }
    }

    private static func makeParents(of path: String) throws {
        var parent = ""
        for component in path.split(separator: "/").dropLast() {
            parent += "/" + component
            if mkdir(parent, 0o755) != 0, errno != EEXIST { throw cannotMake(parent, errno) }
        }
    }

    private static func makePrivateDirectory(_ path: String) throws {
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            guard errno == ENOENT else { throw cannotMake(path, errno) }
            try makeParents(of: path)
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw cannotMake(path, errno) }
        }
        var info = stat()
        guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, info.st_uid == getuid() else {
            throw BelfryError(
                .invalidPlace,
                "\(path) is not a directory of yours.",
                fix:
                    "Remove it, or set BELFRY_RUNTIME_DIR and BELFRY_STATE_DIR to directories that are yours."
            )
        }
        if info.st_mode & 0o077 != 0, chmod(path, 0o700) != 0 { throw notWritable(path, errno) }
    }

    private static func notWritable(_ path: String, _ code: Int32) -> BelfryError {
        BelfryError(
            .notWritable,
            "Cannot write to the directory \(path): \(String(cString: strerror(code))).",
            fix: "Make it writable, or set BELFRY_STATE_DIR and BELFRY_RUNTIME_DIR to directories that are."
        )
    }

    private static func cannotMake(_ path: String, _ code: Int32) -> BelfryError {
        BelfryError(
            .notWritable,
            "Cannot make the directory \(path): \(String(cString: strerror(code))).",
            fix:
                "Make its parent writable, or set BELFRY_STATE_DIR and BELFRY_RUNTIME_DIR to directories that are."
        )
    }
}
