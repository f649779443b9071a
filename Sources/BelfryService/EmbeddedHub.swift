// A whole service inside another program: the parts in the order of their needs, so that who embeds Belfry does not
// have to know it.

public import BelfryCore
public import Logging
public import ServiceLifecycle
import Synchronization

/// The task service with its worker, scheduler and sinks, in one process and without a socket.
///
/// It is a `Service`: run it in the group that the program has, or with ``run(_:)`` for as long as a closure takes.
public struct EmbeddedHub: Service {
    public struct Configuration: Sendable {
        /// How tasks are run. Defaults to as many at once as there are cores.
        public var worker = TaskWorker.Configuration()
        /// What is kept, and for how long. Defaults to ``Retention``'s.
        public var retention = Retention()
        /// Defaults to the program's own logging.
        public var logger = Logger(label: "belfry")

        public init() {}
    }

    /// Opens the store. Its events must be handed to `committed` after each commit.
    public typealias OpenStore =
        @Sendable (_ committed: @escaping @Sendable ([EventRecord]) -> Void) async throws ->
        any TaskStore

    public let service: BackgroundTaskService
    public let bus: ObserverBus
    private let services: [ServiceGroupConfiguration.ServiceConfiguration]
    private let logger: Logger

    /// Puts the parts together; nothing runs yet.
    ///
    /// - Parameters:
    ///   - directory: where results and logs of tasks are; made when it is not there.
    ///   - features: what tasks can name.
    ///   - sinks: what is told of events. Defaults to none.
    /// - Throws: ``BelfryError`` when the directory cannot be made, and what the store throws.
    public init(
        directory: String,
        features: [any Feature],
        sinks: [any Sink] = [],
        configuration: Configuration = Configuration(),
        openStore: OpenStore
    ) async throws {
        logger = configuration.logger
        let files = try TaskFiles(directory: directory)
        let committed = CommitSignal()
        let store = try await openStore { committed.fire($0) }
        let bus = ObserverBus(store: store, logger: logger)
        committed.connect { bus.committed($0) }
        try await bus.start()
        let registry = FeatureRegistry()
        for feature in features { registry.register(feature) }
        let worker = TaskWorker(
            id: WorkerID(IDGenerator().epoch()),
            store: store,
            features: registry,
            bus: bus,
            files: files,
            configuration: configuration.worker,
            alarm: WallAlarm(),
            logger: logger
        )
        try await worker.groups.load()
        service = BackgroundTaskService(store: store, features: registry, worker: worker, files: files)
        self.bus = bus
        let runners = sinks.map { SinkRunner(sink: $0, bus: bus, store: store, logger: configuration.logger) }
        // They end in the reverse order: the worker first, then the sinks, which deliver its last commits.
        var services = [ServiceGroupConfiguration.ServiceConfiguration(service: StoreKeeper(store: store))]
        services.append(.init(service: bus))
        services += runners.map { .init(service: $0, successTerminationBehavior: .ignore) }
        services.append(.init(service: worker))
        services.append(.init(service: Scheduler(service, logger: logger)))
        let janitor = Janitor(service, retention: configuration.retention, logger: logger)
        services.append(.init(service: janitor, successTerminationBehavior: .ignore))
        self.services = services
    }

    /// Runs until graceful shutdown: what is submitted then is refused, attempts end or are given back, sinks deliver
    /// the rest, and the store is closed.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await makeGroup().run()
        } onGracefulShutdown: {
            service.closeIntake()
        }
    }

    /// Runs for as long as `body` takes, and ends in order.
    ///
    /// - Throws: what `body` throws, or what a part of the hub ended with.
    public func run<Value: Sendable>(
        _ body: @escaping @Sendable (BackgroundTaskService) async throws -> Value
    ) async throws -> Value {
        let group = makeGroup()
        return try await withThrowingTaskGroup(of: Value?.self) { tasks in
            tasks.addTask {
                try await group.run()
                return nil
            }
            tasks.addTask {
                do {
                    let value = try await body(service)
                    await end(group)
                    return value
                } catch {
                    await end(group)
                    throw error
                }
            }
            var value: Value?
            while let ended = try await tasks.next() { value = ended ?? value }
            guard let value else { throw CancellationError() }
            return value
        }
    }

    /// Waits until a task is final.
    ///
    /// - Throws: ``BelfryError``: `not_found`, or `shutting_down` when the hub ends first.
    public func finished(_ id: TaskID) async throws -> BackgroundTask {
        // From before the look, so that no end falls between the two.
        let reader = bus.reader(after: bus.newest)
        while true {
            guard let task = try await service.task(id) else { throw BackgroundTaskService.notFound(id) }
            if task.status.isFinal { return task }
            var isNews = false
            while !isNews {
                guard let batch = try await reader.next() else {
                    throw BelfryError(.shuttingDown, "The hub ends before task \(id).")
                }
                isNews = batch.gap != nil || batch.events.contains { $0.taskID == id }
            }
        }
    }

    private func end(_ group: ServiceGroup) async {
        service.closeIntake()
        await group.triggerGracefulShutdown()
    }

    private func makeGroup() -> ServiceGroup {
        ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: logger))
    }
}

/// Closes the store when everything that uses it has ended.
private struct StoreKeeper: Service {
    let store: any TaskStore

    func run() async throws {
        try? await gracefulShutdown()
        try await store.close()
    }
}

/// Carries the store's signal to the bus, which is made after the store.
public final class CommitSignal: Sendable {
    private let receiver = Mutex<(@Sendable ([EventRecord]) -> Void)?>(nil)

    public init() {}

    public func connect(_ receiver: @escaping @Sendable ([EventRecord]) -> Void) {
        self.receiver.withLock { $0 = receiver }
    }

    public func fire(_ events: [EventRecord]) { receiver.withLock { $0 }?(events) }
}
