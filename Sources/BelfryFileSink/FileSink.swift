// The event log as a file: JSON Lines, one event one line, always. What is in the file is the sink's
// cursor, so a crash at any moment leaves neither a gap nor a repeat.

public import BelfryCore
import FoundationEssentials
import Glibc
import Synchronization

/// Appends events to a file, rotates it, and compresses what was rotated.
///
/// A delivered batch is written by one call and, with ``Configuration/syncs``, synced to disk before
/// `deliver` returns. The file's last whole line is the sink's cursor; a torn last line is removed when
/// the sink starts, and the store delivers that event again.
public final class FileSink: Sink {
    public struct Configuration: Sendable {
        /// The file; its directory is made when it is not there.
        public var path: String
        /// A new file is begun before this one would grow larger, in bytes. Defaults to 64 MiB.
        public var maxBytes: Int64 = 64 << 20
        /// A new file is begun when the first line of this one is older. Defaults to 7 days.
        public var maxAge = Duration.seconds(7 * 86_400)
        /// Rotated files that are kept. Defaults to 8.
        public var keep = 8
        /// Whether rotated files are compressed (gzip). Defaults to true.
        public var compresses = true
        /// Whether a batch is synced to disk (`fdatasync`) before it counts as delivered. Defaults to
        /// true; false leaves it to the kernel: after a power cut the end of the file may be missing,
        /// and is delivered again.
        public var syncs = true

        public init(path: String) { self.path = path }
    }

    /// The steps of a rotation, for tests that stop in the middle.
    enum Step: CaseIterable { case renamed, compressed, removed }

    private struct State {
        var descriptor: Int32 = -1
        var inode: ino_t = 0
        var size: Int64 = 0
        var firstTime: Timestamp?
        /// The first and last position in this file.
        var first: Int64?
        var last: EventCursor?
    }

    public let name = "file"
    public let cursorKeeper = CursorKeeper.sink
    private let configuration: Configuration
    private let clock: any WallClock
    private let onStep: @Sendable (Step) throws -> Void
    private let state = Mutex(State())

    public convenience init(_ configuration: Configuration, clock: any WallClock = SystemWallClock()) {
        self.init(configuration, clock: clock, onStep: { _ in })
    }

    init(
        _ configuration: Configuration,
        clock: any WallClock,
        onStep: @escaping @Sendable (Step) throws -> Void
    ) {
        self.configuration = configuration
        self.clock = clock
        self.onStep = onStep
    }

    deinit { state.withLock { if $0.descriptor >= 0 { Glibc.close($0.descriptor) } } }

    // MARK: Starting

    /// Opens the file before anything depends on it, so that a place that cannot be written is said at start.
    ///
    /// A full disk is no error here: it may have space again by the next event.
    /// - Returns: where the log in the file ends.
    /// - Throws: ``BelfryError`` `not_writable`.
    public func prepare() throws -> EventCursor? {
        try state.withLock { state in
            let code = tryOpen(&state)
            guard code == 0 else {
                if code == ENOSPC || code == EDQUOT { return nil }
                throw BelfryError(
                    .notWritable,
                    "Cannot write the event log \(configuration.path): \(String(cString: strerror(code))).",
                    fix: "Make its directory writable, or set path below [sinks.file] to another."
                )
            }
            return findLast(&state)
        }
    }

    /// Goes on after `cursor`, in a new file.
    ///
    /// For a log that is ahead of its store, which lost commits and counts their positions a second time:
    /// taken for repeats, the new events would be left out.
    public func setAside(goingOnAfter cursor: EventCursor) throws {
        try state.withLock { state in
            try open(&state)
            if state.size > 0 { try rotate(&state) }
            state.last = cursor
        }
    }

    // MARK: Sink

    public func resumePosition() async throws -> EventCursor? {
        try state.withLock { state in
            try open(&state)
            let last = findLast(&state)
            finishRotation()
            return last
        }
    }

    private func findLast(_ state: inout State) -> EventCursor? {
        if state.last == nil {
            state.last = newestRotated().flatMap { EventFile.lastCursor(ofRotated: $0) }
        }
        return state.last
    }

    public func deliver(_ batch: SinkBatch) async throws {
        try state.withLock { state in
            try reopenIfReplaced(&state)
            let bytes = lines(batch, after: state.last)
            guard !bytes.isEmpty else { return note(batch, in: &state) }
            if isDue(for: Int64(bytes.count), state) { try rotate(&state) }
            try append(bytes, to: &state)
            note(batch, in: &state)
        }
    }

    public func close() async {
        state.withLock { state in
            guard state.descriptor >= 0 else { return }
            fdatasync(state.descriptor)
            Glibc.close(state.descriptor)
            state.descriptor = -1
        }
    }

    // MARK: Writing

