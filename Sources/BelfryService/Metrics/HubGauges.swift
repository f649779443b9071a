// How things stand, looked up when somebody asks. Nothing here is kept up while tasks run: the depth of
// the queue, ages and lags are read from those who know them.

public import BelfryCore
public import CoreMetrics
import Synchronization

/// The gauges of a hub. Call ``refresh()`` before the backend exports.
public struct HubGauges: Sendable {
    public struct Parts: Sendable {
        public var store: any TaskStore
        public var bus: ObserverBus
        public var worker: TaskWorker
        public var sinks: SinkSet
        public var clocks: Clocks

        public init(
            store: any TaskStore,
            bus: ObserverBus,
            worker: TaskWorker,
            sinks: SinkSet,
            clocks: Clocks
        ) {
            self.store = store
            self.bus = bus
            self.worker = worker
            self.sinks = sinks
            self.clocks = clocks
        }
    }

    private let parts: Parts
    private let tasks: [(status: TaskStatus, meter: Meter)]
    private let oldestDueAge: Meter
    private let runningAttempts: Meter
    private let slots: Meter
    private let busReaders: Meter
    private let eventPosition: Meter
    private let storeReadable: Meter
    private let sinks: SinkGauges

    /// - Parameter factory: makes the gauges; the one of ``ServiceMetrics``, as a rule.
    public init(_ parts: Parts, factory: any MetricsFactory) {
        self.parts = parts
        tasks = TaskStatus.allCases.map {
            ($0, MetricDefinition.tasks.meter(["status": $0.rawValue], factory))
        }
        oldestDueAge = MetricDefinition.oldestDueAge.meter([:], factory)
        runningAttempts = MetricDefinition.runningAttempts.meter([:], factory)
        slots = MetricDefinition.slots.meter([:], factory)
        busReaders = MetricDefinition.busReaders.meter([:], factory)
        eventPosition = MetricDefinition.eventPosition.meter([:], factory)
        storeReadable = MetricDefinition.storeReadable.meter([:], factory)
        sinks = SinkGauges(factory)
        // What does not change.
        MetricDefinition.startTime.meter([:], factory)
            .set(Double(parts.clocks.wall.now.milliseconds) / 1000)
        MetricDefinition.buildInfo.meter(["version": BelfryVersion.current], factory).set(1)
    }

    /// Looks everything up. A store that does not answer leaves its values unknown, and the rest stands:
    /// metrics are wanted most when something is broken.
    public func refresh() async {
        runningAttempts.set(parts.worker.runningTasks)
        slots.set(max(1, parts.worker.configuration.concurrency))
        busReaders.set(parts.bus.readerCount)
        eventPosition.set(parts.bus.newest.position)
        sinks.refresh(parts.sinks.runners.map(\.status))
        do {
            let status = try await parts.store.status()
            let now = parts.clocks.wall.now
            let oldest = try await parts.store.oldestDue(at: now)
            for (key, meter) in tasks { meter.set(status.counts[key] ?? 0) }
            oldestDueAge.set(oldest.map { max(0, Double(now.milliseconds - $0.milliseconds) / 1000) } ?? 0)
            storeReadable.set(1)
        } catch {
            for (_, meter) in tasks { meter.set(Double.nan) }
            oldestDueAge.set(Double.nan)
            storeReadable.set(0)
        }
    }
}

/// How the sinks are doing. Those that are gone leave the page.
private final class SinkGauges: Sendable {
    private struct Gauges {
        let lag: Meter
        let parked: Meter
        let conditions: [(condition: SinkStatus.Condition, meter: Meter)]

        init(_ name: String, _ factory: any MetricsFactory) {
            lag = MetricDefinition.sinkLag.meter(["sink": name], factory)
            parked = MetricDefinition.sinkParked.meter(["sink": name], factory)
            conditions = SinkStatus.Condition.allCases.map { condition in
                let labels: KeyValuePairs = ["sink": name, "condition": condition.rawValue]
                return (condition, MetricDefinition.sinkCondition.meter(labels, factory))
            }
        }

        func set(_ status: SinkStatus) {
            if let waiting = status.lag { lag.set(waiting) }
            parked.set(status.parked)
            for (condition, meter) in conditions { meter.set(condition == status.condition ? 1 : 0) }
        }

        func remove() { for meter in [lag, parked] + conditions.map(\.meter) { meter.destroy() } }
    }

    private let factory: any MetricsFactory
    private let gauges = Mutex<[String: Gauges]>([:])

    init(_ factory: any MetricsFactory) { self.factory = factory }

    func refresh(_ statuses: [SinkStatus]) {
        gauges.withLock { gauges in
            for name in Set(gauges.keys).subtracting(statuses.map(\.name)) {
                gauges.removeValue(forKey: name)?.remove()
            }
            for status in statuses {
                let own = gauges[status.name] ?? Gauges(status.name, factory)
                own.set(status)
                gauges[status.name] = own
            }
        }
    }
}
