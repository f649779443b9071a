// The plugin `video`, on the ffmpeg of this machine, and clips for it.

import BelfryCore
import Glibc

/// The plugin under test.
enum VideoPlugin {
    /// Whether the programs are there that the plugin requires.
    static let isRunnable = ["python3", "ffmpeg", "ffprobe"].allSatisfy { find($0) != nil }

    static func find(_ program: String) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// - Parameter isBare: whether nothing is on the plugin's PATH.
    static func plugin(isBare: Bool = false) throws -> BundledPlugin {
        // python3 may be a script that needs a PATH; the interpreter itself does not.
        let ask = try Run(["python3", "-c", "import sys; print(sys.executable)"])
        let python = ask.line() ?? "python3"
        try ask.end()
        return BundledPlugin(name: "video", python: [python], searchPath: isBare ? "/nowhere" : nil)
    }

    static func start(_ params: JSONValue, in folder: String) throws -> Run {
        try plugin().start(params, in: folder)
    }

    static func run(_ params: JSONValue, in folder: String, isBare: Bool = false) throws
        -> BundledPlugin.Outcome
    {
        try plugin(isBare: isBare).run(params, in: folder)
    }

    /// Makes a clip with ffmpeg's own sources.
    static func makeClip(_ path: String, size: String = "160x90", seconds: Int = 2, more: [String] = [])
        throws
    {
        let source = ["-f", "lavfi", "-i", "testsrc2=size=\(size):rate=25"]
        let end = try Run(["ffmpeg", "-v", "error"] + source + more + ["-t", "\(seconds)", path]).end()
        guard end.status == 0 else { throw SystemError("ffmpeg \(path)", EINVAL) }
    }

    /// What ffprobe says about the first stream of a file.
    static func facts(_ path: String) throws -> JSONValue {
        let end = try Run(
            ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", "file:" + path]
        ).end()
        return try JSONValue(parsing: end.lines.joined())
    }
}
