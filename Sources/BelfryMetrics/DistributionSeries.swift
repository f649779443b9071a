// How values are distributed. Prometheus' buckets are counted exactly, so that what is added up over
// hubs and time is right; an HDR histogram beside them tells quantiles that coarse buckets cannot.

import CoreMetrics
import Histogram
import Synchronization

/// Durations or sizes: the buckets of a histogram, and the quantiles since the start.
final class DistributionSeries: Series, RecorderHandler, TimerHandler {
    struct Snapshot {
        /// Upper bounds, the last infinite, with how many values are not above each.
        var buckets: [(bound: Double, count: UInt64)]
        var quantiles: [(quantile: Double, value: Double)]
        var sum: Double
        var count: UInt64
    }

    private struct State {
        /// Of each bucket alone; the last is for what is above all bounds.
        var counts: [UInt64]
        var sum = 0.0
        /// In units of the resolution. Two digits are an error of less than 1 %, in 2 to 50 KiB.
        var values = Histogram<UInt64>(numberOfSignificantValueDigits: .two)
    }

    static let quantiles = [0.5, 0.9, 0.99, 1]
    /// What is larger counts as this large in quantiles: 285 years in microseconds.
    private static let largest = 9e15

    private let bounds: [Double]
    private let resolution: Double
    private let state: Mutex<State>

    /// - Parameters:
    ///   - bounds: of the buckets, ascending.
    ///   - resolution: the smallest difference that quantiles tell.
    init(bounds: [Double], resolution: Double) {
        self.bounds = bounds
        self.resolution = resolution
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func record(_ value: Int64) { record(Double(value)) }

    /// What is no number, or infinite, is left out: it would spoil the sum for good.
    func record(_ value: Double) {
        guard value.isFinite else { return }
        let units = UInt64(min(max(value / resolution, 0).rounded(), Self.largest))
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
            state.values.record(units)
        }
    }

    /// A clock that was set back makes no negative time.
    func recordNanoseconds(_ duration: Int64) { record(Double(max(0, duration)) / 1_000_000_000) }

    func snapshot() -> Snapshot {
        let state = state.withLock { $0 }
        var total: UInt64 = 0
        let buckets = zip(bounds + [.infinity], state.counts).map { bound, count in
            total += count
            return (bound: bound, count: total)
        }
        let quantiles = Self.quantiles.map { quantile in
            (quantile: quantile, value: total == 0 ? .nan : value(at: quantile, in: state.values))
        }
        return Snapshot(buckets: buckets, quantiles: quantiles, sum: state.sum, count: total)
    }

    /// The lowest of the values that the histogram does not tell apart; the largest one is kept as it was.
    private func value(at quantile: Double, in values: Histogram<UInt64>) -> Double {
        let units =
            quantile == 1
            ? values.maxRecorded : values.lowestEquivalentForValue(values.valueAtPercentile(quantile * 100))
        // Divided, since a product would be 0.30000000000000004.
        return Double(units) / (1 / resolution).rounded()
    }
}
