// The parts of a hub as belfryd puts them together, without its server.

import BelfryCore
import BelfryFileSink
import BelfrySQLite
import BelfryService
import Logging
import ServiceLifecycle
import Synchronization

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
        concurrency: Int = 64,
        features more: [any Feature] = [],
        sinks: (any TaskControl, Logger) -> [any Sink & Service] = { _, _ in [] },
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
        for feature in more { features.register(feature) }
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
        let more = sinks(service, logger)
        let all: [any Sink] = [FileSink(FileSink.Configuration(path: path + "/events.jsonl"))] + more
        let runners = all.map { SinkRunner(sink: $0, bus: bus, store: store, logger: logger) }
        var parts: [any Service] = [bus]
        for service in more { parts.append(service) }
        for runner in runners { parts.append(runner) }
        parts.append(worker)
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

    private final class Signal: Sendable {
        let bus = Mutex<ObserverBus?>(nil)
    }
}
