// Where the entries of an archive are written. An archive is anybody's download: its names are paths that it
// chose, its sizes are claims, and its links lead where it likes.

import BelfryCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes an archive's entries below one directory, within bounds.
struct ArchiveWriter {
    let root: String
    let archive: String
    private var remaining = PluginInstallation.maxSize
    private var entries = 0
    /// Made at the end, so that no entry is written through one.
    private var links: [(path: String, destination: String)] = []

    init(root: String, archive: String) {
        self.root = root
        self.archive = archive
    }

    /// - Parameter next: gives the file's bytes bit by bit, nil at its end.
    mutating func file(_ name: String, mode: UInt32, _ next: () throws -> [UInt8]?) throws {
        let path = try place(name)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw refusal("cannot write '\(name)': \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        while let chunk = try next() {
            remaining -= Int64(chunk.count)
            guard remaining >= 0 else {
                throw refusal("holds more than \(PluginInstallation.maxSize >> 20) MiB")
            }
            do throws(FileError) { try FileSystem.write(chunk, to: descriptor) } catch {
                throw refusal("'\(name)' \(error.reason)")
            }
        }
        fchmod(descriptor, mode & 0o100 != 0 ? 0o755 : 0o644)
    }

    mutating func directory(_ name: String) throws {
        let path = try place(name.hasSuffix("/") ? String(name.dropLast()) : name)
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw refusal("cannot make '\(name)'") }
    }

    mutating func link(_ name: String, to destination: String) throws {
        links.append((try place(name), destination))
    }

    /// Makes the links. Where they may lead is judged when the plugin is copied.
    func finish() throws {
        for (path, destination) in links where symlink(destination, path) != 0 {
            throw refusal("cannot make the link \(path): \(String(cString: strerror(errno)))")
        }
    }

    func refusal(_ reason: String) -> BelfryError {
        BelfryError(
            .invalidPlugin,
            "The archive \(archive) \(reason); it is not unpacked.",
            fix: "Get it again from who made it, or unpack it yourself and look: belfry plugin add DIR"
        )
    }

    /// Where the entry `name` goes; the directories above it are made.
    private mutating func place(_ name: String) throws -> String {
        entries += 1
        guard entries <= PluginInstallation.maxEntries else { throw refusal("has too many entries") }
        let parts = name.split(separator: "/").filter { $0 != "." }
        guard !name.hasPrefix("/"), !parts.contains(".."), !name.utf8.contains(0), name.utf8.count < 4000
        else {
            throw refusal("has an entry that leads out of it, '\(name)'")
        }
        guard parts.count <= PluginInstallation.maxDepth else { throw refusal("has directories too deep") }
        let path = ([root] + parts.map(String.init)).joined(separator: "/")
        do throws(FileError) { try FileSystem.makeDirectories(FileSystem.parent(of: path)) } catch {
            throw refusal(error.reason)
        }
        return path
    }
}
