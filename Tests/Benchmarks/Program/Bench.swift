// What a hub costs from the inside: tasks a second and the wait before a task runs, with the real
// store at FULL durability, the event log and the worker as belfryd has them.

import BelfryCore
import BelfryDesktop
import BelfryFileSink
import BelfryPlugins
import BelfrySQLite
import BelfryService
import FoundationEssentials
import Glibc
import Logging
import ServiceLifecycle
import Synchronization

/// `belfry-bench DIRECTORY LAUNCHER`, and `belfry-bench DIRECTORY popups` with a session bus and somebody who
/// serves notifications on it: prints one line a figure, `name<TAB>value<TAB>unit<TAB>note`.
@main
struct Bench {
    static func main() async throws {
        guard CommandLine.arguments.count == 3 else {
            print("usage: belfry-bench DIRECTORY LAUNCHER | belfry-bench DIRECTORY popups")
            exit(64)
        }
        // A program that ends without reading its input is no reason to die, as in the hub.
        signal(SIGPIPE, SIG_IGN)
        let bench = Bench(directory: CommandLine.arguments[1], launcher: CommandLine.arguments[2])
        if bench.launcher == "popups" { return try await bench.popups() }
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

    /// What popups cost when 1,000 tasks run and each reports its progress 100 times a second.
    func popups() async throws {
        let alone = try await reporting("alone", popups: false)
        let shown = try await reporting("shown", popups: true)
        let note = "1,000 running tasks, 100 reports a second each"
        Self.report("hub without popups, CPU", alone.cpu * 100, "% core", note)
        Self.report("popups, CPU", (shown.cpu - alone.cpu) * 100, "% core", "what the desktop sink adds")
        Self.report(
            "popups, memory",
            Double(shown.memory - alone.memory) / 1024,
            "MiB",
            "RssAnon, more than without"
        )
    }

    /// - Returns: the share of a core, and KiB of anonymous memory at the end.
    private func reporting(_ name: String, popups: Bool) async throws -> (cpu: Double, memory: Int) {
        let path = directory + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return try await BenchHub.run(path, launcher: launcher, concurrency: 1000, popups: popups) { hub in
            try await hub.hold(1000)
            // Until they are old enough to be shown.
            try await hub.report(rounds: 400)
            let (cpu, start) = (Self.cpuTime(), ContinuousClock.now)
            try await hub.report(rounds: 1000)
            let share = (Self.cpuTime() - cpu) / Self.seconds(ContinuousClock.now - start)
            let memory = Self.anonymousMemory()
            hub.letGo()
            return (share, memory)
        }
    }

    private static func anonymousMemory() -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
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
    private let holder: Holder

    private init(service: BackgroundTaskService, bus: ObserverBus, noOp: NoOp, holder: Holder) {
        self.service = service
        self.bus = bus
        self.noOp = noOp
        self.holder = holder
    }

    /// When no-op tasks began to run.
    var started: [ContinuousClock.Instant] { noOp.started.withLock { $0 } }

    static func run<Result: Sendable>(
        _ path: String,
        launcher: String,
        concurrency: Int = 64,
        popups: Bool = false,
        _ body: @escaping @Sendable (BenchHub) async throws -> Result
    ) async throws -> Result {
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
        let holder = Holder()
        features.register(holder)
        if launcher.hasPrefix("/") { features.register(try echo(path, launcher: launcher)) }
        let files = try TaskFiles(directory: path)
        var workers = TaskWorker.Configuration()
        workers.concurrency = concurrency
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
        var sinks: [any Sink] = [FileSink(FileSink.Configuration(path: path + "/events.jsonl"))]
        let desktop = popups ? desktop(service, logger) : nil
        if let desktop { sinks.append(desktop) }
        let runners = sinks.map { SinkRunner(sink: $0, bus: bus, store: store, logger: logger) }
        let parts: [any Service] = [bus] + (desktop.map { [$0] } ?? []) + runners + [worker]
        let services = ServiceGroup(services: parts, logger: logger)
        let result = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            let hub = BenchHub(service: service, bus: bus, noOp: noOp, holder: holder)
            let result = try await body(hub)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            return result
        }
        try await store.close()
        return result
    }

    private static func desktop(_ service: BackgroundTaskService, _ logger: Logger) -> DesktopSink {
        let parts = DesktopSink.Parts(
            configuration: DesktopConfiguration(),
            control: service,
            opener: NoOpener(),
            environment: ProcessInfo.processInfo.environment,
            logger: logger
        )
        return DesktopSink(parts)
    }

    // MARK: Tasks that run and report

    /// Starts tasks that go on until ``letGo()``.
    func hold(_ count: Int) async throws {
        let reader = bus.reader(after: bus.newest)
        for _ in 0..<count { _ = try await service.addTask(NewTask(featureID: "hold")) }
        var left = count
        while left > 0, let batch = try await reader.next() {
            left -= batch.events.count { $0.kind == .started }
        }
    }

    /// Has every running task report its progress, a round each hundredth of a second.
    func report(rounds: Int) async throws {
        let contexts = holder.contexts.withLock { $0 }
        for round in 0..<rounds {
            for (index, context) in contexts.enumerated() {
                context.progress(Double((round + index % 50) % 1000) / 10, "step \(round)")
            }
            try await ContinuousClock().sleep(for: .milliseconds(10))
        }
    }

    func letGo() { holder.gate.finish() }

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

/// Runs until it is let go, and keeps what its attempts may report to.
final class Holder: Feature {
    let descriptor: FeatureDescriptor = {
        var descriptor = FeatureDescriptor(id: "hold", title: "Waits")
        descriptor.makesFiles = false
        return descriptor
    }()
    let contexts = Mutex<[FeatureContext]>([])
    let gate = Gate()

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        contexts.withLock { $0.append(context) }
        await gate.wait()
        return TaskResult()
    }
}

/// Closed until it is finished, for any number who wait.
final class Gate: Sendable {
    private let state = Mutex<(isFinished: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isFinished = state.withLock { state in
                if !state.isFinished { state.waiting.append(continuation) }
                return state.isFinished
            }
            if isFinished { continuation.resume() }
        }
    }

    func finish() {
        let waiting = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// Nobody clicks in a benchmark.
struct NoOpener: DesktopOpener {
    func open(_ uri: String, token: String?) async throws {}
    func launch(_ desktopID: String, token: String?) async throws {}
}
