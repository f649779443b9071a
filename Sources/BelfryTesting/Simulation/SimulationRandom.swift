// Randomness that is the same on every machine: the whole simulation hangs on one number.

/// ``SeededRandom`` with the draws that a simulated life is made of.
struct SimulationRandom: RandomNumberGenerator {
    private var source: SeededRandom

    init(seed: UInt64) {
        source = SeededRandom(seed: seed)
        // Neighbours would otherwise be one row of numbers, begun one later.
        source = SeededRandom(seed: source.next() ^ (source.next() << 32))
    }

    mutating func next() -> UInt64 { source.next() }

    /// A number in `range`, which is not empty.
    mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    /// True once in `count` times.
    mutating func once(in count: Int) -> Bool { next() % UInt64(count) == 0 }

    mutating func pick<Value>(_ values: [Value]) -> Value? {
        values.isEmpty ? nil : values[Int(next() % UInt64(values.count))]
    }

    mutating func seconds(_ range: ClosedRange<Int>) -> Duration { .milliseconds(number(range) * 1000) }
}
