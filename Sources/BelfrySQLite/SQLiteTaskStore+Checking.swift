// Damage to the file: looked for after an unclean stop, and answered with the way to recover what is left.

public import BelfryCore
import GRDB

extension SQLiteTaskStore {
    /// Whether an owner ended without closing and the file was not found sound since.
    public func isCheckDue() async throws -> Bool {
        try await pool.read { db in
            try String.fetchOne(db, sql: "SELECT value FROM facts WHERE name = 'check'") != nil
        }
    }

    /// Reads the whole file and looks for damage. Reads and writes go on meanwhile; nothing is mended.
    ///
    /// The time grows with the file: SQLite visits every page. Cancelling ends it early.
    /// - Returns: what is wrong, with the command that recovers what is left; nil when the file is sound.
    /// - Throws: `CancellationError`, or what kept the file from being read.
    public func check() async throws -> BelfryError? {
        let found: [String]
        do {
            found = try await pool.read { try String.fetchAll($0, sql: "PRAGMA integrity_check(3)") }
        } catch let error as DatabaseError {
            guard [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) else { throw error }
            return damage(error.message ?? "\(error.resultCode)")
        }
        guard found == ["ok"] else {
            return damage(found.joined(separator: "; ").split(separator: "\n").joined(separator: " "))
        }
        try await writer.write { store in
            try store.db.execute(sql: "DELETE FROM facts WHERE name = 'check'")
        }
        return nil
    }

    private func damage(_ detail: String) -> BelfryError {
        BelfryError(
            .storeUnavailable,
            "\(pool.path) is damaged: \(detail).",
            fix: Self.recovery(of: pool.path)
        )
    }

    /// What a person does about a damaged file. The damaged one and its log are kept beside the new one.
    ///
    /// `.dump` and not `.recover`: the `sqlite3` of Debian has no `.recover` that works, as its library has no
    /// `sqlite_dbpage`. A dump reads each table from both ends and takes back all of it when it met damage, so
    /// that word is replaced.
    static func recovery(of path: String) -> String {
        let slash = path.lastIndex(of: "/")
        let name = quoted(String(path[(slash.map { path.index(after: $0) } ?? path.startIndex)...]))
        let directory = slash.map { "cd \(quoted(String(path[..<$0]))) && " } ?? ""
        return
            "Recover what is left with: belfry stop; \(directory)mkdir -m 700 damaged && mv \(name)* damaged"
            + " && (umask 077; (sqlite3 damaged/\(name) .dump | sed 's/^ROLLBACK;.*/COMMIT;/';"
            + " echo 'PRAGMA user_version = \(Schema.version);') | sqlite3 \(name))"
    }

    /// As one word of the shell.
    private static func quoted(_ text: String) -> String {
        "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
    }
}
