// Pins between scans: the files of a plugin are held against them before each of its processes is started, by
// stamps, so that what was changed behind a hub that runs is not run either.

import BelfryCore
import Synchronization

/// The files that one version of a plugin was added with.
final class PinnedFiles: Sendable {
    /// Up to so many files and directories are looked at before each start; of more, once in ``validity``.
    static let alwaysChecked = 100
    static let validity = Duration.seconds(1)

    private struct State {
        /// Every path that was there when the files last were those that were pinned, directories too: a file
        /// that is added or removed changes its directory's stamp.
        var known: [(path: String, stamp: FileStamp)] = []
        var checked = Duration.zero
    }

    /// The plugin's.
    private let id: String
    /// The version's; no other version is ever there.
    private let directory: String
    private let files: [String: String]
    private let cache: ScanCache?
    private let clock: any LeaseClock
    private let onChange: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - files: the pins.
    ///   - onChange: told when the files are others.
    init(
        of id: String,
        in directory: String,
        _ files: [String: String],
        cache: ScanCache?,
        clock: any LeaseClock,
        onChange: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.directory = directory
        self.files = files
        self.cache = cache
        self.clock = clock
        self.onChange = onChange
    }

    /// Holds the files against the pins. What has the stamp that it had is not read again.
    ///
    /// - Throws: ``TaskFailure`` `plugin_changed`.
    func check() throws {
        guard !isAsKnown() else { return }
        let now = clock.now
        // Taken first: what changes while the files are read has other stamps at the next start.
        let stamps = try? PluginContents.stamps(of: directory)
        if let difference = difference() {
            onChange()
            throw TaskFailure(
                "plugin_changed",
                "The plugin '\(id)' is not started: \(difference).",
                fix: Self.fix(id)
            )
        }
        state.withLock { $0 = State(known: stamps ?? [], checked: now) }
    }

    /// What to do about files that are others.
    static func fix(_ id: String) -> String { "Look at it, then run: belfry plugin update \(id)" }

    /// What is not as it was pinned, as a clause; nil when nothing is.
    func difference() -> String? {
        do throws(FileError) {
            return try PluginContents.read(directory, cache: cache).difference(from: files).map {
                "its files are not those that were added: \($0)"
            }
        } catch {
            return "its files cannot be read: \(error.reason)"
        }
    }

    private func isAsKnown() -> Bool {
        let (known, checked) = state.withLock { ($0.known, $0.checked) }
        guard !known.isEmpty else { return false }
        guard known.count <= Self.alwaysChecked else {
            // Thousands of files: a burst of starts shares one look at them.
            let now = clock.now
            if now - checked < Self.validity { return true }
            guard known.allSatisfy(Self.isAsBefore) else { return false }
            state.withLock { $0.checked = max($0.checked, now) }
            return true
        }
        return known.allSatisfy(Self.isAsBefore)
    }

    private static func isAsBefore(_ path: String, _ stamp: FileStamp) -> Bool {
        FileStamp.read(path)?.stamp == stamp
    }
}

extension PinnedFiles: Hashable {
    static func == (one: PinnedFiles, other: PinnedFiles) -> Bool {
        one.directory == other.directory && one.files == other.files
    }

    func hash(into hasher: inout Hasher) { hasher.combine(directory) }
}
