// What is counted and timed as it happens. It lies on the way of every task: an addition here, no
// allocation, and nothing that waits.

import BelfryCore
public import CoreMetrics
import Synchronization

/// The counters and histograms of a service, made by whatever backend the program has.
///
/// The factory is handed in, so that a program that embeds Belfry keeps its own bootstrap.
public final class ServiceMetrics: Sendable {
    /// How an attempt ended.
    enum AttemptEnd: String, CaseIterable {
        case completed, retrying, failed, cancelled, interrupted, snoozed
        /// The lease was lost: whatever it did counts for nothing.
        case lost
    }

    /// Features that have series of their own. Those that come later share ``otherFeature``.
    static let featureLimit = 100
    static let otherFeature = "(other)"

    public let factory: any MetricsFactory
    private let events: [TaskEvent.Kind: Counter]
    private let commitDuration: CoreMetrics.Timer
    private let commitRequests: Recorder
    private let features = Mutex<[String: FeatureMetrics]>([:])

    public init(factory: any MetricsFactory) {
        self.factory = factory
        let definition = MetricDefinition.events
        events = Dictionary(
            uniqueKeysWithValues: TaskEvent.Kind.allCases.map { kind in
                (kind, definition.counter(["type": kind.rawValue], factory))
            }
        )
        commitDuration = MetricDefinition.commitDuration.timer([:], factory)
        commitRequests = MetricDefinition.commitRequests.recorder([:], factory)
    }

    /// The series of one feature; a task's feature is a registered one, so there are few.
    subscript(feature: String) -> FeatureMetrics {
        features.withLock { features in
            if let known = features[feature] { return known }
            let isFull = features.count >= Self.featureLimit
            let name = isFull ? Self.otherFeature : feature
            if let known = features[name] { return known }
            let made = FeatureMetrics(name, factory)
            features[name] = made
            return made
        }
    }

    /// Counts committed events. The bus calls it once for each.
    func committed(_ kind: TaskEvent.Kind) { events[kind]?.increment() }

    /// Counts accepted tasks.
    func added(_ tasks: [AddedTask]) {
        for task in tasks where task.isNew { self[task.task.featureID].accepted() }
    }

    /// For a store that commits requests in groups: one transaction, with how many it carried.
    public func storeCommitted(requests: Int, in duration: Duration) {
        commitDuration.recordNanoseconds(duration.nanosecondsClamped)
        commitRequests.record(requests)
    }
}

/// The series of one feature.
final class FeatureMetrics: Sendable {
    private let added: Counter
    private let started: Counter
    private let wait: CoreMetrics.Timer
    private let duration: CoreMetrics.Timer
    private let ends: [ServiceMetrics.AttemptEnd: Counter]

    init(_ feature: String, _ factory: any MetricsFactory) {
        let labels: KeyValuePairs = ["feature": feature]
        added = MetricDefinition.tasksAdded.counter(labels, factory)
        started = MetricDefinition.attemptsStarted.counter(labels, factory)
        wait = MetricDefinition.taskWait.timer(labels, factory)
        duration = MetricDefinition.attemptDuration.timer(labels, factory)
        ends = Dictionary(
            uniqueKeysWithValues: ServiceMetrics.AttemptEnd.allCases.map { end in
                let labels: KeyValuePairs = ["feature": feature, "outcome": end.rawValue]
                return (end, MetricDefinition.attemptsFinished.counter(labels, factory))
            }
        )
    }

    func accepted() { added.increment() }

    /// - Parameter wait: since when it was due; nil when nobody knows.
    func began(after wait: Duration?) {
        started.increment()
        if let wait { self.wait.recordNanoseconds(wait.nanosecondsClamped) }
    }

    func took(_ duration: Duration) { self.duration.recordNanoseconds(duration.nanosecondsClamped) }

    func ended(_ end: ServiceMetrics.AttemptEnd) { ends[end]?.increment() }
}

extension MetricDefinition {
    func counter(_ labels: KeyValuePairs<String, String>, _ factory: any MetricsFactory) -> Counter {
        Counter(label: name, dimensions: labels.map { ($0.key, $0.value) }, factory: factory)
    }

    func timer(_ labels: KeyValuePairs<String, String>, _ factory: any MetricsFactory) -> CoreMetrics.Timer {
        CoreMetrics.Timer(label: name, dimensions: labels.map { ($0.key, $0.value) }, factory: factory)
    }

    func recorder(_ labels: KeyValuePairs<String, String>, _ factory: any MetricsFactory) -> Recorder {
        Recorder(label: name, dimensions: labels.map { ($0.key, $0.value) }, factory: factory)
    }

    func meter(_ labels: KeyValuePairs<String, String>, _ factory: any MetricsFactory) -> Meter {
        Meter(label: name, dimensions: labels.map { ($0.key, $0.value) }, factory: factory)
    }
}

extension Duration {
    /// At most 292 years; less than nothing is nothing.
    var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        let (scaled, isTooLarge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isOver) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return isTooLarge || isOver ? .max : sum
    }
}
