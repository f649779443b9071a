// Versions side by side: an attempt keeps the files of the version that it began with, though the plugin was
// updated or removed meanwhile. Directories that nothing points to go when the last that uses them goes.

import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Counts who uses which directories.
public final class PluginVersions: Sendable {
    private struct State {
        var holds: [String: Int] = [:]
        var retired: Set<String> = []
    }

    private let state = Mutex(State())

    public init() {}

    /// Keeps the files of `plugin` where they are for as long as the result lives.
    public func hold(_ plugin: InstalledPlugin) -> PluginHold {
        let directories = [plugin.directory] + (plugin.venv.map { [$0] } ?? [])
        state.withLock { state in
            for directory in directories {
                state.holds[directory, default: 0] += 1
                state.retired.remove(directory)
            }
        }
        return PluginHold(self, directories)
    }

    /// Removes a directory, at once or when nobody holds it any more.
    func retire(_ directory: String) {
        let isFree = state.withLock { state in
            guard state.holds[directory] != nil else { return true }
            state.retired.insert(directory)
            return false
        }
        // What is left over is tried again by the next scan.
        if isFree { Self.remove(directory) }
    }

    private static func remove(_ directory: String) {
        try? FileSystem.remove(directory)
        PluginStore.removeIfLast(directory)
    }

    fileprivate func release(_ directories: [String]) {
        let free = state.withLock { state in
            directories.filter { directory in
                let count = state.holds[directory, default: 1] - 1
                state.holds[directory] = count > 0 ? count : nil
                return count == 0 && state.retired.remove(directory) != nil
            }
        }
        for directory in free { Self.remove(directory) }
    }
}

/// Keeps a version's files: whatever runs the version holds on to this, and lets go by forgetting it.
public final class PluginHold: Sendable {
    private let versions: PluginVersions
    private let directories: [String]

    fileprivate init(_ versions: PluginVersions, _ directories: [String]) {
        self.versions = versions
        self.directories = directories
    }

    deinit { versions.release(directories) }
}
