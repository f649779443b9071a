// Finds the built belfry-launch and starts it.

import Glibc

enum Launcher {
    /// The binary: in `BELFRY_BIN_DIR`, else above the test program, else in the checkout's debug build.
    static func path() throws -> String {
        var folders: [String] = []
        if let named = getenv("BELFRY_BIN_DIR") { folders.append(String(cString: named)) }
        for start in [CommandLine.arguments[0], ownPath(), #filePath] {
            var folder = start[...]
            while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
                folder = folder[..<slash]
                folders += [String(folder), "\(folder)/.build/debug"]
            }
        }
        for folder in folders where access("\(folder)/belfry-launch", X_OK) == 0 {
            var info = stat()
            guard stat("\(folder)/belfry-launch", &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
                continue
            }
            return "\(folder)/belfry-launch"
        }
        throw TestFailure.noBinary(searched: folders)
    }

    private static func ownPath() -> String {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = bytes.withUnsafeMutableBytes { buffer in
            readlink("/proc/self/exe", buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    /// `belfry-launch run OPTIONS -- WORDS`.
    static func run(
        _ words: [String],
        options: [String] = [],
        stdout: Channel = Channel(),
        passing: [Int32: Int32] = [:]
    ) throws -> Running {
        try Running([path(), "run"] + options + ["--"] + words, stdout: stdout, passing: passing)
    }

    /// `belfry-launch run OPTIONS -- /bin/sh -c SCRIPT`.
    static func run(script: String, options: [String] = [], stdout: Channel = Channel()) throws -> Running {
        try run(["/bin/sh", "-c", script], options: options, stdout: stdout)
    }
}

/// A folder of its own, removed with what is in it.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    var template = Array("/tmp/belfry-launch-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFailure.cannotSpawn("mkdtemp", errno: errno) }
    let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer {
        _ = try? Running(["/bin/rm", "-rf", folder]).end()
    }
    return try body(folder)
}
