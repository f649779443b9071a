// What a scan has read before: the hash of a file is taken once for each state of it, and a manifest is
// parsed once. The hashes are kept on disk, so that a hub that has just started need not read every file.

import BelfryCore
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A state of a file that cannot come back: writing to it, or putting another in its place, changes one of these.
struct FileStamp: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    /// In nanoseconds.
    let modified: Int64
    /// In nanoseconds. Nobody can set it back, as they can the time of modification.
    let changed: Int64

    /// The stamp of what is at `path` itself, with its kind; nil when nothing is.
    static func read(_ path: String) -> (stamp: FileStamp, kind: FileSystem.Kind)? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return (FileStamp(status), FileSystem.kind(status.st_mode))
    }

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
        changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
    }

    /// As one word.
    var text: String { "\(device)-\(inode)-\(size)-\(modified)-\(changed)" }

    /// From ``text``; nil when it is none.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-")
        guard parts.count == 5, let device = UInt64(parts[0]), let inode = UInt64(parts[1]),
            let size = Int64(parts[2]), let modified = Int64(parts[3]), let changed = Int64(parts[4])
        else { return nil }
        self.device = device
        self.inode = inode
        self.size = size
        self.modified = modified
        self.changed = changed
    }
}

/// Remembers hashes and manifests by the stamps of their files.
final class ScanCache: Sendable {
    /// How often something was read rather than remembered.
    struct Reads: Equatable { var hashes = 0, manifests = 0 }

    private struct State {
        var isLoaded = false
        /// By path: the stamp of the file when it was hashed, and the hash.
        var hashes: [String: (stamp: FileStamp, hash: String)] = [:]
        var used: Set<String> = []
        var isChanged = false
        var manifests: [String: (stamp: FileStamp, inspection: PluginManifest.Inspection)] = [:]
        var lock: (stamp: FileStamp, lock: PluginLock)?
        var reads = Reads()
    }

    private let path: String
    private let state = Mutex(State())

    init(path: String) { self.path = path }

    var reads: Reads { state.withLock { $0.reads } }

    /// The sha256 of a regular file, read only when it is not as it was.
    func hash(of file: String, stamp: FileStamp) throws(FileError) -> String {
        let known = state.withLock { state -> String? in
            load(&state)
            state.used.insert(file)
            guard let known = state.hashes[file], known.stamp == stamp else { return nil }
            return known.hash
        }
        if let known { return known }
        let hash = try FileSystem.sha256(of: file)
        state.withLock { state in
            state.reads.hashes += 1
            state.hashes[file] = (stamp, hash)
            state.isChanged = true
        }
        return hash
    }

    /// The manifest in `directory`, parsed only when the file is not as it was.
    func inspection(of directory: String) -> PluginManifest.Inspection {
        let file = "\(directory)/\(PluginManifest.fileName)"
        guard let (stamp, kind) = FileStamp.read(file), kind == .file else {
            return PluginManifest.inspect(directory: directory)
        }
        if let known = state.withLock({ $0.manifests[directory] }), known.stamp == stamp {
            return known.inspection
        }
        let inspection = PluginManifest.inspect(directory: directory)
        state.withLock { state in
            state.reads.manifests += 1
            state.manifests[directory] = (stamp, inspection)
        }
        return inspection
    }

    /// plugins.lock in `directory`, parsed only when the file is not as it was.
    ///
    /// - Throws: as ``PluginLock/read(in:)``.
    func lock(in directory: String) throws -> PluginLock {
        let stamp = FileStamp.read("\(directory)/\(PluginLock.fileName)")?.stamp
        if let stamp, let known = state.withLock({ $0.lock }), known.stamp == stamp { return known.lock }
        let lock = try PluginLock.read(in: directory)
        state.withLock { $0.lock = stamp.map { ($0, lock) } }
        return lock
    }

    /// Ends a scan: forgets the files that it did not meet and keeps the rest on disk.
    func save() {
        let bytes = state.withLock { state -> [UInt8]? in
            defer { state.used = [] }
            let known = state.hashes.count
            state.hashes = state.hashes.filter { state.used.contains($0.key) }
            guard state.isChanged || state.hashes.count != known else { return nil }
            state.isChanged = false
            let lines = state.hashes.map { "\($0.value.stamp.text) \($0.value.hash) \($0.key)\n" }
            return Array(lines.sorted().joined().utf8)
        }
        // Without it the next hub reads the files again.
        if let bytes { try? FileSystem.replace(path, with: bytes) }
    }

    private func load(_ state: inout State) {
        guard !state.isLoaded else { return }
        state.isLoaded = true
        guard let bytes = try? FileSystem.contents(of: path, limit: 64 << 20) else { return }
        for line in bytes.split(separator: 0x0A) {
            let parts = line.split(separator: 0x20, maxSplits: 2).map { String(decoding: $0, as: UTF8.self) }
            guard parts.count == 3, parts[1].utf8.count == 64, let stamp = FileStamp(parts[0]) else {
                continue
            }
            state.hashes[parts[2]] = (stamp, parts[1])
        }
    }
}
