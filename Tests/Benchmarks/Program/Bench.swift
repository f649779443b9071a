// What a hub costs from the inside: tasks a second and the wait before a task runs, with the real
// store at FULL durability, the event log and the worker as belfryd has them.

import BelfryCore
import BelfryPluginKit
import BelfryService
import FoundationEssentials
import Glibc

/// `belfry-bench DIRECTORY LAUNCHER`, and `belfry-bench DIRECTORY popups` with a session bus and somebody who
/// serves notifications on it: prints one line a figure, `name<TAB>value<TAB>unit<TAB>note`.
@main
struct Bench {
    static func main() async throws {
        if getenv(NoOpServer.variable) != nil { return await NoOpServer.main() }
        guard CommandLine.arguments.count == 3 else {
            print("usage: belfry-bench DIRECTORY LAUNCHER | belfry-bench DIRECTORY popups")
            exit(64)
        }
        // A program that ends without reading its input is no reason to die, as in the hub.
        signal(SIGPIPE, SIG_IGN)
        let bench = Bench(directory: CommandLine.arguments[1], launcher: CommandLine.arguments[2])
        if bench.launcher == "popups" { return try await bench.popups() }
        try await bench.noOps()
        try await bench.servers()
        try await bench.programs()
        try await bench.starts()
        try bench.scans()
        try bench.pins()
        try await bench.floods()
        try await bench.waits()
        try await bench.sinks()
        try await bench.growth()
    }

    let directory: String
    let launcher: String

    /// Row 2: a no-op in-process feature, from the first submission to the last line in the log. Tasks that go
    /// through at once share their commits.
    func noOps() async throws {
        for width in [64, 256] {
            try await hub("noop-\(width)", concurrency: width) { hub in
                let count = 40_000
                let cpu = Self.cpuTime()
                let took = try await hub.run(count: count, feature: "noop", submitters: width)
                Self.report(
                    "no-op tasks, \(width) at once",
                    Double(count) / took,
                    "tasks/s",
                    "\(count) tasks, \(width) submitters, FULL, event log on"
                )
                Self.report(
                    "no-op tasks, \(width) at once, CPU",
                    (Self.cpuTime() - cpu) / Double(count) * 1e6,
                    "µs/task",
                    "user and system"
                )
            }
        }
    }

    /// Row 10: how long an idle hub takes from accepting a task to running it.
    func waits() async throws {
        try await hub("wait") { hub in
            var waits: [Double] = []
            for _ in 0..<300 {
                let accepted = ContinuousClock.now
                _ = try await hub.run(count: 1, feature: "noop", submitters: 1)
                if let started = hub.started.last { waits.append(Self.seconds(started - accepted) * 1000) }
            }
            waits.sort()
            Self.report(
                "submitted to running, p50",
                waits[waits.count / 2],
                "ms",
                "idle before; 300 tasks, one commit included"
            )
            Self.report("submitted to running, p99", waits[waits.count * 99 / 100], "ms", "")
        }
    }

    // MARK: Parts

    func hub(
        _ name: String,
        concurrency: Int = 64,
        features: [any Feature] = [],
        _ body: @escaping @Sendable (BenchHub) async throws -> Void
    ) async throws {
        let path = try makeDirectory(name)
        try await BenchHub.run(path, concurrency: concurrency, features: features, body)
    }

    func makeDirectory(_ name: String) throws -> String {
        let path = directory + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    static func cpuTime() -> Double {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) {
            $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6
        }
    }

    static func report(_ name: String, _ value: Double, _ unit: String, _ note: String) {
        print("\(name)\t\((value * 1000).rounded() / 1000)\t\(unit)\t\(note)")
        fflush(nil)
    }
}
