// The event log: one event one line, always, whatever moment the power goes at.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import Glibc
import Testing

@testable import BelfryFileSink

@Suite("The file sink")
struct FileSinkTests {
    private let directory = Directory()
    private var path: String { directory.path + "/events.jsonl" }

    private func sink(
        _ clock: ManualWallClock = ManualWallClock(),
        change: (inout FileSink.Configuration) -> Void = { _ in }
    ) -> FileSink {
        var configuration = FileSink.Configuration(path: path)
        change(&configuration)
        return FileSink(configuration, clock: clock)
    }

    private func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    /// The positions in every file of the log, oldest file first, as a reader of all of them finds them.
    private func positions() throws -> [Int64] {
        let stem = directory.path + "/events"
        let rotated =
            EventFile.rotated(stem: stem, ending: ".jsonl")
            + EventFile.rotated(stem: stem, ending: ".jsonl.gz")
        return try (rotated.sorted(by: EventFile.isOlder) + [path]).flatMap { file -> [Int64] in
            let bytes =
                file.hasSuffix(".gz")
                ? try #require(Gzip.read(file)) : try Array(Data(contentsOf: URL(filePath: file)))
            return try bytes.split(separator: 0x0A).map { line in
                try #require(try JSONValue(parsing: line)["position"]?.int)
            }
        }
    }

    @Test("a new sink has no cursor; a file's last whole line is the cursor")
    func cursor() async throws {
        let first = sink()
        #expect(try await first.resumePosition() == nil)
        try await first.deliver(batch(1...3))
        await first.close()
        #expect(try await sink().resumePosition() == EventCursor(epoch: "e1", position: 3))
        #expect(try positions() == [1, 2, 3])
        #expect(try text().hasSuffix("}\n"))
    }

    @Test("events that are in the file already are not written again")
    func repeats() async throws {
        let first = sink()
        _ = try await first.resumePosition()
        try await first.deliver(batch(1...3))
        let second = sink()
        _ = try await second.resumePosition()
        try await second.deliver(batch(2...5))
        #expect(try positions() == [1, 2, 3, 4, 5])
    }

    @Test("a torn last line is cut off, at whatever byte it was torn, and delivered again")
    func torn() async throws {
        let first = sink()
        _ = try await first.resumePosition()
        try await first.deliver(batch(1...2))
        await first.close()
        let whole = try Array(Data(contentsOf: URL(filePath: path)))
        let second = batch(2...2).events[0].json.count + 1
        for cut in (whole.count - second)..<whole.count {
            try Data(whole[..<cut]).write(to: URL(filePath: path))
            let sink = sink()
            #expect(try await sink.resumePosition()?.position == 1, "cut at \(cut)")
            try await sink.deliver(batch(1...3))
            await sink.close()
            #expect(try positions() == [1, 2, 3], "cut at \(cut)")
        }
    }

    @Test("zeros and rubbish after the last event, as a crash leaves them, are cut off")
    func rubbish() async throws {
        for tail in [[UInt8](repeating: 0, count: 5000), Array("{\"position\":\n".utf8), Array("\n\n".utf8)] {
            unlink(path)
            let first = sink()
            _ = try await first.resumePosition()
            try await first.deliver(batch(1...1))
            await first.close()
            let before = try Data(contentsOf: URL(filePath: path))
            try (before + Data(tail)).write(to: URL(filePath: path))
            let second = sink()
            #expect(try await second.resumePosition()?.position == 1)
            await second.close()
            #expect(try Data(contentsOf: URL(filePath: path)) == before)
        }
    }

    @Test("a new file is begun at the size, the old one is compressed, and only so many are kept")
    func rotation() async throws {
        let sink = sink { configuration in
            configuration.maxBytes = 2000
            configuration.keep = 3
        }
        _ = try await sink.resumePosition()
        for position in Int64(1)...60 { try await sink.deliver(batch(position...position)) }
        let stem = directory.path + "/events"
        #expect(EventFile.rotated(stem: stem, ending: ".jsonl").isEmpty)
        #expect(EventFile.rotated(stem: stem, ending: ".jsonl.gz").count == 3)
        let kept = try positions()
        #expect(kept == Array(kept[0]...60))
        #expect(try text().utf8.count <= 2000)
        // Any gzip reads what we compressed.
        for file in EventFile.rotated(stem: stem, ending: ".jsonl.gz") {
            #expect(system("gzip -t '\(file)'") == 0)
        }
    }

    @Test("a new file is begun at the age, and the cursor is found in the old one")
    func age() async throws {
        let clock = ManualWallClock()
        let first = sink(clock) { $0.maxAge = .seconds(3600) }
        _ = try await first.resumePosition()
        try await first.deliver(batch(1...2))
        clock.advance(by: .seconds(3601))
        try await first.deliver(batch(3...3))
        await first.close()
        #expect(try text().split(separator: "\n").count == 1)
        unlink(path)
        #expect(try await sink(clock).resumePosition()?.position == 2)
    }

