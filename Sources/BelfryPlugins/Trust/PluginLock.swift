// plugins.lock: what each of the user's plugins was when it was added, so that a file that is not as it was
// then is noticed before it is run.

public import BelfryCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where a plugin's files came from, to take a new version from there.
public struct PluginOrigin: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        case directory, archive, git
        /// A server of others: the command that was typed.
        case command
    }

    public var kind: Kind
    /// An absolute path, a command line, or the address of a git repository with an optional `#BRANCH-OR-TAG`.
    public var location: String
    /// The commit that was taken, for git.
    public var commit: String?

    public init(_ kind: Kind, _ location: String, commit: String? = nil) {
        self.kind = kind
        self.location = location
        self.commit = commit
    }

    /// - Throws: ``BelfryError`` `invalid_request`.
    public init(json: JSONValue) throws {
        guard let kind = json["kind"]?.string.flatMap(Kind.init), let location = json["location"]?.string
        else {
            throw BelfryError(.invalidRequest, "\(json.text) does not say where a plugin is from.")
        }
        self.init(kind, location, commit: json["commit"]?.string)
    }

    public var json: JSONValue {
        var object: JSONObject = ["kind": .string(kind.rawValue), "location": .string(location)]
        object.set("commit", commit.map { .string($0) })
        return .object(object)
    }
}

/// The contents of `plugins.lock`.
struct PluginLock: Equatable {
    static let fileName = "plugins.lock"

    struct Entry: Sendable, Hashable {
        var version: String
        /// Where this version's files are, from the user's directory.
        var directory: String
        var origin: PluginOrigin
        /// Whether somebody was shown what it runs and said yes.
        var isConfirmed: Bool
        /// By path from the plugin's directory: the sha256 of a file, or `link:` and where a link leads.
        var files: [String: String]
    }

    private(set) var entries: [String: Entry] = [:]

    subscript(id: String) -> Entry? {
        get { entries[id] }
        set { entries[id] = newValue }
    }

    /// - Throws: ``BelfryError`` `invalid_plugin` when the file is there and is no such file: without pins
    ///   nothing can be trusted.
    static func read(in directory: String) throws -> PluginLock {
        let path = "\(directory)/\(fileName)"
        guard FileSystem.entry(path, following: true) != nil else { return PluginLock() }
        do {
            let json = try JSONValue(
                parsing: FileSystem.contents(of: path, limit: 256 << 20),
                limits: JSONLimits(keys: .max)
            )
            return try PluginLock(json: json)
        } catch {
            let reason = (error as? FileError)?.reason ?? "is not a lock file of this version"
            throw BelfryError(
                .invalidPlugin,
                "\(path) \(reason)",
                fix: "Move it away, and add your plugins again: belfry plugin update ID"
            )
        }
    }

    private init(json: JSONValue) throws {
        guard json["lock_version"] == 1, let plugins = json["plugins"]?.object else {
            throw FileError("is not a lock file of this version")
        }
        for (id, value) in plugins {
            guard let files = value["files"]?.object, let version = value["version"]?.string,
                let directory = value["directory"]?.string, PluginStore.isVersion(directory)
            else {
                throw FileError("has an entry '\(id)' that is none")
            }
            entries[id] = Entry(
                version: version,
                directory: directory,
                origin: try PluginOrigin(json: value["from"] ?? [:]),
                isConfirmed: value["confirmed"]?.bool ?? false,
                files: Dictionary(
                    files.map { ($0.key, $0.value.string ?? "") },
                    uniquingKeysWith: { first, _ in first }
                )
            )
        }
    }

    init() {}

    private var json: JSONValue {
        var plugins = JSONObject()
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) {
            var files = JSONObject()
            for (path, hash) in entry.files.sorted(by: { $0.key < $1.key }) { files[path] = .string(hash) }
            plugins[id] = [
                "version": .string(entry.version), "directory": .string(entry.directory),
                "from": entry.origin.json,
                "confirmed": .bool(entry.isConfirmed), "files": .object(files),
            ]
        }
        return ["lock_version": 1, "plugins": .object(plugins)]
    }

    /// Writes the file in one step: a crash leaves the old one or the new one.
    ///
    /// - Throws: ``BelfryError`` `not_writable`.
    func write(in directory: String) throws {
        let path = "\(directory)/\(Self.fileName)"
        do throws(FileError) {
            try FileSystem.makeDirectories(directory)
            try FileSystem.replace(path, with: Array((json.prettyText + "\n").utf8))
        } catch {
            throw BelfryError(
                .notWritable,
                "\(path): \(error.reason).",
                fix: "Make \(directory) writable for you."
            )
        }
    }
}
