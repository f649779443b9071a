// What a hub costs from the inside: tasks a second and the wait before a task runs, with the real
// store at FULL durability, the event log and the worker as belfryd has them.

import BelfryCore
import BelfryFileSink
import BelfryPlugins
import BelfrySQLite
import BelfryService
import FoundationEssentials
import Glibc
import Logging
import ServiceLifecycle
import Synchronization

/// `belfry-bench DIRECTORY LAUNCHER`: prints one line a figure, `name<TAB>value<TAB>unit<TAB>note`.
@main
struct Bench {
    static func main() async throws {
        guard CommandLine.arguments.count == 3 else {
            print("usage: belfry-bench DIRECTORY LAUNCHER")
            exit(64)
        }
        // A program that ends without reading its input is no reason to die, as in the hub.
        signal(SIGPIPE, SIG_IGN)
        let bench = Bench(directory: CommandLine.arguments[1], launcher: CommandLine.arguments[2])
        try await bench.noOps()
        try await bench.programs()
        try await bench.waits()
    }

    let directory: String
    let launcher: String

    /// Row 2: a no-op in-process feature, 64 submitters, from the first submission to the last line in the log.
    func noOps() async throws {
        try await hub("noop") { hub in
            let count = 40_000
            let cpu = Self.cpuTime()
            let took = try await hub.run(count: count, feature: "noop", submitters: 64)
            Self.report(
                "no-op tasks",
                Double(count) / took,
                "tasks/s",
                "\(count) tasks, 64 submitters, FULL, event log on"
            )
            Self.report(
                "no-op tasks, CPU",
                (Self.cpuTime() - cpu) / Double(count) * 1e6,
                "µs/task",
                "user and system"
            )
        }
    }

    /// Row 4: one process for each task.
    func programs() async throws {
        try await hub("exec") { hub in
            let count = 2000
            let took = try await hub.run(count: count, feature: "echo", submitters: 16)
            Self.report(
                "exec/1 tasks",
                Double(count) / took,
                "tasks/s",
                "\(count) runs of /bin/echo through belfry-launch"
            )
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

    private func hub(_ name: String, _ body: @escaping @Sendable (BenchHub) async throws -> Void) async throws
    {
        let path = directory + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try await BenchHub.run(path, launcher: launcher, body)
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    private static func cpuTime() -> Double {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) {
            $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6
        }
    }

    private static func report(_ name: String, _ value: Double, _ unit: String, _ note: String) {
        print("\(name)\t\((value * 1000).rounded() / 1000)\t\(unit)\t\(note)")
        fflush(nil)
    }
}

/// A hub without its server.
final class BenchHub: Sendable {
    private let service: BackgroundTaskService
    private let bus: ObserverBus
    private let noOp: NoOp

    private init(service: BackgroundTaskService, bus: ObserverBus, noOp: NoOp) {
        self.service = service
        self.bus = bus
        self.noOp = noOp
    }

    /// When no-op tasks began to run.
    var started: [ContinuousClock.Instant] { noOp.started.withLock { $0 } }

    static func run(
        _ path: String,
        launcher: String,
        _ body: @escaping @Sendable (BenchHub) async throws -> Void
    ) async throws {
        let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        let signal = Signal()
        var configuration = SQLiteTaskStore.Configuration(path: path + "/bench.sqlite")
        configuration.didCommitEvents = { events in signal.bus.withLock { $0 }?.committed(events) }
        let store = try await SQLiteTaskStore.open(configuration)
        let bus = ObserverBus(store: store, logger: logger)
        signal.bus.withLock { $0 = bus }
        try await bus.start()
        let features = FeatureRegistry()
        let noOp = NoOp()
        features.register(noOp)
        features.register(try echo(path, launcher: launcher))
        let files = try TaskFiles(directory: path)
        var workers = TaskWorker.Configuration()
        workers.concurrency = 64
        let worker = TaskWorker(
            id: WorkerID("bench"),
            store: store,
            features: features,
            bus: bus,
            files: files,
            configuration: workers,
            logger: logger
        )
        let service = BackgroundTaskService(store: store, features: features, worker: worker, files: files)
        let log = FileSink(FileSink.Configuration(path: path + "/events.jsonl"))
        let runner = SinkRunner(sink: log, bus: bus, store: store, logger: logger)
        let services = ServiceGroup(services: [bus, runner, worker], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            try await body(BenchHub(service: service, bus: bus, noOp: noOp))
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
        try await store.close()
    }

    /// Submits from several tasks at once and waits until all have ended.
    ///
    /// - Returns: seconds.
    func run(count: Int, feature: String, submitters: Int) async throws -> Double {
        let reader = bus.reader(after: bus.newest)
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for submitter in 0..<submitters {
                group.addTask {
                    for _ in stride(from: submitter, to: count, by: submitters) {
                        _ = try await self.service.addTask(NewTask(featureID: feature))
                    }
                }
            }
            var left = count
            while left > 0, let batch = try await reader.next() {
                left -= batch.events.count { $0.kind == .completed || $0.kind == .failed }
                if batch.events.contains(where: { $0.kind == .failed }) {
                    throw BelfryError(.internalError, "a task failed")
                }
            }
            try await group.waitForAll()
        }
        return Bench.seconds(ContinuousClock.now - start)
    }

    private static func echo(_ path: String, launcher: String) throws -> any Feature {
        let directory = path + "/echo"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "echo", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "/bin/echo", "args": ["::result", "{}"]],
            "features": [["id": "echo"]],
        ]
        try manifest.text.write(toFile: directory + "/plugin.json", atomically: true, encoding: .utf8)
        let plugin = try InstalledPlugin(
            binding: PluginManifest.load(directory: directory),
            directory: directory,
            searchPath: "/usr/bin:/bin"
        )
        return try ExecFeature(
            plugin: plugin,
            entry: plugin.manifest.features[0],
            launcher: launcher,
            environment: ["PATH": "/usr/bin:/bin"]
        )
    }

    private final class Signal: Sendable {
        let bus = Mutex<ObserverBus?>(nil)
    }
}

/// Does nothing, and knows when.
final class NoOp: Feature {
    let descriptor: FeatureDescriptor = {
        var descriptor = FeatureDescriptor(id: "noop", title: "Nothing")
        descriptor.makesFiles = false
        return descriptor
    }()
    let started = Mutex<[ContinuousClock.Instant]>([])

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        let now = ContinuousClock.now
        started.withLock { $0.append(now) }
        return TaskResult()
    }
}
