// Real Python programs for tests: virtual environments with pinned packages, made once.

import Subprocess
import Synchronization
import SystemPackage

/// Virtual environments and servers of the tests.
public enum PythonTools {
    /// Which packages: a file in `Requirements`.
    public enum Packages: String, Sendable {
        /// The SDK 2.x with mcp-server-time and mcp-server-git.
        case mcp2
        /// The SDK 1.x with mcp-server-sqlite and mcp-server-calculator, which need `mcp<2`.
        case mcp1
    }

    /// Why an environment cannot be made.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// The Python of an environment, which is made first when it is not there. It needs python3-venv and PyPI.
    public static func python(_ packages: Packages) async throws -> String {
        let result = try await Subprocess.run(
            .path(FilePath(directory + "/venv")),
            arguments: [packages.rawValue],
            output: .string(limit: 4096),
            error: .string(limit: 1 << 16)
        )
        guard case .exited(0) = result.terminationStatus else {
            throw Failure(description: result.standardError)
        }
        return String(result.standardOutput.prefix { $0 != "\n" })
    }

    /// A program that one of the packages brings, such as `mcp-server-time`.
    public static func program(_ name: String, of packages: Packages) async throws -> String {
        let python = try await python(packages)
        return python.dropLast("python".count) + name
    }

    /// A server in `Servers`.
    public static func server(_ name: String) -> String { "\(directory)/Servers/\(name)" }

    private static let directory: String = {
        let parts = #filePath.split(separator: "/").dropLast()
        return "/" + parts.joined(separator: "/")
    }()
}