    /// The batch's lines that are not in the file yet.
    private func lines(_ batch: SinkBatch, after last: EventCursor?) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(batch.events.reduce(256) { $0 + $1.json.count + 1 })
        if let gap = batch.gap { bytes += gap.json.encoded + [0x0A] }
        for record in batch.events {
            if let last, last.epoch == record.cursor.epoch, record.position <= last.position { continue }
            bytes += record.json
            bytes.append(0x0A)
        }
        return bytes
    }

    private func note(_ batch: SinkBatch, in state: inout State) {
        let gap = batch.gap.map { EventCursor(epoch: $0.epoch, position: $0.to) }
        guard let first = gap ?? batch.events.first?.cursor, let last = batch.events.last?.cursor ?? gap
        else {
            return
        }
        if state.firstTime == nil { state.firstTime = clock.now }
        state.first = state.first ?? first.position
        if let old = state.last, old.epoch == last.epoch, old.position >= last.position { return }
        state.last = last
    }

    /// All of it or none: what a full disk took in part is cut off again.
    private func append(_ bytes: [UInt8], to state: inout State) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(state.descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                let reason = errno
                ftruncate(state.descriptor, off_t(state.size))
                throw unavailable(reason)
            }
            rest = rest.dropFirst(written)
        }
        if configuration.syncs, fdatasync(state.descriptor) != 0 {
            let reason = errno
            ftruncate(state.descriptor, off_t(state.size))
            throw unavailable(reason)
        }
        state.size += Int64(bytes.count)
    }

    private func unavailable(_ code: Int32) -> SinkError {
        .unavailable("Cannot write \(configuration.path): \(String(cString: strerror(code))).")
    }

    // MARK: Opening

    private func open(_ state: inout State) throws {
        let code = tryOpen(&state)
        if code != 0 { throw unavailable(code) }
    }

    /// - Returns: the `errno` of what failed; 0 when the file is open.
    private func tryOpen(_ state: inout State) -> Int32 {
        if state.descriptor >= 0 { return 0 }
        let parent = configuration.path.split(separator: "/").dropLast().joined(separator: "/")
        try? FileManager.default.createDirectory(
            atPath: "/" + parent,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let descriptor = Glibc.open(
            configuration.path,
            O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
            0o600
        )
        guard descriptor >= 0 else { return errno }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { return errno }
        let content = EventFile.repair(descriptor)
        state = State(
            descriptor: descriptor,
            inode: info.st_ino,
            size: content.size,
            firstTime: content.firstTime,
            first: content.first,
            last: content.last ?? state.last
        )
        return 0
    }

    /// A file that somebody removed or replaced (logrotate) is begun anew under its name.
    private func reopenIfReplaced(_ state: inout State) throws {
        if state.descriptor >= 0 {
            var info = stat()
            if stat(configuration.path, &info) == 0, info.st_ino == state.inode { return }
            Glibc.close(state.descriptor)
            state.descriptor = -1
        }
        try open(&state)
    }

    // MARK: Rotating

    private func isDue(for more: Int64, _ state: State) -> Bool {
        guard state.size > 0 else { return false }
        if state.size + more > configuration.maxBytes { return true }
        guard let first = state.firstTime else { return false }
        return clock.now.since(first) >= configuration.maxAge
    }

    /// `events.jsonl` becomes `events-<when>-<first>-<last>.jsonl`, which sorts by age.
    private func rotate(_ state: inout State) throws {
        let first = state.first ?? 0
        let name = "\(stem)-\(clock.now.milliseconds)-\(first)-\(state.last?.position ?? first).jsonl"
        if configuration.syncs { fdatasync(state.descriptor) }
        guard rename(configuration.path, name) == 0 else { throw unavailable(errno) }
        Glibc.close(state.descriptor)
        state = State(last: state.last)
        try onStep(.renamed)
        try open(&state)
        try compress(name)
        removeOldest()
        try onStep(.removed)
    }

    private func compress(_ path: String) throws {
        guard configuration.compresses else { return }
        // A log that cannot be compressed is kept as it is.
        if Gzip.compress(path) { unlink(path) }
        try onStep(.compressed)
    }

    /// What a crash in the middle of a rotation left to do.
    private func finishRotation() {
        for path in EventFile.rotated(stem: stem, ending: ".tmp") { unlink(path) }
        guard configuration.compresses else { return }
        for path in EventFile.rotated(stem: stem, ending: ".jsonl") where Gzip.compress(path) { unlink(path) }
        removeOldest()
    }

    private func removeOldest() {
        let files =
            EventFile.rotated(stem: stem, ending: ".jsonl")
            + EventFile.rotated(stem: stem, ending: ".jsonl.gz")
        for path in files.sorted(by: EventFile.isOlder).dropLast(configuration.keep) { unlink(path) }
    }

    private func newestRotated() -> String? {
        let files =
            EventFile.rotated(stem: stem, ending: ".jsonl")
            + EventFile.rotated(stem: stem, ending: ".jsonl.gz")
        return files.max(by: EventFile.isOlder)
    }

    private var stem: String {
        configuration.path.hasSuffix(".jsonl") ? String(configuration.path.dropLast(6)) : configuration.path
    }
}
