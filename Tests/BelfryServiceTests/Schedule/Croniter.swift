// The real croniter (Debian's python3-croniter or PyPI's), asked about many schedules in one run.

import BelfryCore
import Foundation

/// A question: the first `count` ticks later than `start`.
struct CroniterCase: Codable, Sendable, CustomStringConvertible {
    var expression: String
    var zone: String
    /// Seconds since 1970.
    var start: Int64
    var count: Int
    /// Whether croniter is asked for wall times without a zone, which Python's zoneinfo then places.
    var isByWall = false

    var description: String {
        "'\(expression)' in \(zone) after \(Timestamp(milliseconds: start * 1000))"
    }
}

/// Runs Python.
enum Croniter {
    /// A Python that has croniter; nil when none has.
    static let python: String? = ["/usr/bin/python3", "/usr/local/bin/python3"].first { python in
        FileManager.default.isExecutableFile(atPath: python)
            && (try? run(python, "import croniter, zoneinfo", input: Data())) != nil
    }
    static var isThere: Bool { python != nil }

    /// The ticks of each case in seconds since 1970; nil where croniter refuses the expression.
    static func ticks(of cases: [CroniterCase]) throws -> [[Int64]?] {
        let output = try run(python ?? "", script, input: JSONEncoder().encode(cases))
        return try JSONDecoder().decode([[Int64]?].self, from: output)
    }

    private static let script = """
        import json, sys
        from datetime import datetime
        from zoneinfo import ZoneInfo
        from croniter.croniter import croniter, CroniterError

        def ticks(case):
            zone = ZoneInfo(case["zone"])
            start = datetime.fromtimestamp(case["start"], zone)
            if case["isByWall"]:
                start = start.replace(tzinfo=None)
            try:
                cron = croniter(case["expression"], start)
                found = [cron.get_next(datetime) for _ in range(case["count"])]
            except CroniterError:
                return None
            return [int((tick if tick.tzinfo else tick.replace(tzinfo=zone)).timestamp()) for tick in found]

        json.dump([ticks(case) for case in json.load(sys.stdin)], sys.stdout)
        """

    private struct Failure: Error {
        var output: String
    }

    /// Input and output go through files: nothing can wait for a full pipe.
    private static func run(_ python: String, _ script: String, input: Data) throws -> Data {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let files = ["input", "output", "errors"].map { directory.appendingPathComponent($0) }
        try input.write(to: files[0])
        for file in files[1...] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = ["-c", script]
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(output: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
        }
        return try Data(contentsOf: files[1])
    }
}
