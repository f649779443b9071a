// Popups carry the name and icon of the program that submitted a task, which it gives as its desktop id.

import Glibc
import Synchronization

/// Programs by their desktop id, looked up in the directories of the XDG Base Directory Specification.
///
/// What was read is kept until the file changes: a lookup costs a few `stat` calls, and a program that is
/// installed later is found.
struct DesktopEntries: Sendable {
    /// Programs that are remembered.
    static let bound = 64
    /// LibreOffice's files, with a hundred languages, have 60 KB.
    private static let sizeLimit: Int64 = 1 << 20

    /// Best first.
    private let directories: [String]
    private let locales: [String]
    private let cache = Cache()

    init(environment: [String: String]) {
        func value(_ name: String, _ otherwise: String) -> String {
            environment[name].flatMap { $0.isEmpty ? nil : $0 } ?? otherwise
        }
        let own = value("XDG_DATA_HOME", (environment["HOME"] ?? "") + "/.local/share")
        let system = value("XDG_DATA_DIRS", "/usr/local/share:/usr/share")
        let data = [own] + system.split(separator: ":").map(String.init)
        // Relative ones are to be ignored.
        directories = data.filter { $0.hasPrefix("/") }.map { $0 + "/applications" }
        locales = DesktopEntry.locales(environment)
    }

    /// The program with this id, given with `.desktop` or without; nil when there is none.
    func entry(_ id: String) -> DesktopEntry? {
        let id = id.hasSuffix(".desktop") ? String(id.dropLast(8)) : id
        guard Self.isValid(id), let (path, stamp) = find(id) else { return nil }
        let key = Cache.Key(path: path, stamp: stamp)
        if let known = cache.entry(id, key) { return known.entry }
        let entry = read(path, id)
        cache.keep(Cache.Known(key: key, entry: entry), for: id)
        return entry
    }

    /// An id comes from whoever submits a task, and becomes a path.
    static func isValid(_ id: String) -> Bool {
        !id.isEmpty && id.utf8.count <= 255 && !id.hasPrefix(".") && !id.contains("..")
            && id.unicodeScalars.allSatisfy { $0 != "/" && $0.value >= 0x20 && $0.value != 0x7F }
    }

    private func read(_ path: String, _ id: String) -> DesktopEntry? {
        guard let file = RegularFile(path, limit: Self.sizeLimit) else { return nil }
        let text = String(decoding: file.bytes(at: 0, count: Int(file.stamp.bytes)), as: UTF8.self)
        return DesktopEntry(id: id, path: path, text: text, locales: locales)
    }

    // MARK: Looking

    private func find(_ id: String) -> (path: String, stamp: RegularFile.Stamp)? {
        // An id with many dashes could stand for very many paths.
        var looks = 256
        for directory in directories {
            if let found = Self.find(id[...], in: directory, looks: &looks) { return found }
        }
        return nil
    }

    /// `a-b` is `a-b.desktop`, or `b.desktop` in the directory `a`.
    private static func find(
        _ name: Substring,
        in directory: String,
        looks: inout Int
    ) -> (path: String, stamp: RegularFile.Stamp)? {
        let path = "\(directory)/\(name).desktop"
        looks -= 1
        if let stamp = RegularFile.stamp(path) { return (path, stamp) }
        for dash in name.indices where name[dash] == "-" && looks > 0 {
            let (folder, rest) = (name[..<dash], name[name.index(after: dash)...])
            guard !folder.isEmpty, !rest.isEmpty, !rest.hasPrefix(".") else { continue }
            looks -= 1
            let inner = "\(directory)/\(folder)"
            guard isDirectory(inner) else { continue }
            if let found = find(rest, in: inner, looks: &looks) { return found }
        }
        return nil
    }

    private static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }
}

extension DesktopEntries {
    /// The programs last read, oldest first out.
    private final class Cache: Sendable {
        struct Key: Hashable {
            let path: String
            let stamp: RegularFile.Stamp
        }

        struct Known {
            let key: Key
            /// Nil for a file that describes no program.
            let entry: DesktopEntry?
        }

        private struct State {
            var known: [String: Known] = [:]
            var order: [String] = []
        }

        private let state = Mutex(State())

        func entry(_ id: String, _ key: Key) -> Known? {
            state.withLock { $0.known[id] }.flatMap { $0.key == key ? $0 : nil }
        }

        func keep(_ known: Known, for id: String) {
            state.withLock { state in
                if state.known.updateValue(known, forKey: id) != nil { return }
                state.order.append(id)
                if state.order.count > bound { state.known[state.order.removeFirst()] = nil }
            }
        }
    }
}
