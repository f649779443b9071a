// Which plugins the user has switched off: a list beside the user's plugins, because a bundled
// plugin's own directory is not the user's to write.

import BelfryCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct DisabledPlugins {
    private let directory: String
    private var path: String { "\(directory)/.disabled" }

    init(in directory: String) { self.directory = directory }

    /// One id on each line of the file; a file that cannot be read disables nobody.
    var ids: Set<String> {
        guard let bytes = try? FileSystem.contents(of: path, limit: 1 << 20) else { return [] }
        return Set(String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init))
    }

    /// - Throws: ``BelfryError`` `not_writable`.
    func set(_ id: String, isDisabled: Bool) throws {
        var ids = ids
        guard ids.contains(id) != isDisabled else { return }
        if isDisabled { ids.insert(id) } else { ids.remove(id) }
        do throws(FileError) {
            try FileSystem.makeDirectories(directory)
            try FileSystem.replace(path, with: Array(ids.sorted().map { $0 + "\n" }.joined().utf8))
        } catch {
            throw BelfryError(
                .notWritable,
                "\(path): \(error.reason).",
                fix: "Make \(directory) writable for you."
            )
        }
    }
}
