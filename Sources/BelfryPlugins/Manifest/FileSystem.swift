// The few file operations that manifests and the registry need, by system calls: they must tell
// links from files, keep modes and say which path went wrong, and the module stays free of Foundation.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Why a file could not be used: a sentence without its subject.
struct FileError: Error, Hashable {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    /// From `errno`.
    static func last(_ action: String) -> FileError {
        FileError("\(action): \(String(cString: strerror(errno)))")
    }
}

enum FileSystem {
    enum Kind {
        case file, directory, link, special
    }

    struct Entry {
        let kind: Kind
        let mode: mode_t
        /// In bytes.
        let size: Int64
    }

    /// What `path` is, following links or not; nil when it is not there or cannot be seen.
    static func entry(_ path: String, following: Bool) -> Entry? {
        var status = stat()
        guard (following ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        return Entry(kind: kind(status.st_mode), mode: status.st_mode & 0o7777, size: Int64(status.st_size))
    }

    static func kind(_ mode: mode_t) -> Kind {
        switch mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .link
        default: .special
        }
    }

    /// The sha256 of a regular file, as 64 hexadecimal digits.
    static func sha256(of path: String) throws(FileError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw .last("\(path) cannot be read") }
        defer { close(descriptor) }
        var hash = SHA256()
        while let chunk = try readChunk(descriptor) { hash.update(chunk) }
        return hash.hex()
    }

    /// The first bytes of a file, `count` or fewer.
    static func start(of path: String, count: Int) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .last("cannot be read") }
        defer { close(descriptor) }
        return try Array((readChunk(descriptor) ?? []).prefix(count))
    }

    /// The whole of a regular file.
    static func contents(of path: String, limit: Int) throws(FileError) -> [UInt8] {
        // Not to wait for a writer, should it be a FIFO.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .last("cannot be read") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("cannot be read") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError("is not a regular file") }
        guard status.st_size <= limit else { throw FileError("is larger than \(limit) bytes") }
        var bytes: [UInt8] = []
        while let chunk = try readChunk(descriptor) {
            bytes += chunk
            guard bytes.count <= limit else { throw FileError("is larger than \(limit) bytes") }
        }
        return bytes
    }

    /// Up to 64 KiB, or nil at the end.
    static func readChunk(_ descriptor: CInt) throws(FileError) -> [UInt8]? {
        var count = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, initialized in
            repeat {
                count = read(descriptor, buffer.baseAddress, buffer.count)
            } while count < 0 && errno == EINTR
            initialized = max(0, count)
        }
        if count < 0 { throw .last("cannot be read") }
        return count == 0 ? nil : chunk
    }

    static func write(_ bytes: [UInt8], to descriptor: CInt) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Self.write(descriptor, $0) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .last("cannot be written") }
            written += count
        }
    }

    private static func write(_ descriptor: CInt, _ buffer: UnsafeRawBufferPointer) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, buffer.baseAddress, buffer.count)
        #else
        Musl.write(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }

    /// The names in a directory, sorted; empty when there is none.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// `path` from the root without links; nil when it is not there.
    static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    static func isExecutable(_ path: String) -> Bool {
        entry(path, following: true)?.kind == .file && access(path, X_OK) == 0
    }

    /// Makes a directory and those above it that are missing.
    static func makeDirectories(_ path: String) throws(FileError) {
        if entry(path, following: true)?.kind == .directory { return }
        let parent = parent(of: path)
        if parent != path { try makeDirectories(parent) }
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw .last("\(path) cannot be made") }
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    /// Removes a file, a link (not what it points to) or a whole tree.
    static func remove(_ path: String) throws(FileError) {
        guard entry(path, following: false)?.kind == .directory else {
            guard unlink(path) == 0 || errno == ENOENT else { throw .last("\(path) cannot be removed") }
            return
        }
        // A tree copied with its modes may have directories without write permission.
        chmod(path, 0o700)
        for name in names(in: path) { try remove("\(path)/\(name)") }
        guard rmdir(path) == 0 || errno == ENOENT else { throw .last("\(path) cannot be removed") }
    }
}
