// What belfry has done for plugins in the foreground, where its output is seen and Ctrl-C ends it: fetching a
// plugin from elsewhere, and making its Python environment. Neither needs a hub.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryPlugins
import FoundationEssentials
import Glibc

/// Brings an archive or a repository to a directory below the user's plugins, and says where.
struct FetchPlugin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch-plugin",
        abstract: "Brings a plugin from elsewhere to look at it.",
        shouldDisplay: false
    )

    @Argument var source: String

    func run() async throws {
        try await Foreground.answer {
            let environment = ProcessInfo.processInfo.environment
            let places = Places(environment: environment)
            let directory = "\(places.userPlugins)/.fetched-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            do {
                let fetched = try await PluginFetch(environment: environment).fetch(source, into: directory)
                return [
                    "directory": .string(fetched.directory), "root": .string(directory),
                    "from": fetched.origin.json,
                ]
            } catch {
                try? FileManager.default.removeItem(atPath: directory)
                throw error
            }
        }
    }
}

/// Makes the Python environment of a plugin.
struct SetUpPlugin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup-plugin",
        abstract: "Makes a plugin's Python environment.",
        shouldDisplay: false
    )

    /// The plugin's directory, as the hub knows it.
    @Argument var directory: String
    /// The digest of the files, when they are of a version that is yet to be taken: no others are heeded.
    @Option var ahead: String?

    func run() async throws {
        try await Foreground.answer {
            let environment = ProcessInfo.processInfo.environment
            let places = Places(environment: environment)
            let maker = VenvMaker(venvs: places.data + "/venvs", environment: environment)
            guard let ahead else { return try await answer(maker, directory) }
            let copy = "\(places.userPlugins)/.ahead-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            defer { try? FileManager.default.removeItem(atPath: copy) }
            try PluginRegistry.copy(directory, to: copy, digest: ahead)
            return try await answer(maker, copy)
        }
    }

    private func answer(_ maker: VenvMaker, _ directory: String) async throws -> JSONValue {
        let manifest = try PluginManifest.load(directory: directory)
        let made = try await maker.make(for: manifest, in: directory, isAhead: ahead != nil)
        var answer: JSONObject = ["id": .string(manifest.id)]
        answer.set("venv", made.map { .string($0) })
        return .object(answer)
    }
}

private enum Foreground {
    /// Prints as `belfryd answer` does: a status and JSON, or a problem.
    static func answer(_ work: () async throws -> JSONValue) async throws {
        signal(SIGPIPE, SIG_IGN)
        umask(0o077)
        var output: [UInt8]
        do { output = Array("200\n".utf8) + (try await work()).encoded } catch let error as BelfryError {
            output = Array("\(error.httpStatus)\n".utf8) + error.problem.encoded
        }
        FileHandleText.writeAll(output, to: 1)
    }
}
