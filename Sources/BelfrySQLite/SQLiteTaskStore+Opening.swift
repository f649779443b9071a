// Opening the store: who may have it, whether this program understands it, and how SQLite is set up.

import BelfryCore
import GRDB
import Glibc

extension SQLiteTaskStore {
    /// SQLite keeps `user_version` at byte 60 of the file, big-endian. It is read there, so that a file
    /// of a newer program is refused before SQLite has touched it.
    static func refuseNewerSchema(_ path: String) throws {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { Glibc.close(descriptor) }
        var header = [UInt8](repeating: 0, count: 64)
        guard pread(descriptor, &header, header.count, 0) == header.count else { return }
        let version = header[60..<64].reduce(0) { $0 << 8 | Int($1) }
        try refuse(max(version, versionInLog(of: path)), path)
    }

    /// The version by the `-wal` file, which may be ahead of the main one after a crash. A connection that may
    /// only read leaves both as they are.
    private static func versionInLog(of path: String) -> Int {
        var info = stat()
        guard stat(path + "-wal", &info) == 0, info.st_size > 0 else { return 0 }
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        // What cannot be read is for the opening itself to say.
        let queue = try? DatabaseQueue(path: path, configuration: configuration)
        return (try? queue?.read { try Int.fetchOne($0, sql: "PRAGMA user_version") }) ?? 0
    }

    private static func refuse(_ version: Int, _ path: String) throws {
        guard version > Schema.version else { return }
        throw BelfryError(
            .schemaTooNew,
            "\(path) was written by a newer Belfry (schema \(version); this one knows \(Schema.version)).",
            fix:
                "Run the newer version, or set BELFRY_STATE_DIR to another directory. The file was not changed."
        )
    }

    static func openPool(_ path: String) throws -> DatabasePool {
        // Made here, so that nobody else can read it from the first moment on.
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw cannotOpen(path, errno) }
        Glibc.close(descriptor)
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 4
        configuration.label = "belfry"
        let pool = try DatabasePool(path: path, configuration: configuration)
        // GRDB sets NORMAL on opening, after any preparation: FULL has to come later, and is checked,
        // because without it a commit is not durable when it returns.
        let level = try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // 16 MiB of log: under load the same pages are written again and again, and come to the file once.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 4000")
            return try Int.fetchOne(db, sql: "PRAGMA synchronous")
        }
        guard level == 2 else {
            throw BelfryError(
                .storeUnavailable,
                "SQLite does not sync its commits (synchronous is \(level ?? -1))."
            )
        }
        return pool
    }

    /// Learns or makes the log's epoch, and marks the store as in use.
    static func begin(_ db: Database, ids: IDGenerator) throws -> (epoch: String, wasUnclean: Bool) {
        let known = try String.fetchOne(db, sql: "SELECT value FROM facts WHERE name = 'epoch'")
        let state = try String.fetchOne(db, sql: "SELECT value FROM facts WHERE name = 'state'")
        let epoch = known ?? ids.epoch()
        let wasUnclean = state == "in use"
        // Its own fact, because it outlasts an owner who opens and closes without checking.
        let check = wasUnclean ? [("check", "due")] : []
        for (name, value) in [("epoch", epoch), ("state", "in use")] + check {
            try db.execute(
                sql:
                    "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                arguments: [name, value]
            )
        }
        for name in ["position", "number"] + TaskStatus.allCases.map(\.rawValue) {
            try db.execute(
                sql: "INSERT OR IGNORE INTO counters (name, value) VALUES (?, 0)",
                arguments: [name]
            )
        }
        return (epoch, wasUnclean)
    }

    static func openError(_ error: DatabaseError, path: String) -> BelfryError {
        switch error.resultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT:
            BelfryError(
                .storeUnavailable,
                "\(path) is damaged or no store of Belfry: \(error.message ?? "").",
                fix: recovery(of: path)
            )
        case .SQLITE_FULL:
            BelfryError(.diskFull, "The disk with \(path) is full.", fix: "Free some space there.")
        default:
            BelfryError(
                .notWritable,
                "Cannot open \(path): \(error.message ?? "\(error.resultCode)").",
                fix: "Make the file and its directory writable, or set BELFRY_STATE_DIR."
            )
        }
    }

    private static func cannotOpen(_ path: String, _ code: Int32) -> BelfryError {
        let reason = String(cString: strerror(code))
        if code == ENOSPC || code == EDQUOT {
            return BelfryError(.diskFull, "The disk with \(path) is full.", fix: "Free some space there.")
        }
        return BelfryError(
            .notWritable,
            "Cannot open \(path): \(reason).",
            fix: "Make its directory writable, or set BELFRY_STATE_DIR to one that is."
        )
    }
}

/// The kernel's lock on a file beside the store. The file stays: a lock on a removed file excludes nobody.
struct FileLock: ~Copyable, Sendable {
    private let descriptor: Int32

    init(_ path: String) throws {
        // A throw after `descriptor` is set runs the deinit, which would close it a second time: by then it may
        // be another thread's.
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else {
            throw BelfryError(
                .notWritable,
                "Cannot open \(path): \(String(cString: strerror(errno))).",
                fix: "Make its directory writable, or set BELFRY_STATE_DIR to one that is."
            )
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            var buffer = [UInt8](repeating: 0, count: 32)
            let count = max(0, pread(file, &buffer, buffer.count, 0))
            Glibc.close(file)
            let pid = String(decoding: buffer[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
            throw BelfryError(
                .alreadyRunning,
                "Another process has the store: process \(pid).",
                fix: "End it with belfry stop, or set BELFRY_STATE_DIR for a second hub."
            )
        }
        ftruncate(file, 0)
        let line = Array("\(getpid())\n".utf8)
        _ = pwrite(file, line, line.count, 0)
        descriptor = file
    }

    func release() { flock(descriptor, LOCK_UN) }

    deinit { Glibc.close(descriptor) }
}
