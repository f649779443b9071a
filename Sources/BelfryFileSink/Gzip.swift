// Compression of rotated files by the system's zlib.

import CZlib
import Glibc

enum Gzip {
    /// Writes `path` compressed beside it, complete or not at all.
    ///
    /// - Returns: whether `path.gz` is whole and on disk.
    static func compress(_ path: String) -> Bool {
        let temporary = path + ".tmp"
        let source = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard source >= 0 else { return false }
        defer { close(source) }
        let target = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard target >= 0, let file = gzdopen(dup(target), "wb") else { return false }
        let isWhole = copy(source, to: file)
        let isClosed = gzclose(file) == Z_OK
        let isSynced = fsync(target) == 0
        close(target)
        guard isWhole, isClosed, isSynced, rename(temporary, path + ".gz") == 0 else {
            unlink(temporary)
            return false
        }
        return true
    }

    private static func copy(_ source: Int32, to file: gzFile) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(source, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return count == 0 }
            guard gzwrite(file, buffer, UInt32(count)) == Int32(count) else { return false }
        }
    }

    /// The whole file, uncompressed.
    static func read(_ path: String) -> [UInt8]? {
        guard let file = gzopen(path, "rb") else { return nil }
        defer { gzclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = gzread(file, &buffer, UInt32(buffer.count))
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<Int(count)]
        }
    }
}
