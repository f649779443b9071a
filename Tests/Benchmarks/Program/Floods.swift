// What it costs the hub when a plugin prints without end.

import BelfryCore
import BelfryPlugins
import FoundationEssentials

extension Bench {
    /// How much memory the process that hosts a plugin takes more, while that prints.
    func floods() async throws {
        let line = "rendering tile 17 of 4096, please wait"
        try await flood("one endless line", gigabytes: 10, "cat /dev/zero")
        try await flood("lines of 2 MB", gigabytes: 2, "while :; do head -c 2000000 /dev/zero; echo; done")
        try await flood("lines not understood", gigabytes: 1, "yes '\(line)'")
        try await flood("stderr", gigabytes: 10, "yes '\(line)'", to: ">&2")
    }

    private func flood(_ what: String, gigabytes: Int, _ source: String, to target: String = "") async throws
    {
        let path = try makeDirectory("flood")
        let script = "\(source) 2>&1 | head -c \(gigabytes)G \(target); echo; echo '::result {}'"
        let feature = try program("/bin/sh", ["-c", .string(script)], path)
        let context = try FeatureContext(
            taskID: TaskID(stored: "0198c0de-7a3b-7cc1-9d2f-0123456789ab"),
            featureID: "echo",
            attempt: 1,
            fence: 1,
            outputDirectory: makeDirectory("flood/out")
        )
        let before = try Self.resident("VmRSS")
        // The peak is counted from here.
        try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
        let start = ContinuousClock.now
        _ = try await feature.process([:], context)
        let took = Self.seconds(ContinuousClock.now - start)
        Self.report(
            "hub's memory, plugin prints \(gigabytes) GiB",
            try Self.resident("VmHWM") - before,
            "MiB more",
            "\(what); \((Double(gigabytes) * 1024 / took).rounded()) MiB/s"
        )
    }

    /// A figure of /proc/self/status, in MiB.
    private static func resident(_ name: String) throws -> Double {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
        return Double(line.filter(\.isNumber)).map { $0 / 1024 } ?? 0
    }
}
