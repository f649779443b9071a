// The Python environment of one plugin: where it lies, and whether it is the one that the plugin wants. It is
// judged by its stamp alone, without starting Python, because every scan asks.

import BelfryCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a manifest's `setup` asks for.
public struct VenvSetup: Sendable, Hashable {
    /// A pip requirements file, relative to the plugin's directory.
    public var requirements: String
    /// Whether pip leaves out what the packages depend on. Defaults to false.
    public var skipsDependencies = false
    /// Whether the plugin can do without. Defaults to false.
    public var isOptional = false

    public init(requirements: String) { self.requirements = requirements }

    /// Whether the plugin in `directory` has the file.
    func isThere(in directory: String) -> Bool {
        FileSystem.entry("\(directory)/\(requirements)", following: true)?.kind == .file
    }
}

struct PluginVenv {
    static let stampName = "belfry-venv.json"
    /// Where the environments really are: a link to the one in use makes a change of it one step, and what runs
    /// in the old one goes on, because a venv's programs hold its path.
    static let made = ".made"

    /// What an environment was made of.
    struct Stamp: Equatable {
        var requirements: String
        /// Such as `3.13`.
        var python: String
        var skipsDependencies: Bool

        var json: JSONValue {
            [
                "requirements_sha256": .string(requirements), "python": .string(python),
                "no_deps": .bool(skipsDependencies),
            ]
        }

        init(requirements: String, python: String, skipsDependencies: Bool) {
            self.requirements = requirements
            self.python = python
            self.skipsDependencies = skipsDependencies
        }

        init?(json: JSONValue) {
            guard let requirements = json["requirements_sha256"]?.string, let python = json["python"]?.string
            else { return nil }
            self.init(
                requirements: requirements,
                python: python,
                skipsDependencies: json["no_deps"]?.bool ?? false
            )
        }
    }

    enum State: Equatable {
        /// Its directory, without links.
        case fits(String)
        /// Why it cannot be used: a sentence without its subject.
        case unfit(String)
    }

    /// `<data>/venvs/<plugin id>`.
    let path: String
    /// Where the environment of a version lies that is about to take the place of this one.
    private let next: String
    let setup: VenvSetup
    let pluginDirectory: String

    init(of id: String, in venvs: String, setup: VenvSetup, pluginDirectory: String) {
        path = "\(venvs)/\(id)"
        next = "\(venvs)/\(Self.nextName(of: id))"
        self.setup = setup
        self.pluginDirectory = pluginDirectory
    }

    static func nextName(of id: String) -> String { ".next-\(id)" }

    /// The environment that fits, in use or made ahead of an update; else what is wrong with the one in use.
    func state(cache: ScanCache?) -> State {
        let present = state(of: path, cache: cache)
        if case .fits = present { return present }
        let ahead = state(of: next, cache: cache)
        if case .fits = ahead { return ahead }
        return present
    }

    /// Puts the environment that was made ahead in the place of the one in use, when it is what this version wants.
    func adoptNext() {
        if case .fits = state(of: next, cache: nil) { rename(next, path) }
    }

    static func forgetNext(of id: String, in venvs: String) { unlink("\(venvs)/\(nextName(of: id))") }

    private func state(of path: String, cache: ScanCache?) -> State {
        let file = "\(pluginDirectory)/\(setup.requirements)"
        guard let (stamp, kind) = FileStamp.read(file), kind == .file,
            let hash = try? cache?.hash(of: file, stamp: stamp) ?? FileSystem.sha256(of: file)
        else { return .unfit("cannot be made, because \(setup.requirements) is not a file of the plugin") }
        guard let directory = FileSystem.real(path) else { return .unfit("is not there") }
        guard let made = stampedAs(directory) else { return .unfit("was not made by belfry plugin setup") }
        guard made.requirements == hash, made.skipsDependencies == setup.skipsDependencies else {
            return .unfit("was made of other requirements")
        }
        guard let program = FileSystem.real("\(directory)/bin/python3"), FileSystem.isExecutable(program)
        else {
            return .unfit("has lost its Python")
        }
        if let version = Self.version(ofProgram: program), version != made.python {
            return .unfit("was made for Python \(made.python), and this is \(version)")
        }
        return .fits(directory)
    }

    private func stampedAs(_ directory: String) -> Stamp? {
        guard let bytes = try? FileSystem.contents(of: "\(directory)/\(Self.stampName)", limit: 4096),
            let json = try? JSONValue(parsing: bytes)
        else { return nil }
        return Stamp(json: json)
    }

    /// `3.13` of `/usr/bin/python3.13`; nil when the name does not say.
    private static func version(ofProgram path: String) -> String? {
        guard let name = path.split(separator: "/").last, name.hasPrefix("python3.") else { return nil }
        return String(name.dropFirst("python".count))
    }

    /// The variables of a process that works in the environment `directory`.
    static func variables(_ directory: String, searchPath: String) -> [String: String] {
        ["VIRTUAL_ENV": directory, "PATH": "\(directory)/bin:\(searchPath)"]
    }
}
