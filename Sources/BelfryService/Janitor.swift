// Keeps the house: removes what is older, more or larger than it may be, with its files.

public import BelfryCore
public import Logging
public import ServiceLifecycle

/// What is kept of finished work, and for how long.
public struct Retention: Sendable, Hashable {
    /// How long finished tasks are kept, by status. Defaults to for ever.
    public var age: [TaskStatus: Duration] = [:]
    /// How many finished tasks are kept, the newest. Defaults to all.
    public var count: Int?
    /// How large the results may be together, in bytes: beyond it the oldest finished tasks go. Defaults to any
    /// size.
    public var resultsSize: Int64?
    /// How long events are kept in the store; the event log has its own bounds. Defaults to 90 days.
    public var eventAge: Duration? = .seconds(90 * 86_400)

    public init() {}

    var isNothing: Bool { age.isEmpty && count == nil && resultsSize == nil && eventAge == nil }
}

/// Applies ``Retention`` when the hub starts and every hour.
public struct Janitor: Service {
    private let service: BackgroundTaskService
    private let retention: Retention
    private let interval: Duration
    private let logger: Logger

    /// - Parameter interval: between two rounds. Defaults to an hour.
    public init(
        _ service: BackgroundTaskService,
        retention: Retention,
        interval: Duration = .seconds(3600),
        logger: Logger
    ) {
        self.service = service
        self.retention = retention
        self.interval = interval
        self.logger = logger
    }

    public func run() async {
        await cancelWhenGracefulShutdown {
            guard !retention.isNothing else {
                try? await gracefulShutdown()
                return
            }
            repeat { await sweep() } while (try? await service.clocks.sleep(interval)) != nil
        }
    }

    /// One round. A store that fails is left alone until the next.
    public func sweep() async {
        do {
            var removed = try await removeOld()
            removed += try await removeMany()
            removed += try await removeLarge()
            let events = try await pruneEvents()
            guard removed + events > 0 else { return }
            logger.info("kept house", metadata: ["tasks": "\(removed)", "events": "\(events)"])
        } catch {
            logger.warning("cannot keep house; trying again later", metadata: ["error": "\(error)"])
        }
    }

    private func removeOld() async throws -> Int {
        var removed = 0
        for (status, age) in retention.age {
            var filter = ClearFilter()
            filter.statuses = [status]
            filter.finishedBefore = service.clocks.wall.now.adding(.zero - age)
            removed += try await service.clear(filter)
        }
        return removed
    }

    private func removeMany() async throws -> Int {
        guard let count = retention.count else { return 0 }
        var filter = ClearFilter()
        filter.statuses = Set(TaskStatus.allCases.filter(\.isFinal))
        filter.keeping = count
        return try await service.clear(filter)
    }

    private func removeLarge() async throws -> Int {
        guard let limit = retention.resultsSize else { return 0 }
        var removed = 0
        while service.files.resultsSize() > limit {
            var filter = ClearFilter()
            filter.statuses = Set(TaskStatus.allCases.filter(\.isFinal))
            filter.limit = 20
            let count = try await service.clear(once: filter)
            if count == 0 { break }
            removed += count
        }
        return removed
    }

    private func pruneEvents() async throws -> Int {
        guard let age = retention.eventAge else { return 0 }
        let time = service.clocks.wall.now.adding(.zero - age)
        var pruned = 0
        while true {
            let count = try await service.store.pruneEvents(before: time, limit: 5000)
            if count == 0 { return pruned }
            pruned += count
        }
    }
}
