// A plugin to begin with: it runs as it is, and every part that an author will want is there once.

import BelfryCore

/// The files of a new plugin.
public struct PluginScaffold: Sendable {
    public enum Language: String, Sendable, CaseIterable {
        case sh, python, swift
    }

    struct File: Sendable {
        /// From the plugin's directory.
        let path: String
        let text: String
        var isExecutable = false
        /// What is in it when it is no text. Defaults to the text.
        var data: [UInt8]?
    }

    let id: String
    let files: [File]
    /// What has to be run in its directory before it is a plugin; nil when it is one.
    public private(set) var build: String?
    /// What its author ought to know: sentences for people.
    public internal(set) var notes: [String] = []

    init(id: String, files: [File]) {
        self.id = id
        self.files = files
    }

    /// A feature in `language` that writes a greeting, or in Swift one that counts words.
    ///
    /// - Parameter belfry: a checkout of Belfry, which Swift needs. Defaults to none.
    /// - Throws: ``BelfryError`` `invalid_request` for what is no plugin's id, or no checkout.
    public init(id: String, language: Language, belfry: String? = nil) throws {
        try Self.check(id)
        switch language {
        case .sh: self.init(id: id, files: Self.shell(id))
        case .python: self.init(id: id, files: Self.python(id))
        case .swift:
            self.init(id: id, files: try Self.swift(id, belfry: belfry))
            build = Self.swiftBuild(id)
        }
    }

    static func check(_ id: String) throws {
        guard !PluginName.isPluginID(id) else { return }
        throw BelfryError(
            .invalidRequest,
            "'\(id)' cannot be a plugin's id.",
            fix:
                "Lower-case letters, digits, '-', '_' and '.', starting with a letter or digit; at most 64 characters."
        )
    }

    /// Writes the files into a new directory.
    ///
    /// - Throws: ``BelfryError`` `conflict` when there is something already, `not_writable`.
    public func write(to directory: String) throws {
        guard FileSystem.entry(directory, following: false) == nil else {
            throw BelfryError(
                .conflict,
                "\(directory) is already there.",
                fix: "Name another directory: --dir DIR"
            )
        }
        do throws(FileError) {
            try FileSystem.makeDirectories(directory)
            for file in files {
                let path = "\(directory)/\(file.path)"
                try FileSystem.makeDirectories(FileSystem.parent(of: path))
                try FileSystem.replace(
                    path,
                    with: file.data ?? Array(file.text.utf8),
                    mode: file.isExecutable ? 0o755 : 0o644
                )
            }
        } catch {
            throw BelfryError(.notWritable, "\(error.reason).", fix: "Name another directory: --dir DIR")
        }
    }

    /// The manifest of a plugin with one feature, laid out for an author's eye.
    static func manifest(
        _ id: String,
        title: String,
        program: String,
        requires executables: [String] = [],
        params: JSONValue,
        example: JSONValue?
    ) -> File {
        var object: JSONObject = [
            "manifest_version": 1, "id": .string(id), "version": "0.1.0", "name": .string(title),
            "kind": "feature",
            "runner": ["protocol": "exec/1", "command": .string("${plugin_dir}/\(program)")],
        ]
        if !executables.isEmpty {
            object["requires"] = ["executables": .array(executables.map { .string($0) })]
        }
        var feature: JSONObject = ["id": .string(id), "title": .string(title), "params": params]
        feature.set("examples", example.map { [["title": "Plain", "params": $0]] })
        feature["timeouts"] = ["idle_s": 300]
        object["features"] = [.object(feature)]
        return File(path: PluginManifest.fileName, text: JSONValue.object(object).prettyText + "\n")
    }
}
