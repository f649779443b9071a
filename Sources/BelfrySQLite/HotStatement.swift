// The statements that run for every task. They are bound and read by SQLite's own functions: arguments and
// rows as values of a general kind cost more than what most of these statements do.

import GRDB
import GRDBSQLite

/// A prepared statement of one connection, used on that connection's queue only.
struct HotStatement {
    /// Owns the handle.
    private let statement: Statement
    private let handle: SQLiteStatement

    init(_ db: Database, _ sql: String) throws {
        statement = try db.cachedStatement(sql: sql)
        handle = statement.sqliteStatement
    }

    /// For conditions that are put together as they are asked for.
    init(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws {
        try self.init(db, sql)
        try statement.setArguments(arguments)
    }

    /// Runs a statement whose rows, if any, nobody wants.
    func run(_ bind: (inout Binder) -> Void) throws {
        defer { sqlite3_reset(handle) }
        try bound(bind)
        while try step() {}
    }

    /// Reads the first row.
    func first<Value>(_ bind: (inout Binder) -> Void, _ read: (Columns) throws -> Value) throws
        -> Value?
    {
        defer { sqlite3_reset(handle) }
        try bound(bind)
        return try step() ? try read(Columns(handle)) : nil
    }

    /// Reads every row.
    func all<Value>(_ bind: (inout Binder) -> Void, _ read: (Columns) throws -> Value) throws
        -> [Value]
    {
        defer { sqlite3_reset(handle) }
        try bound(bind)
        var values: [Value] = []
        while try step() { values.append(try read(Columns(handle))) }
        return values
    }

    private func bound(_ bind: (inout Binder) -> Void) throws {
        var binder = Binder(handle)
        bind(&binder)
        if binder.failure != SQLITE_OK { throw error(binder.failure) }
    }

    /// - Returns: whether there is a row.
    private func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw error(code)
        }
    }

    private func error(_ code: Int32) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: code),
            message: String(cString: sqlite3_errmsg(sqlite3_db_handle(handle))),
            sql: statement.sql
        )
    }
}

/// Binds the values of a statement, from the first to the last.
struct Binder {
    private let handle: SQLiteStatement
    private var index: Int32 = 0
    /// The first code that was not `SQLITE_OK`.
    private(set) var failure = SQLITE_OK

    /// SQLite copies what it is given.
    private static let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    fileprivate init(_ handle: SQLiteStatement) { self.handle = handle }

    private mutating func next(_ bind: (SQLiteStatement, Int32) -> Int32) {
        index += 1
        let code = bind(handle, index)
        if code != SQLITE_OK, failure == SQLITE_OK { failure = code }
    }

    mutating func add(_ value: Int64?) {
        guard let value else { return next { sqlite3_bind_null($0, $1) } }
        add(value)
    }

    mutating func add(_ value: Int64) { next { sqlite3_bind_int64($0, $1, value) } }
    mutating func add(_ value: Int) { add(Int64(value)) }
    mutating func add(_ value: Bool) { add(value ? 1 : 0 as Int64) }
    mutating func add(_ value: Double) { next { sqlite3_bind_double($0, $1, value) } }

    mutating func add(_ text: String?) {
        guard let text else { return next { sqlite3_bind_null($0, $1) } }
        add(text)
    }

    mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in add(utf8) }
    }

    /// Text that anyone may write, see `String.free`.
    mutating func add(free text: String?) {
        guard let text else { return next { sqlite3_bind_null($0, $1) } }
        text.utf8.contains(0) ? add(blob: Array(text.utf8)) : add(text)
    }

    mutating func add(blob bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            next { sqlite3_bind_blob($0, $1, bytes.baseAddress, Int32(bytes.count), Self.copies) }
        }
    }

    private mutating func add(_ utf8: UnsafeBufferPointer<UInt8>) {
        utf8.withMemoryRebound(to: CChar.self) { utf8 in
            next { sqlite3_bind_text($0, $1, utf8.baseAddress, Int32(utf8.count), Self.copies) }
        }
    }
}

/// The columns of the row that a statement is at.
struct Columns {
    private let handle: SQLiteStatement

    fileprivate init(_ handle: SQLiteStatement) { self.handle = handle }

    func isNull(_ index: Int32) -> Bool { sqlite3_column_type(handle, index) == SQLITE_NULL }
    func int(_ index: Int32) -> Int64 { sqlite3_column_int64(handle, index) }
    func optionalInt(_ index: Int32) -> Int64? { isNull(index) ? nil : int(index) }
    func bool(_ index: Int32) -> Bool { int(index) != 0 }
    func double(_ index: Int32) -> Double { sqlite3_column_double(handle, index) }

    /// Valid until the statement moves on. Text comes as its UTF-8.
    func bytes(_ index: Int32) -> UnsafeRawBufferPointer {
        // Not as text: SQLite would end that at its first NUL.
        let start = sqlite3_column_blob(handle, index)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, index)))
    }

    func text(_ index: Int32) -> String { String(decoding: bytes(index), as: UTF8.self) }
    func optionalText(_ index: Int32) -> String? { isNull(index) ? nil : text(index) }
}
