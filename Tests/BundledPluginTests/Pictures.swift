// Photographs, the venv of `upscaling`, and measuring: made once by `prepare`, below `.build`.

import BelfryCore
import Glibc

/// What the tests need from PyPI.
enum Prepared {
    private static let outcome: Result<String, PreparationFailed> = {
        let directory = BundledPlugin.checkout + "/.build/bundled-plugins"
        let script = BundledPlugin.checkout + "/Tests/BundledPluginTests/prepare"
        do {
            let end = try Run(["sh", "-c", "\"$0\" \"$1\" 2>&1", script, directory], hasEnvironment: true)
                .end()
            guard end.status == 0 else { return .failure(PreparationFailed(output: end.lines)) }
            return .success(directory)
        } catch {
            return .failure(PreparationFailed(output: ["\(error)"]))
        }
    }()

    static func directory() throws -> String { try outcome.get() }

    static func python() throws -> String { try directory() + "/venv/bin/python3" }

    /// One of the photographs, by its name.
    static func photo(_ name: String) throws -> String { try directory() + "/pictures/" + name }
}

/// Why there are no pictures and no venv.
struct PreparationFailed: Error, CustomStringConvertible {
    let output: [String]

    var description: String {
        "Tests/BundledPluginTests/prepare failed; it needs PyPI and python3-venv: "
            + output.suffix(5).joined(separator: " ")
    }
}

/// What `measure.py` says.
///
/// - Parameter python: nil for the venv's; the system's has OpenCV.
@discardableResult
func measure(_ words: String..., python: String? = nil) throws -> JSONValue {
    try measure(words, python: python)
}

@discardableResult
func measure(_ words: [String], python: String? = nil) throws -> JSONValue {
    let script = BundledPlugin.checkout + "/Tests/BundledPluginTests/measure.py"
    let end = try Run([try python ?? Prepared.python(), script] + words).end()
    guard end.status == 0 else { throw MeasuringFailed(words: words) }
    return try JSONValue(parsing: end.lines.joined())
}

struct MeasuringFailed: Error { let words: [String] }
