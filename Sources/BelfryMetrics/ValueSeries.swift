// Counters and gauges: what has one value.

import CoreMetrics
import Synchronization

/// Only grows. Whole steps, the common ones, take no lock.
final class CounterSeries: ValueSeries, CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<Int64>(0)
    private let fraction = Mutex(0.0)

    /// A step back is left out: Prometheus would take it for a restart.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(amount, ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fraction.withLock { $0 += amount }
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fraction.withLock { $0 = 0 }
    }

    var value: String {
        let whole = whole.load(ordering: .relaxed)
        let fraction = fraction.withLock { $0 }
        return fraction == 0 ? "\(whole)" : ExpositionPage.number(Double(whole) + fraction)
    }
}

/// Goes up and down. NaN says that the value is not known.
final class GaugeSeries: ValueSeries, MeterHandler, RecorderHandler {
    private let current = Mutex(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { current.withLock { $0 = value } }
    func increment(by amount: Double) { current.withLock { $0 += amount } }
    func decrement(by amount: Double) { current.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }

    var value: String { ExpositionPage.number(current.withLock { $0 }) }
}
