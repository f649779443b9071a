// Randomness that is the same on every machine: the whole simulation hangs on one number.

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SimulationRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
        // Neighbours would otherwise be one row of numbers, begun one later.
        state = next() ^ (next() << 32)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

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
