// Puts a plugin into the user's directory. The source may be anybody's download, so its links and
// odd files are looked at before anything is written, and the copy appears under its name only when
// it is whole.

import BelfryCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct PluginInstallation {
    static let maxSize: Int64 = 512 << 20
    static let maxEntries = 100_000
    static let maxDepth = 64

    /// Absolute, without links.
    let source: String
    let target: String

    func link() throws {
        try perform {
            () throws(FileError) in
            try FileSystem.makeDirectories(FileSystem.parent(of: target))
            guard symlink(source, target) == 0 else { throw .last("\(target) cannot be made") }
        }
    }

    func copy() throws {
        guard !(target + "/").hasPrefix(source + "/") else {
            throw BelfryError(
                .invalidPlugin,
                "\(source) holds the directory that it would be copied into.",
                fix: "Move the plugin into a directory of its own."
            )
        }
        var tree = PluginTree(root: source)
        try tree.read()
        let parent = FileSystem.parent(of: target)
        // A name that a scan passes over; in the same directory, so that the rename is one step.
        let temporary =
            "\(parent)/.adding-\(target.split(separator: "/").last ?? "")-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        do {
            try perform {
                () throws(FileError) in
                try FileSystem.makeDirectories(parent)
                try tree.copy(to: temporary)
                guard rename(temporary, target) == 0 else { throw .last("\(target) cannot be made") }
                FileSystem.sync(directory: parent)
            }
        } catch {
            // What is left over would only be passed over; the first error is the one to tell.
            try? FileSystem.remove(temporary)
            throw error
        }
    }

    static func remove(_ path: String) throws {
        try Self.perform {
            () throws(FileError) in
            guard FileSystem.entry(path, following: false)?.kind == .directory else {
                return try FileSystem.remove(path)
            }
            // Out of sight in one step: a scan meets the whole plugin or none.
            let parent = FileSystem.parent(of: path)
            let hidden = "\(parent)/.removing-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            guard rename(path, hidden) == 0 else { throw .last("\(path) cannot be removed") }
            try FileSystem.remove(hidden)
        }
    }

    private func perform(_ action: () throws(FileError) -> Void) throws { try Self.perform(action) }

    static func perform(_ action: () throws(FileError) -> Void) throws {
        do throws(FileError) { try action() } catch {
            throw BelfryError(
                .notWritable,
                "\(error.reason).",
                fix: "Check the directory's permissions and free space."
            )
        }
    }
}

/// The files of a plugin, read and judged before they are copied.
struct PluginTree {
    private struct Item {
        /// From the root; empty for the root itself.
        let path: String
        let kind: FileSystem.Kind
        let mode: mode_t
        /// Of a link.
        let destination: String
    }

    private let root: String
    private var items: [Item] = []
    private var size: Int64 = 0

    init(root: String) { self.root = root }

    /// - Throws: ``BelfryError`` `invalid_plugin` or `too_large` for what may not be copied.
    mutating func read() throws { try read("", depth: 0) }

    private mutating func read(_ path: String, depth: Int) throws {
        let full = root + path
        guard let entry = FileSystem.entry(full, following: false) else {
            throw refusal(full, "cannot be read")
        }
        guard items.count < PluginInstallation.maxEntries, depth <= PluginInstallation.maxDepth else {
            throw BelfryError(
                .tooLarge,
                "\(root) has too many files or too deep directories to be a plugin.",
                fix: Self.linkAdvice
            )
        }
        let destination = entry.kind == .link ? try destination(of: path) : ""
        items.append(Item(path: path, kind: entry.kind, mode: entry.mode, destination: destination))
        switch entry.kind {
        case .link: break
        case .special: throw refusal(full, "is a device, socket or pipe")
        case .file:
            size += entry.size
            guard size <= PluginInstallation.maxSize else {
                throw BelfryError(
                    .tooLarge,
                    "\(root) is larger than \(PluginInstallation.maxSize >> 20) MiB.",
                    fix: Self.linkAdvice
                )
            }
        case .directory:
            for name in FileSystem.names(in: full) where !PluginContents.skipped.contains(name) {
                try read("\(path)/\(name)", depth: depth + 1)
            }
        }
    }

    /// Where the link at `path` leads, when that is inside of the tree.
    ///
    /// Followed by hand rather than by the kernel, because inside has to hold for the copy as well: a
    /// link must be relative and must not climb over the root on its way.
    private func destination(of path: String) throws -> String {
        let full = root + path
        guard let destination = FileSystem.destination(ofLink: full) else {
            throw refusal(full, "cannot be read")
        }
        guard !destination.hasPrefix("/") else {
            throw refusal(full, "is a link to an absolute path, \(destination)")
        }
        var depth = path.split(separator: "/").count - 1
        for part in destination.split(separator: "/") where part != "." {
            depth += part == ".." ? -1 : 1
            if depth < 0 { throw refusal(full, "is a link that leads out of the plugin, to \(destination)") }
        }
        // Through another link a harmless text can still lead out.
        guard let real = FileSystem.real(full) else {
            throw refusal(full, "is a link to nothing, \(destination)")
        }
        guard real == root || real.hasPrefix(root + "/") else {
            throw refusal(full, "is a link that leads out of the plugin, to \(real)")
        }
        return destination
    }

    private static let linkAdvice = "Use it in place: belfry plugin add --link DIR"

    private func refusal(_ path: String, _ reason: String) -> BelfryError {
        BelfryError(
            .invalidPlugin,
            "\(path) \(reason); it is not copied.",
            fix: "Take it out of the plugin, or use the plugin in place: belfry plugin add --link \(root)"
        )
    }

    func copy(to target: String) throws(FileError) {
        var remaining = PluginInstallation.maxSize
        for item in items {
            let path = target + item.path
            switch item.kind {
            case .directory:
                // Writable until its content is there.
                guard mkdir(path, 0o700) == 0 else { throw .last("\(path) cannot be made") }
            case .link:
                guard symlink(item.destination, path) == 0 else { throw .last("\(path) cannot be made") }
            case .file:
                try FileSystem.copy(
                    root + item.path,
                    to: path,
                    mode: item.mode & 0o755,
                    remaining: &remaining
                )
            case .special: continue
            }
        }
        for item in items.reversed() where item.kind == .directory {
            let path = target + item.path
            guard chmod(path, (item.mode & 0o755) | 0o700) == 0 else {
                throw .last("\(path) cannot be changed")
            }
            FileSystem.sync(directory: path)
        }
    }
}
