// The files of a plugin as they are now, to be held against what was pinned.

import BelfryCore

/// What a plugin's directory holds.
struct PluginContents: Equatable {
    /// Names that are neither copied nor run: histories, and what Python leaves behind.
    static let skipped: Set<String> = [".git", "__pycache__"]

    /// By path from the directory: the sha256 of a file, or `link:` and where a link leads.
    let files: [String: String]

    /// - Throws: ``FileError`` for what cannot be read.
    static func read(
        _ directory: String,
        cache: ScanCache?,
        skipping: Set<String> = []
    ) throws(FileError) -> PluginContents {
        var files: [String: String] = [:]
        try walk(directory, skipping: skipping) { path, full, stamp, kind throws(FileError) in
            switch kind {
            case .file:
                files[path] =
                    if let cache { try cache.hash(of: full, stamp: stamp) } else {
                        try FileSystem.sha256(of: full)
                    }
            case .link: files[path] = "link:" + (FileSystem.destination(ofLink: full) ?? "")
            case .special: files[path] = "special"
            case .directory: break
            }
        }
        return PluginContents(files: files)
    }

    /// A word that changes whenever a file of `directory` does. Nothing is read for it.
    static func revision(of directory: String) -> String {
        var hash = SHA256()
        try? walk(directory, skipping: skipped) { path, _, stamp, kind throws(FileError) in
            if kind != .directory { hash.update(Array("\(path)\0\(stamp.text)\0".utf8)) }
        }
        return String(hash.hex().prefix(16))
    }

    /// The stamps of a directory and of everything in it, by their absolute paths. Nothing is read for it.
    ///
    /// - Throws: ``FileError`` for what cannot be looked at.
    static func stamps(of directory: String) throws(FileError) -> [(path: String, stamp: FileStamp)] {
        guard let (root, _) = FileStamp.read(directory) else { throw FileError("cannot be read") }
        var stamps = [(path: directory, stamp: root)]
        try walk(directory, skipping: []) { _, full, stamp, _ throws(FileError) in
            stamps.append((full, stamp))
        }
        return stamps
    }

    /// One digest for all files.
    var digest: String {
        SHA256.hex(of: files.sorted { $0.key < $1.key }.flatMap { Array("\($0.key)\0\($0.value)\0".utf8) })
    }

    /// What is different from what was pinned, in words; nil when nothing is.
    func difference(from pinned: [String: String]) -> String? {
        if files == pinned { return nil }
        let words = Changes(from: pinned, to: files).words
        let rest = words.count > 3 ? ", and \(words.count - 3) more" : ""
        return words.prefix(3).joined(separator: ", ") + rest
    }

    /// Which files two versions do not share.
    struct Changes: Equatable {
        let changed: [String]
        let added: [String]
        let removed: [String]

        init(from old: [String: String], to new: [String: String]) {
            changed = new.keys.filter { old[$0] != nil && old[$0] != new[$0] }.sorted()
            added = new.keys.filter { old[$0] == nil }.sorted()
            removed = old.keys.filter { new[$0] == nil }.sorted()
        }

        var words: [String] {
            changed.map { "\($0) was changed" } + added.map { "\($0) was added" }
                + removed.map { "\($0) is missing" }
        }

        var json: JSONValue {
            func list(_ paths: [String]) -> JSONValue { .array(paths.map { .string($0) }) }
            return ["changed": list(changed), "added": list(added), "removed": list(removed)]
        }
    }

    private typealias Visit = (String, String, FileStamp, FileSystem.Kind) throws(FileError) -> Void

    private static func walk(_ root: String, skipping: Set<String>, _ visit: Visit) throws(FileError) {
        try walk(root, "", 0, skipping, visit)
    }

    private static func walk(
        _ root: String,
        _ prefix: String,
        _ depth: Int,
        _ skipping: Set<String>,
        _ visit: Visit
    ) throws(FileError) {
        guard depth <= PluginInstallation.maxDepth else {
            throw FileError("has directories too deep in each other")
        }
        for name in FileSystem.names(in: prefix.isEmpty ? root : "\(root)/\(prefix)")
        where !skipping.contains(name) {
            let path = prefix.isEmpty ? name : "\(prefix)/\(name)"
            guard let (stamp, kind) = FileStamp.read("\(root)/\(path)") else {
                throw FileError("\(path) cannot be read")
            }
            try visit(path, "\(root)/\(path)", stamp, kind)
            if kind == .directory { try walk(root, path, depth + 1, skipping, visit) }
        }
    }
}
