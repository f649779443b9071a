// What happens to the file: cut off, zeroed, of a newer program. It is noticed, it is never overwritten, and
// what is left can be had back.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import GRDB
import Glibc
import Testing

@testable import BelfrySQLite

@Suite("A damaged store", .timeLimit(.minutes(2)))
struct DamageTests {
    private static let pageSize = 4096

    /// A store as `kill -9` leaves it, all but its last commit in the main file.
    private func crashedStore(_ directory: TemporaryDirectory, tasks: Int = 200) async throws -> String {
        let path = directory.path + "/belfry.sqlite"
        let origin = directory.path + "/origin.sqlite"
        let store = try await SQLiteTaskStore.open(.init(path: origin))
        let ids = IDGenerator()
        for index in 0..<tasks {
            let now = Timestamp(milliseconds: Int64(index))
            var new = NewTask(featureID: "paint")
            new.params = ["text": .string(String(repeating: "\(index % 10)", count: 700))]
            _ = try await store.add([AcceptedTask(id: ids.taskID(at: now), new: new)], batch: nil, at: now)
        }
        _ = try await store.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
        try await store.saveCursor(EventCursor(epoch: "e", position: 1), of: "file")
        // The files of an owner that never closed.
        for ending in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: origin + ending, toPath: path + ending)
        }
        try await store.close()
        return path
    }

    private func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

    private func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(filePath: path))
    }

    private func open(_ path: String) async throws -> SQLiteTaskStore {
        try await SQLiteTaskStore.open(.init(path: path))
    }

    /// What opening and then checking say of the file.
    private func verdict(_ path: String) async throws -> BelfryError? {
        do {
            let store = try await open(path)
            let found = try await store.check()
            try await store.close()
            return found
        } catch let error as BelfryError { return error }
    }

    @Test("a file that was cut off is refused with the way to recover, and stays as it is")
    func truncated() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = try await crashedStore(directory)
        unlink(path + "-wal")
        let whole = try bytes(path)
        for size in [whole.count / 2, Self.pageSize * 3, Self.pageSize + 100, 100] {
            let cut = Array(whole[..<size])
            try write(cut, to: path)
            let error = await #expect(throws: BelfryError.self, "cut at \(size)") { try await open(path) }
            #expect(error?.code == .storeUnavailable, "cut at \(size)")
            #expect(error?.fix?.contains("sqlite3") == true, "cut at \(size)")
            #expect(try bytes(path) == cut, "cut at \(size)")
        }
    }

    @Test("any page of zeros is noticed, by opening or by the check after an unclean stop")
    func zeroedPage() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = try await crashedStore(directory, tasks: 40)
        let (whole, log) = (try bytes(path), try bytes(path + "-wal"))
        #expect(try await verdict(path) == nil)
        for page in 0..<(whole.count / Self.pageSize) {
            for ending in ["-wal", "-shm"] { unlink(path + ending) }
            var damaged = whole
            for index in 0..<Self.pageSize { damaged[page * Self.pageSize + index] = 0 }
            try write(damaged, to: path)
            // The log has the newest copy of the pages that the last commit wrote.
            if page % 2 == 0 { try write(log, to: path + "-wal") }
            guard try await verdict(path) != nil else {
                #expect(
                    try await recordedInLog(page, log),
                    "page \(page + 1) of \(whole.count / Self.pageSize)"
                )
                continue
            }
            // Opening writes that the store is in use. The rest is as it was.
            let after = try bytes(path)
            let changed = stride(from: 0, to: damaged.count, by: Self.pageSize).filter { start in
                !after[start...].prefix(Self.pageSize).elementsEqual(damaged[start..<(start + Self.pageSize)])
            }
            #expect(changed.count <= 5, "page \(page + 1)")
        }
    }

    /// Whether the `-wal` file has a newer copy of the page, counted from 0.
    private func recordedInLog(_ page: Int, _ log: [UInt8]) async throws -> Bool {
        let frames = stride(from: 32, to: log.count, by: 24 + Self.pageSize)
        return frames.contains { frame in log[frame..<(frame + 4)].reduce(0) { $0 << 8 | Int($1) } == page + 1
        }
    }

    @Test("the command that the error gives recovers what is left, and keeps the damaged file")
    func recovery() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = try await crashedStore(directory)
        let store = try await open(path)
        let epoch = try await store.status().epoch
        try await store.close()
        var damaged = try bytes(path)
        // A leaf of the tasks: the only pages that are full of params.
        let isLeaf = { (page: Int) in damaged[page * Self.pageSize] == 0x0D && page > 40 }
        let page = try #require((0..<(damaged.count / Self.pageSize)).first(where: isLeaf))
        for index in 0..<Self.pageSize { damaged[page * Self.pageSize + index] = 0 }
        try write(damaged, to: path)
        let fix = try #require(try await verdict(path)?.fix)
        let command = try #require(fix.split(separator: "with: ", maxSplits: 1).last)
        // No hub runs, and there is no belfry here to stop it.
        #expect(system("belfry() { :; }; \(command)") == 0, "\(command)")
        let recovered = try await open(path)
        let tasks = try await recovered.status().counts[.pending] ?? 0
        #expect(try await recovered.check() == nil)
        #expect(try await recovered.status().epoch == epoch)
        #expect(tasks > 0)
        #expect(try await recovered.tasks(TaskQuery()).tasks.count == 100)
        try await recovered.close()
        #expect(FileManager.default.fileExists(atPath: directory.path + "/damaged/belfry.sqlite"))
    }

    @Test("a flipped byte of a text is nothing that SQLite can see; every other task is as it was")
    func flippedByte() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = try await crashedStore(directory, tasks: 20)
        var flipped = try bytes(path)
        let text = Array(String(repeating: "7", count: 700).utf8)
        let place = try #require(
            (0..<(flipped.count - text.count)).first {
                flipped[$0] == text[0] && flipped[$0..<($0 + 700)].elementsEqual(text)
            }
        )
        flipped[place + 350] ^= 1
        try write(flipped, to: path)
        let store = try await open(path)
        #expect(try await store.check() == nil)
        let texts = try await store.tasks(TaskQuery()).tasks.compactMap { $0.params["text"]?.string }
        #expect(texts.filter { Set($0).count > 1 }.count == 1)
        #expect(texts.count == 20)
        try await store.close()
    }

    @Test("the check is due after an unclean stop only, and until it found the file sound")
    func due() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = try await crashedStore(directory, tasks: 3)
        // An owner that closes without a check, as a command that only reads.
        let reader = try await open(path)
        #expect(try await reader.isCheckDue())
        try await reader.close()
        let checker = try await open(path)
        #expect(try await checker.isCheckDue())
        #expect(try await checker.check() == nil)
        #expect(try await !checker.isCheckDue())
        try await checker.close()
        let next = try await open(path)
        #expect(try await !next.isCheckDue())
        try await next.close()
    }

    @Test("a newer schema that is only in the log yet is refused too, and both files stay as they are")
    func newerSchemaInLog() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let origin = directory.path + "/origin.sqlite"
        let path = directory.path + "/store.sqlite"
        let store = try await open(origin)
        _ = try await store.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
        for ending in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: origin + ending, toPath: path + ending)
        }
        try await store.close()
        let before = try [bytes(path), bytes(path + "-wal")]
        #expect(Int(before[0][63]) == Schema.version)
        let error = await #expect(throws: BelfryError.self) { try await open(path) }
        #expect(error?.code == .schemaTooNew)
        #expect(try [bytes(path), bytes(path + "-wal")] == before)
    }
}