    @Test("a crash at any step of a rotation loses and repeats nothing", arguments: FileSink.Step.allCases)
    func crashInRotation(step: FileSink.Step) async throws {
        struct Crash: Error {}
        var configuration = FileSink.Configuration(path: path)
        configuration.maxBytes = 600
        let first = FileSink(configuration, clock: ManualWallClock()) { if $0 == step { throw Crash() } }
        _ = try await first.resumePosition()
        var delivered: Int64 = 0
        await #expect(throws: Crash.self) {
            while true {
                try await first.deliver(batch((delivered + 1)...(delivered + 1)))
                delivered += 1
            }
        }
        let second = sink { $0.maxBytes = 600 }
        let cursor = try #require(try await second.resumePosition())
        #expect(cursor.position == delivered)
        try await second.deliver(batch((delivered + 1)...(delivered + 1)))
        #expect(try positions() == Array(1...(delivered + 1)))
    }

    @Test("a file that somebody moved away is begun anew, without a gap between the two")
    func replaced() async throws {
        let sink = sink()
        _ = try await sink.resumePosition()
        try await sink.deliver(batch(1...2))
        rename(path, directory.path + "/moved")
        try await sink.deliver(batch(3...4))
        #expect(try positions() == [3, 4])
        #expect(try String(contentsOfFile: directory.path + "/moved", encoding: .utf8).contains("e1-2"))
    }

    @Test(
        "a disk that is full is said, and what was written of the batch is taken back",
        .enabled(if: getuid() == 0, "mounting a small disk needs root")
    )
    func full() async throws {
        try #require(mount("tmpfs", directory.path, "tmpfs", 0, "size=16k,mode=700") == 0)
        defer { umount2(directory.path, Int32(MNT_DETACH)) }
        let sink = sink()
        _ = try await sink.resumePosition()
        try await sink.deliver(batch(1...1))
        let before = try text()
        // The page that the file has is the only one left, so that the disk takes a part of the batch.
        let filler = directory.path + "/filler"
        try Data(count: 8192).write(to: URL(filePath: filler))
        var failure: (any Error)?
        do { try await sink.deliver(batch(2...60)) } catch { failure = error }
        guard case SinkError.unavailable(let reason, _)? = failure else {
            Issue.record("delivered, or another error: \(String(describing: failure))")
            return
        }
        #expect(reason.contains(path))
        #expect(try text() == before)
        unlink(filler)
        try await sink.deliver(batch(2...3))
        #expect(try positions() == [1, 2, 3])
    }

    @Test("a gap is a line of its own, and the cursor is after it")
    func gap() async throws {
        let sink = sink()
        _ = try await sink.resumePosition()
        try await sink.deliver(
            SinkBatch(
                gap: EventGap(epoch: "e1", from: 1, to: 9, reason: .pruned),
                events: batch(10...10).events
            )
        )
        let types = try text().split(separator: "\n").map {
            try JSONValue(parsing: String($0))["type"]?.string
        }
        #expect(types == ["gap", "task.added"])
        #expect(try await self.sink().resumePosition()?.position == 10)
    }

    @Test("texts with newlines, NUL and JSON of their own stay within their event's line")
    func lines() async throws {
        let forged = "\n{\"position\":99,\"id\":\"e1-99\"}\n\r\u{0}\u{2028}\"}"
        let sink = sink()
        _ = try await sink.resumePosition()
        let records = (Int64(1)...3).map { Self.record($0, title: forged) }
        try await sink.deliver(SinkBatch(events: records))
        #expect(try positions() == [1, 2, 3])
        #expect(try text().split(separator: "\n", omittingEmptySubsequences: false).count == 4)
        for line in try text().split(separator: "\n") {
            #expect(try JSONValue(parsing: String(line))["task"]?["title"]?.string == forged)
        }
        await sink.close()
        #expect(try await self.sink().resumePosition()?.position == 3)
    }

    @Test(
        "a log that is ahead of its store is set aside, and goes on with the store's positions in a new file"
    )
    func setAside() async throws {
        let first = sink()
        #expect(try first.prepare() == nil)
        try await first.deliver(batch(1...9))
        await first.close()
        let second = sink()
        #expect(try second.prepare()?.position == 9)
        try second.setAside(goingOnAfter: EventCursor(epoch: "e1", position: 4))
        #expect(try await second.resumePosition()?.position == 4)
        try await second.deliver(batch(3...6))
        #expect(try text().split(separator: "\n").count == 2)
        #expect(try positions() == Array(1...9) + [5, 6])
    }

    private func batch(_ positions: ClosedRange<Int64>) -> SinkBatch {
        SinkBatch(events: positions.map(Self.record))
    }

    private static func record(_ position: Int64) -> EventRecord {
        record(position, title: "number \(position)")
    }

    private static func record(_ position: Int64, title: String) -> EventRecord {
        var new = NewTask(featureID: "paint")
        new.title = title
        let now = Timestamp(milliseconds: 1_767_225_600_000)
        let task = BackgroundTask(
            new,
            id: TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab"),
            number: position,
            at: now
        )
        return EventRecord(
            TaskEvent(
                cursor: EventCursor(epoch: "e1", position: position),
                time: now,
                draft: TaskEvent.Draft(.added, task: TaskSummary(task))
            )
        )
    }
}

/// A directory of one test.
private final class Directory: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.path() + "belfry-file-\(UInt64.random(in: 0...(.max)))"
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
