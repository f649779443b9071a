// Makes a plugin's Python environment. It lies at its final path from the start, because a venv's programs hold
// that path; it counts only when it is whole, by the stamp that is written last and the link that is set then.

import BelfryCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Makes and removes environments.
public struct VenvMaker: Sendable {
    private let venvs: String
    private let environment: [String: String]

    /// - Parameters:
    ///   - venvs: the directory of all environments.
    ///   - environment: what Python and pip get: a PATH, a proxy.
    public init(venvs: String, environment: [String: String]) {
        self.venvs = venvs
        self.environment = environment.filter { !$0.key.hasPrefix("PYTHON") && $0.key != "VIRTUAL_ENV" }
    }

    /// Makes the environment that `manifest` asks for, and puts it in the place of the one that is there. What
    /// Python and pip say goes to stderr.
    ///
    /// - Parameter isAhead: whether it is for a version that is yet to be taken: the one in use stays, and
    ///   ``PluginRegistry/update(id:_:)`` puts this in its place.
    /// - Returns: its path; nil when the plugin wants none.
    /// - Throws: ``BelfryError`` with the fix. The one that was there stays then.
    public func make(
        for manifest: PluginManifest,
        in directory: String,
        isAhead: Bool = false
    ) async throws -> String? {
        guard let setup = manifest.venv else { return nil }
        let lock = try VenvLock(venvs, waits: true)
        defer { lock?.release() }
        let requirements = "\(directory)/\(setup.requirements)"
        let word = String(UInt32.random(in: 0 ... .max), radix: 16)
        let made = "\(venvs)/\(PluginVenv.made)/\(manifest.id)-\(word)"
        let name = isAhead ? PluginVenv.nextName(of: manifest.id) : manifest.id
        do {
            let again = "belfry plugin \(isAhead ? "update" : "setup") \(manifest.id)"
            try await fill(made, requirements, setup, again: again)
            let stamp = try await stamp(made, requirements, setup)
            try FileSystem.replace("\(made)/\(PluginVenv.stampName)", with: stamp.json.encoded + [0x0A])
            try FileSystem.link("\(venvs)/\(name)", to: "\(PluginVenv.made)/\(manifest.id)-\(word)")
        } catch {
            try? FileSystem.remove(made)
            if let error = error as? FileError {
                throw BelfryError(.notWritable, "\(made): \(error.reason).")
            }
            throw error
        }
        return "\(venvs)/\(name)"
    }

    private func fill(_ made: String, _ requirements: String, _ setup: VenvSetup, again: String) async throws
    {
        let tool = SourceTool(environment: environment)
        try FileSystem.makeDirectories(FileSystem.parent(of: made))
        guard try await tool.run("python3", ["-m", "venv", made]) == 0 else {
            throw BelfryError(
                .featureUnavailable,
                "python3 could not make the environment \(made).",
                fix:
                    "Install what it needs: sudo apt-get install python3-venv. Then: \(again)"
            )
        }
        var arguments = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        if setup.skipsDependencies { arguments.append("--no-deps") }
        let directory = FileSystem.parent(of: requirements)
        let status = try await tool.run(
            "\(made)/bin/python3",
            arguments + ["-r", requirements],
            directory: directory
        )
        guard status == 0 else {
            throw BelfryError(
                .featureUnavailable,
                "pip could not install what \(setup.requirements) names (exit status \(status)).",
                fix:
                    "See what pip says above; with a network and the requirements mended: \(again)"
            )
        }
    }

    private func stamp(_ made: String, _ requirements: String, _ setup: VenvSetup) async throws
        -> PluginVenv.Stamp
    {
        let version = try await SourceTool(environment: environment).output(
            "\(made)/bin/python3",
            // Python's word on its stdout is the answer.
            ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        )
        return PluginVenv.Stamp(
            requirements: try FileSystem.sha256(of: requirements),
            python: version,
            skipsDependencies: setup.skipsDependencies
        )
    }

    /// Takes the environment of a plugin away; its files go with the leftovers.
    static func unlink(_ id: String, in venvs: String) {
        for name in [id, PluginVenv.nextName(of: id)] { try? FileSystem.remove("\(venvs)/\(name)") }
    }

    /// Gives each environment that no link names to `retire`, unless one is being made.
    static func retireLeftovers(in venvs: String, _ retire: (String) -> Void) {
        guard let root = FileSystem.real("\(venvs)/\(PluginVenv.made)"),
            let lock = try? VenvLock(venvs, waits: false)
        else { return }
        defer { lock.release() }
        let used = Set(FileSystem.names(in: venvs).compactMap { FileSystem.real("\(venvs)/\($0)") })
        for name in FileSystem.names(in: root) where !used.contains("\(root)/\(name)") {
            retire("\(root)/\(name)")
        }
    }
}

/// Held while an environment is made, by whichever process makes it.
private struct VenvLock {
    private let descriptor: CInt

    /// - Returns: nil when another holds it and `waits` is false.
    init?(_ venvs: String, waits: Bool) throws {
        do throws(FileError) { try FileSystem.makeDirectories(venvs) } catch {
            throw BelfryError(.notWritable, "\(error.reason).", fix: "Make \(venvs) writable for you.")
        }
        descriptor = open("\(venvs)/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw BelfryError(.notWritable, "\(venvs) is not writable.", fix: "Make it writable for you.")
        }
        guard flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
    }

    func release() { close(descriptor) }
}
