// The user's directory: `ID` is a link to `.versions/ID/VERSION-…`, where the files are. A new version lies
// beside the old one, so that what runs goes on with the files that it began with.

import BelfryCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct PluginStore {
    private static let versions = ".versions"

    /// The user's directory.
    let directory: String

    /// Whether the link at `path` leads to one of the copies in `directory`.
    static func holds(_ path: String, in directory: String) -> Bool {
        guard path.hasPrefix(directory + "/") else { return false }
        return FileSystem.destination(ofLink: path)?.hasPrefix(versions + "/") ?? false
    }

    /// Whether `path` names the directory of a version, from the user's directory.
    static func isVersion(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == versions && !parts.contains("..") && !parts.contains("")
    }

    /// Copies the plugin in `source` beside what is there.
    ///
    /// - Returns: the new directory, from the user's directory.
    func copy(_ manifest: PluginManifest, from source: String) throws -> String {
        let word = String(UInt32.random(in: 0 ... .max), radix: 16)
        let version = "\(Self.versions)/\(manifest.id)/\(manifest.version.description)-\(word)"
        do { try PluginInstallation(source: source, target: "\(directory)/\(version)").copy() } catch {
            Self.removeIfLast("\(directory)/\(version)")
            throw error
        }
        return version
    }

    /// Removes the directory that a plugin's versions lie in, once the last of them is gone.
    static func removeIfLast(_ version: String) {
        let parent = FileSystem.parent(of: version)
        guard FileSystem.parent(of: parent).hasSuffix("/\(versions)") else { return }
        // Refused while there is a version in it.
        rmdir(parent)
    }

    /// Makes `ID` lead to `version`, in one step where there is a link already.
    func point(_ id: String, to version: String) throws {
        try PluginInstallation.perform {
            () throws(FileError) in try FileSystem.link("\(directory)/\(id)", to: version)
        }
    }

    /// Gives each version that neither the lock nor a link names to `retire`.
    func retireLeftovers(_ lock: PluginLock, _ retire: (String) -> Void) {
        guard let root = FileSystem.real("\(directory)/\(Self.versions)") else { return }
        var used = Set(lock.entries.values.compactMap { FileSystem.real("\(directory)/\($0.directory)") })
        for name in FileSystem.names(in: directory) where !name.hasPrefix(".") {
            if let real = FileSystem.real("\(directory)/\(name)") { used.insert(real) }
        }
        for id in FileSystem.names(in: root) {
            let versions = FileSystem.names(in: "\(root)/\(id)").map { "\(root)/\(id)/\($0)" }
            for version in versions where !used.contains(version) { retire(version) }
            // Refused while there is a version in it.
            rmdir("\(root)/\(id)")
        }
    }
}
