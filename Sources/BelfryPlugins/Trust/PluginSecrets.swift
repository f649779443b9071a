// Secrets from the configuration, and who gets them: the plugin that names one in its manifest, as a variable
// of its process, and nobody else. Nothing here prints a value.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The secrets that plugins can ask for by name.
public struct PluginSecrets: Sendable, Equatable {
    public enum Source: Sendable, Equatable {
        case literal(String)
        /// The first line of a file that only its owner may read. An absolute path.
        case file(String)
    }

    /// More than any key or token; a larger file is another file.
    static let maxSize = 65_536

    private var sources: [String: Source]

    public init(_ sources: [String: Source] = [:]) { self.sources = sources }

    /// Adds the secrets of a later configuration file; of one name the later holds.
    public mutating func merge(_ other: PluginSecrets) { sources.merge(other.sources) { _, new in new } }

    /// The values of the secrets called `names`. Files are read each time, so that a new key needs no new hub;
    /// what cannot be had is left out, because the scan has said so.
    func values(of names: [String]) -> [String: String] {
        var values: [String: String] = [:]
        for name in names { values[name] = try? value(of: name) }
        return values
    }

    /// Why the secret `name` cannot be handed over; nil when it can.
    ///
    /// - Parameter file: where people write secrets.
    func problem(with name: String, in file: String) -> PluginSnapshot.Problem? {
        guard let source = sources[name] else {
            return PluginSnapshot.Problem(
                "it wants the secret '\(name)', which the configuration does not have",
                fix:
                    "Add it below [secrets] in \(file): \(name) = { file = \"/path/of/a/file\" }. \(PluginManifest.hubRestart)"
            )
        }
        do throws(FileError) {
            _ = try value(of: name)
            return nil
        } catch {
            guard case .file(let path) = source else { return PluginSnapshot.Problem(error.reason) }
            let isOpen = error.reason.hasPrefix("may be read")
            return PluginSnapshot.Problem(
                "the file of the secret '\(name)', \(path), \(error.reason)",
                fix: isOpen
                    ? "Run: chmod 600 \(path)" : "Put the secret into that file, readable for you alone."
            )
        }
    }

    private func value(of name: String) throws(FileError) -> String? {
        switch sources[name] {
        case nil: return nil
        case .literal(let text): return text
        case .file(let path):
            guard let entry = FileSystem.entry(path, following: true) else { throw FileError("is not there") }
            guard entry.mode & 0o077 == 0 else { throw FileError("may be read by others than you") }
            let bytes = try FileSystem.contents(of: path, limit: Self.maxSize)
            let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
            guard !line.isEmpty, !line.contains(0) else { throw FileError("holds no text in its first line") }
            return String(decoding: line, as: UTF8.self)
        }
    }
}

extension PluginSecrets: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "\(sources.count) secrets" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
