// Files that others name: in a desktop's data directories, as results of tasks. A named pipe would hold
// the reader up for ever, a device may act on being opened.

import Glibc

/// A regular file, open for reading until this value ends.
struct RegularFile: ~Copyable {
    /// What tells one state of a file from another without reading it.
    struct Stamp: Hashable, Sendable {
        let device, inode, bytes, seconds, nanoseconds: Int64

        fileprivate init(_ info: stat) {
            device = Int64(bitPattern: UInt64(info.st_dev))
            inode = Int64(bitPattern: UInt64(info.st_ino))
            bytes = Int64(info.st_size)
            seconds = Int64(info.st_mtim.tv_sec)
            nanoseconds = Int64(info.st_mtim.tv_nsec)
        }
    }

    let stamp: Stamp
    private let descriptor: Int32

    /// Nil unless `path` is absolute and names a readable regular file of at most `limit` bytes.
    init?(_ path: String, limit: Int64) {
        guard let seen = Self.stamp(path), seen.bytes <= limit else { return nil }
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        // Another file may be there by now.
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= limit else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        stamp = Stamp(info)
    }

    deinit { close(descriptor) }

    /// The state of a regular file; nil when there is none.
    static func stamp(_ path: String) -> Stamp? {
        var info = stat()
        guard path.hasPrefix("/"), !path.utf8.contains(0), stat(path, &info) == 0,
            info.st_mode & S_IFMT == S_IFREG
        else { return nil }
        return Stamp(info)
    }

    /// The bytes from `offset`; fewer where the file ends.
    func bytes(at offset: Int64, count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, read in
            while read < count {
                let place = UnsafeMutableRawPointer(buffer.baseAddress! + read)
                let part = pread(descriptor, place, count - read, off_t(offset) + off_t(read))
                if part < 0, errno == EINTR { continue }
                if part <= 0 { return }
                read += part
            }
        }
    }
}
