// A copy of the store while it is in use, and putting such a copy back.

public import BelfryCore
import GRDB
import Glibc

extension SQLiteTaskStore {
    /// Writes a copy of the store as it is at this moment. Reads and writes go on meanwhile.
    ///
    /// The copy has every task, event, schedule and group; the files of results and logs are not in it.
    /// - Parameter path: must not exist. It appears whole, or not at all, and is the owner's alone.
    /// - Throws: ``BelfryError`` `invalid_request` when something is there, `not_writable`, `disk_full`.
    public func backUp(to path: String) async throws {
        guard access(path, F_OK) != 0 else {
            throw BelfryError(
                .invalidRequest,
                "There is something at \(path) already.",
                fix: "Name a file that is not there yet.",
                pointer: "/path"
            )
        }
        let part = "\(path).part-\(getpid())"
        do {
            // From a reader's snapshot: the writer is not held up.
            try await pool.unsafeRead { db in
                try db.execute(sql: "VACUUM INTO ?", arguments: [part])
            }
            chmod(part, 0o600)
            try Self.sync(part)
        } catch {
            unlink(part)
            throw Self.backupError(error, path)
        }
        guard rename(part, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(part)
            throw BelfryError(.notWritable, "Cannot write \(path): \(reason).", pointer: "/path")
        }
    }

    /// Puts a copy in the place of a store that nobody has open. What was there is kept beside it.
    ///
    /// The log begins a new epoch, so that readers notice that it is another past.
    /// - Returns: where the store that was there is kept now; nil when there was none.
    /// - Throws: ``BelfryError``: `already_running`, `schema_too_new`, `invalid_request` when `copy` is no
    ///   sound store of Belfry.
    public static func restore(
        _ copy: String,
        to path: String,
        ids: IDGenerator = IDGenerator(),
        at now: Timestamp
    ) throws -> String? {
        let lock = try FileLock(path + ".lock")
        defer { lock.release() }
        let part = path + ".restoring"
        for file in [part, part + "-wal", part + "-shm"] { unlink(file) }
        try copyFile(copy, to: part)
        // A store that was kept, or copied by hand, may have its newest changes in a log beside it.
        if access(copy + "-wal", F_OK) == 0 { try copyFile(copy + "-wal", to: part + "-wal") }
        do { try prepare(part, ids: ids) } catch {
            for file in [part, part + "-wal", part + "-shm"] { unlink(file) }
            throw error is BelfryError ? error : unsound(copy, "\(error)")
        }
        let kept = try setAside(path, at: now)
        guard rename(part, path) == 0 else {
            throw BelfryError(.notWritable, "Cannot write \(path): \(String(cString: strerror(errno))).")
        }
        return kept
    }

    /// Makes sure of a copy and gives its log a new epoch.
    private static func prepare(_ path: String, ids: IDGenerator) throws {
        try refuseNewerSchema(path)
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        try queue.inDatabase { db in
            guard try db.tableExists("tasks"), try db.tableExists("facts") else {
                throw unsound(path, "it has no tasks")
            }
            let verdict = try String.fetchAll(db, sql: "PRAGMA integrity_check(1)")
            guard verdict == ["ok"] else { throw unsound(path, verdict.joined(separator: "; ")) }
            try db.execute(sql: "UPDATE facts SET value = ? WHERE name = 'epoch'", arguments: [ids.epoch()])
            try db.execute(sql: "UPDATE facts SET value = 'closed' WHERE name = 'state'")
        }
    }

    /// The store with what its log still holds, under a name that says when.
    private static func setAside(_ path: String, at now: Timestamp) throws -> String? {
        guard access(path, F_OK) == 0 else { return nil }
        let stamp = now.description.filter { $0 != ":" }
        let kept = "\(path).before-\(stamp)"
        for suffix in ["", "-wal", "-shm"] where access(path + suffix, F_OK) == 0 {
            guard rename(path + suffix, kept + suffix) == 0 else {
                throw BelfryError(
                    .notWritable,
                    "Cannot rename \(path + suffix): \(String(cString: strerror(errno)))."
                )
            }
        }
        // So that the one file is all of it. One that is damaged stays as it is, with its log beside it.
        if access(kept + "-wal", F_OK) == 0 { try? foldLog(into: kept) }
        return kept
    }

    private static func foldLog(into path: String) throws {
        let queue = try DatabaseQueue(path: path)
        // The last connection that closes takes the empty log away.
        try queue.inDatabase { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        try queue.close()
    }

    private static func copyFile(_ source: String, to target: String) throws {
        let input = Glibc.open(source, O_RDONLY | O_CLOEXEC)
        guard input >= 0 else {
            throw BelfryError(
                .invalidRequest,
                "Cannot read \(source): \(String(cString: strerror(errno))).",
                fix: "Give a file that belfry backup has written."
            )
        }
        defer { Glibc.close(input) }
        let output = Glibc.open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else {
            throw BelfryError(.notWritable, "Cannot write \(target): \(String(cString: strerror(errno))).")
        }
        defer { Glibc.close(output) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(input, &buffer, buffer.count)
            if count == 0 { break }
            guard count > 0, write(output, buffer, count) == count else {
                throw BelfryError(.notWritable, "Cannot copy \(source): \(String(cString: strerror(errno))).")
            }
        }
        fsync(output)
    }

    private static func sync(_ path: String) throws {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw BelfryError(.notWritable, "Cannot sync \(path): \(String(cString: strerror(errno))).")
        }
    }

    private static func unsound(_ path: String, _ detail: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            "\(path) is no sound store of Belfry: \(detail).",
            fix: "Give a file that belfry backup has written."
        )
    }

    private static func backupError(_ error: any Error, _ path: String) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        switch error.resultCode {
        case .SQLITE_FULL:
            return BelfryError(.diskFull, "The disk with \(path) is full.", fix: "Free some space there.")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            return BelfryError(
                .notWritable,
                "Cannot write \(path).",
                fix: "Name a file in a directory that is there and writable.",
                pointer: "/path"
            )
        default: return StoreErrors.translated(error)
        }
    }
}
