// Python packages that tests need, pinned, in a virtual environment that is made once and kept beside the build.

import BelfryCore
import FoundationEssentials
import Glibc

enum PythonVenv {
    /// The Python of a virtual environment with what `requirements` pins.
    ///
    /// - Parameter requirements: a file beside the tests. A changed one makes a new environment.
    /// - Throws: ``BelfryError`` with what pip said when it cannot be made; it needs PyPI once.
    static func python(_ requirements: String, _ sandbox: Sandbox) async throws -> String {
        let file = Sandbox.checkout + "/Tests/EndToEndTests/" + requirements
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let hash = text.utf8.reduce(UInt64(14_695_981_039_346_656_037)) {
            ($0 ^ UInt64($1)) &* 1_099_511_628_211
        }
        let directory = Sandbox.programs + "/test-venvs"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let venv = "\(directory)/\(String(hash, radix: 16))"
        // Under a lock: suites run beside each other. The last file tells a whole one from one that was given up.
        let script = """
            [ -e "$1/made" ] && exit 0
            rm -rf "$1"
            python3 -m venv "$1" && "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2" && touch "$1/made"
            """
        let ran = try await sandbox.run(
            "/usr/bin/flock",
            [directory + "/lock", "/bin/sh", "-c", script, "sh", venv, file]
        )
        guard ran.status == 0 else {
            throw BelfryError(
                .internalError,
                "The Python environment of \(requirements) cannot be made: \(ran.errors)\(ran.output)",
                fix: "PyPI must be reachable, and python3-venv installed: packaging/dependencies --test"
            )
        }
        return venv + "/bin/python"
    }
}
