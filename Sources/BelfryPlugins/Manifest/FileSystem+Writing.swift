// Writing so that a crash leaves the old or the new, never a half.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension FileSystem {
    /// Where a link points, as it is written.
    static func destination(ofLink path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { readlink(path, $0, text.count) } ?? -1
            }
        }
        guard count > 0, count < buffer.count else { return nil }
        return String(validating: buffer.prefix(count), as: UTF8.self)
    }

    /// Copies a regular file and syncs it.
    ///
    /// - Parameter remaining: bytes that may still be copied: a file may have grown since it was measured.
    static func copy(
        _ source: String,
        to target: String,
        mode: mode_t,
        remaining: inout Int64
    ) throws(FileError) {
        // Not through a link: it was a file when the tree was read, and must still be one.
        let input = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard input >= 0 else { throw .last("\(source) cannot be read") }
        defer { close(input) }
        var status = stat()
        guard fstat(input, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw FileError("\(source) is no longer a file")
        }
        let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard output >= 0 else { throw .last("\(target) cannot be made") }
        defer { close(output) }
        while let chunk = try readChunk(input) {
            remaining -= Int64(chunk.count)
            guard remaining >= 0 else { throw FileError("\(source) grew while it was copied") }
            try write(chunk, to: output)
        }
        guard fchmod(output, mode) == 0, fsync(output) == 0 else {
            throw .last("\(target) cannot be written")
        }
    }

    /// Puts `bytes` in the place of the file at `path`, in one step.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o600) throws(FileError) {
        let temporary = "\(path).\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .last("\(temporary) cannot be made") }
        do throws(FileError) {
            defer { close(descriptor) }
            try write(bytes, to: descriptor)
            guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else {
                throw FileError.last("\(temporary) cannot be written")
            }
            guard rename(temporary, path) == 0 else { throw FileError.last("\(path) cannot be replaced") }
        } catch {
            unlink(temporary)
            throw error
        }
        sync(directory: parent(of: path))
    }

    /// Makes `path` a link to `destination`, in one step where there is a link already. A directory in its place
    /// is removed.
    static func link(_ path: String, to destination: String) throws(FileError) {
        if entry(path, following: false)?.kind == .directory { try remove(path) }
        let temporary = "\(parent(of: path))/.link-\(UInt32.random(in: 0 ... .max))"
        guard symlink(destination, temporary) == 0 else { throw .last("\(path) cannot be made") }
        guard rename(temporary, path) == 0 else {
            let error = FileError.last("\(path) cannot be made")
            unlink(temporary)
            throw error
        }
        sync(directory: parent(of: path))
    }

    /// Makes names in a directory durable. Where a file system cannot, there is nothing better to do.
    static func sync(directory: String) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
