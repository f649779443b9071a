// Brings a plugin from elsewhere into a directory where it can be looked at. Nothing of it is run.

import BelfryCore

/// Unpacks archives and clones repositories.
public struct PluginFetch: Sendable {
    /// What was brought.
    public struct Fetched: Sendable {
        /// Where the plugin is; below the directory that was given.
        public var directory: String
        public var origin: PluginOrigin
    }

    private let environment: [String: String]

    /// - Parameter environment: what git gets: a proxy, an agent, a terminal.
    public init(environment: [String: String]) {
        self.environment = environment
    }

    /// What `source` is, as it was typed: nil for a plain directory.
    ///
    /// - Parameter source: a path, absolute or with a scheme, or `user@host:path`.
    public static func kind(of source: String) -> PluginOrigin.Kind {
        let (address, _) = split(source)
        let entry = FileSystem.entry(address, following: true)
        if entry?.kind == .file { return .archive }
        if entry?.kind == .directory {
            let isBare = FileSystem.entry("\(address)/objects", following: true)?.kind == .directory
            return isBare && FileSystem.entry("\(address)/HEAD", following: true) != nil ? .git : .directory
        }
        if address.contains("://") || address.hasSuffix(".git") { return .git }
        let isRemote =
            address.split(separator: "/").first.map { $0.contains("@") && $0.contains(":") } ?? false
        return isRemote ? .git : .directory
    }

    /// Brings `source` into `directory`, which must not be there yet.
    ///
    /// - Throws: ``BelfryError`` that says what could not be had.
    public func fetch(_ source: String, into directory: String) async throws -> Fetched {
        do throws(FileError) { try FileSystem.makeDirectories(FileSystem.parent(of: directory)) } catch {
            throw BelfryError(.notWritable, "\(error.reason).")
        }
        switch Self.kind(of: source) {
        case .directory, .command:
            throw BelfryError(
                .notFound,
                "There is no directory, archive or repository \(source).",
                fix:
                    "Name a directory with a plugin.json, a .tar.gz or .zip file, or the address of a repository."
            )
        case .archive:
            try unpack(source, to: directory)
            return Fetched(
                directory: try found(in: directory, source),
                origin: PluginOrigin(.archive, source)
            )
        case .git:
            let commit = try await clone(source, to: directory)
            return Fetched(
                directory: try found(in: directory, source),
                origin: PluginOrigin(.git, source, commit: commit)
            )
        }
    }

    private func unpack(_ archive: String, to directory: String) throws {
        let isZip = (try? FileSystem.start(of: archive, count: 4)) == [0x50, 0x4B, 3, 4]
        try isZip ? ZipReader.unpack(archive, to: directory) : TarReader.unpack(archive, to: directory)
    }

    /// - Returns: the commit.
    private func clone(_ source: String, to directory: String) async throws -> String {
        let (address, name) = Self.split(source)
        let tool = SourceTool(environment: environment)
        // Neither hooks nor submodules: only this repository's files.
        var arguments = [
            "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "clone", "--quiet",
            "--depth", "1",
            "--no-local",
            "--no-recurse-submodules", "--template=",
        ]
        if let name { arguments += ["--branch", name] }
        guard try await tool.run("git", arguments + ["--", address, directory]) == 0 else {
            throw BelfryError(
                .notFound,
                "git could not clone \(address)" + (name.map { " at '\($0)'." } ?? "."),
                fix: "See what git says above; check the address, and that you may read it."
            )
        }
        return try await tool.output("git", ["rev-parse", "HEAD"], directory: directory)
    }

    /// The address, and the branch or tag after `#`.
    private static func split(_ source: String) -> (address: String, name: String?) {
        let parts = source.split(separator: "#", maxSplits: 1).map(String.init)
        guard parts.count == 2, FileSystem.entry(source, following: true) == nil else { return (source, nil) }
        return (parts[0], parts[1])
    }

    /// The plugin itself: archives mostly have one directory around everything.
    private func found(in directory: String, _ source: String) throws -> String {
        func isPlugin(_ path: String) -> Bool {
            FileSystem.entry("\(path)/\(PluginManifest.fileName)", following: false)?.kind == .file
        }
        if isPlugin(directory) { return directory }
        let inner = FileSystem.names(in: directory).map { "\(directory)/\($0)" }
        if inner.count == 1, isPlugin(inner[0]) { return inner[0] }
        throw BelfryError(
            .invalidPlugin,
            "\(source) holds no \(PluginManifest.fileName) at its top.",
            fix: "If the plugin is deeper inside, unpack or clone it yourself: belfry plugin add DIR"
        )
    }
}
