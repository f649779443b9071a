// Files of one test.

import FoundationEssentials
import Glibc

@testable import BelfryPlugins

/// A directory of one test, removed with it.
final class TestDirectory: Sendable {
    let path: String

    init() throws {
        let path =
            FileManager.default.temporaryDirectory.path() + "belfry-plugins-\(UInt64.random(in: 0...(.max)))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        self.path = FileSystem.real(path) ?? path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String, mode: mode_t = 0o644) throws {
        let file = "\(path)/\(name)"
        let parent = String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)])
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, mode)
    }
}
