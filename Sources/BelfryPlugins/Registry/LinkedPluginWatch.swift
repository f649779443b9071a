// Notices when a file of a linked plugin changes, told by the kernel (inotify): a plugin that is used in place
// is reloaded when its author saves.

import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Watches directories and everything below them.
public final class LinkedPluginWatch: Sendable {
    /// A plugin with more directories is noticed in the first of them only.
    private static let maxDirectories = 1000
    private static let kinds = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR
    )

    private let descriptor: CInt
    private let watched = Mutex<(roots: [String], ids: [CInt])>(([], []))
    /// Unsafe by declaration only: Dispatch lets any thread cancel a source.
    private nonisolated(unsafe) let source: (any DispatchSourceRead)?
    /// One element for any number of changes since the last. Ends with the watch.
    public let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    /// Where the kernel has no watch to give, there are no changes.
    public init() {
        (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
        self.descriptor = descriptor
        guard descriptor >= 0 else {
            source = nil
            return
        }
        let source = DispatchSource.makeReadSource(
            fileDescriptor: descriptor,
            queue: DispatchQueue(label: "belfry.plugins.watch")
        )
        self.source = source
        source.setCancelHandler { close(descriptor) }
        source.setEventHandler { [changed] in
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while read(descriptor, &buffer, buffer.count) > 0 {}
            changed.yield()
        }
        source.activate()
    }

    deinit {
        changed.finish()
        source?.cancel()
    }

    /// Watches what is below `roots` now, instead of what was watched before.
    public func watch(_ roots: [String]) {
        guard descriptor >= 0 else { return }
        watched.withLock { watched in
            // Nothing to do for most scans; with links, new directories may have appeared in them.
            if roots.isEmpty, watched.roots.isEmpty { return }
            var ids: [CInt] = []
            for root in roots { add(root, to: &ids) }
            for id in Set(watched.ids).subtracting(ids) { inotify_rm_watch(descriptor, id) }
            watched = (roots, ids)
        }
    }

    private func add(_ directory: String, to ids: inout [CInt]) {
        guard ids.count < Self.maxDirectories else { return }
        let id = inotify_add_watch(descriptor, directory, Self.kinds)
        guard id >= 0 else { return }
        ids.append(id)
        for name in FileSystem.names(in: directory) where !PluginContents.skipped.contains(name) {
            let path = "\(directory)/\(name)"
            if FileSystem.entry(path, following: false)?.kind == .directory { add(path, to: &ids) }
        }
    }
}
