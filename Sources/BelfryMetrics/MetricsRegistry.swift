// The metrics of one process: swift-metrics asks it for counters, gauges and distributions, and it tells
// them all as one page for Prometheus. It is handed to who needs it; the global bootstrap stays free for
// the program that embeds Belfry.

public import CoreMetrics
import Synchronization

/// A backend for swift-metrics whose values are read as text by whoever asks: see ``page()``.
///
/// A metric that is asked for twice, by the same name and labels, is one and the same. One that is asked
/// for as something else than before is not exported: a page with two families of one name is refused as a
/// whole. A comment on the page says so.
public final class MetricsRegistry: MetricsFactory {
    public struct Configuration: Sendable {
        /// What metrics mean, by their names on the page. Defaults to nothing.
        public var help: [String: String] = [:]
        /// The upper bounds of histograms, ascending, by their names on the page. Defaults to none: then
        /// timers have ``Bounds/seconds`` and recorders ``Bounds/counts``.
        public var bounds: [String: [Double]] = [:]

        public init() {}
    }

    /// Upper bounds that fit most of what is measured. Each includes its own value; after the last there
    /// is one bucket for the rest.
    public enum Bounds {
        /// From half a millisecond to a day, in seconds.
        public static let seconds: [Double] = [
            0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 21_600,
            86_400,
        ]
        /// From 1 to a million.
        public static let counts: [Double] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000, 1_000_000,
        ]
    }

    private struct State {
        var families: [String: Family] = [:]
        /// What was asked for under a name that means something else.
        var conflicts: Set<String> = []
    }

    private let configuration: Configuration
    private let state = Mutex(State())

    public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

    /// Every metric in Prometheus' text format, version 0.0.4, families in the order of their names.
    public func page() -> String {
        let (families, conflicts) = state.withLock { ($0.families.values, $0.conflicts.sorted()) }
        var page = ExpositionPage()
        for conflict in conflicts { page.comment(conflict) }
        for family in families.sorted(by: { $0.name < $1.name }) {
            family.write(to: &page, help: configuration.help[family.name])
        }
        return page.text
    }

    /// The metric with this name and these labels, made when there is none.
    private func series<Made: Series>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: Family.Kind,
        unit: MetricName.Unit = .none,
        _ make: (_ name: String) -> Made
    ) -> Made {
        let name = MetricName.make(label, kind: kind, unit: unit)
        let labels = LabelSet(dimensions)
        return state.withLock { state in
            var family = state.families[name] ?? Family(name: name, kind: kind)
            guard family.kind == kind else {
                state.conflicts.insert(
                    "\(name) was asked for as a \(kind.rawValue) too and is a \(family.kind.rawValue)."
                )
                return make(name)
            }
            if let known = family.series[labels] as? Made { return known }
            let made = make(name)
            family.series[labels] = made
            state.families[name] = family
            return made
        }
    }

    /// Takes a metric off the page.
    private func remove(_ handler: AnyObject) {
        state.withLock { state in
            for (name, var family) in state.families {
                guard let labels = family.series.first(where: { $0.value === handler })?.key else { continue }
                family.series[labels] = nil
                state.families[name] = family.series.isEmpty ? nil : family
                return
            }
        }
    }
}

extension MetricsRegistry {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { _ in CounterSeries() }
    }

    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter) { _ in CounterSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { _ in GaugeSeries() }
    }

    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, .gauge) { _ in GaugeSeries() } }
        return series(label, dimensions, .histogram) { name in
            // Three digits behind the point are kept of a quantile.
            DistributionSeries(bounds: configuration.bounds[name] ?? Bounds.counts, resolution: 0.001)
        }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram, unit: .seconds) { name in
            // Microseconds are kept of a quantile.
            DistributionSeries(bounds: configuration.bounds[name] ?? Bounds.seconds, resolution: 0.000_001)
        }
    }

    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }
}
