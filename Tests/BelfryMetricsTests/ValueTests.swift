// What the values are: exact counts in buckets, quantiles within their error, nothing that goes backwards.

import CoreMetrics
import Glibc
import Testing

@testable import BelfryMetrics

@Suite("The values of metrics")
struct ValueTests {
    @Test("a value on a bound counts below it, and the next larger one above")
    func bounds() {
        let bounds = MetricsRegistry.Bounds.seconds
        for (index, bound) in bounds.enumerated() {
            let series = DistributionSeries(bounds: bounds, resolution: 0.000_001)
            series.recordNanoseconds(Int64((bound * 1_000_000_000).rounded()))
            series.record(bound.nextUp)
            let counts = series.snapshot().buckets.map(\.count)
            #expect(counts[index] == 1, "at \(bound)")
            #expect(counts[index + 1] == 2, "above \(bound)")
            #expect(index == 0 || counts[index - 1] == 0, "below \(bound)")
        }
    }

    @Test("quantiles of durations between a microsecond and a day are at most 1 % off")
    func quantiles() {
        var random = Generator(state: 7)
        // Evenly in their logarithm, so that every size is there.
        let values = (0..<20_000).map { _ in
            Int64(1000 * pow(8.64e10, Double.random(in: 0...1, using: &random)))
        }
        let series = DistributionSeries(bounds: [], resolution: 0.000_001)
        for value in values { series.recordNanoseconds(value) }
        let sorted = values.sorted()
        for (quantile, value) in series.snapshot().quantiles {
            let rank = min(sorted.count, max(1, Int((quantile * Double(sorted.count)).rounded(.up))))
            let exact = Double(sorted[rank - 1]) / 1e9
            #expect(abs(value - exact) <= exact * 0.01, "\(quantile): \(value) for \(exact)")
        }
    }

    @Test("the sum and the count are those of all values, whatever the buckets")
    func totals() {
        let series = DistributionSeries(bounds: [1], resolution: 1)
        for value in 1...100 { series.record(Int64(value)) }
        let snapshot = series.snapshot()
        #expect(snapshot.sum == 5050)
        #expect(snapshot.count == 100)
        #expect(snapshot.buckets.map(\.count) == [1, 100])
        #expect(snapshot.quantiles.map(\.value) == [50, 90, 99, 100])
    }

    @Test("what is no number, endless or negative time spoils nothing, and the largest time is taken")
    func extremes() {
        let series = DistributionSeries(bounds: [1], resolution: 0.000_001)
        for value in [Double.nan, .infinity, -.infinity] { series.record(value) }
        #expect(series.snapshot().count == 0)
        series.recordNanoseconds(-5)
        series.recordNanoseconds(.max)
        series.record(1e300)
        let snapshot = series.snapshot()
        #expect(snapshot.buckets.map(\.count) == [1, 3])
        #expect(snapshot.quantiles.allSatisfy { $0.value.isFinite })
    }

    @Test("a counter never goes back, except when it is reset")
    func counters() {
        let series = CounterSeries()
        series.increment(by: Int64(3))
        series.increment(by: Int64(-2))
        series.increment(by: -0.5)
        series.increment(by: Double.nan)
        #expect(series.value == "3")
        series.increment(by: 0.25)
        #expect(series.value == "3.25")
        series.reset()
        #expect(series.value == "0")
    }

    @Test("a gauge goes up and down, by meter and by gauge alike")
    func gauges() {
        let registry = MetricsRegistry()
        let meter = Meter(label: "level", factory: registry)
        meter.set(5)
        meter.increment()
        meter.decrement(by: 3.0)
        #expect(registry.page().hasSuffix("\nlevel 3\n"))
        Gauge(label: "level", factory: registry).record(8)
        #expect(registry.page().hasSuffix("\nlevel 8\n"))
    }

    @Test("the same name and labels are the same series, in whatever order the labels come")
    func identity() {
        let registry = MetricsRegistry()
        Counter(label: "x", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        Counter(label: "x", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment()
        Counter(label: "x", dimensions: [("a", "2"), ("b", "1")], factory: registry).increment()
        #expect(
            registry.page() == """
                # TYPE x_total counter
                x_total{a="1",b="2"} 2
                x_total{a="2",b="1"} 1

                """
        )
    }

    @Test("a metric that is destroyed leaves the page, and its family with the last one")
    func destroy() {
        let registry = MetricsRegistry()
        let one = Counter(label: "x", dimensions: [("a", "1")], factory: registry)
        let two = Counter(label: "x", dimensions: [("a", "2")], factory: registry)
        let timer = Timer(label: "t", factory: registry)
        one.destroy()
        timer.destroy()
        #expect(registry.page() == "# TYPE x_total counter\nx_total{a=\"2\"} 0\n")
        two.destroy()
        #expect(registry.page() == "")
    }

    @Test("nothing is lost when many count and record at once while the page is read")
    func concurrency() async {
        let registry = MetricsRegistry()
        let counter = Counter(label: "x", factory: registry)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 1...100_000 { counter.increment() }
                    for step in 1...5000 {
                        Timer(label: "t", factory: registry).recordNanoseconds(Int64(step))
                    }
                }
            }
            group.addTask { for _ in 0..<50 { _ = registry.page() } }
        }
        let page = registry.page()
        #expect(page.contains("\nx_total 800000\n"))
        #expect(page.contains("\nt_seconds_count 40000\n"))
        #expect(page.contains("\nt_seconds_bucket{le=\"+Inf\"} 40000\n"))
    }
}

/// Numbers that are the same in every run.
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 31)
    }
}
