// Randomness of our own: the same seed must give the same picture on every machine and
// in every version of Swift, which neither `Hasher` nor `SystemRandomNumberGenerator` promises.

/// SplitMix64: small, fast, and every seed is a good seed.
struct Random: Sendable {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// A stream for one part of the picture, so that drawing one part more or fewer
    /// numbers never changes the others.
    init(seed: UInt64, stream: String) {
        state = seed ^ fnv1a(stream)
        state = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in 0..<1.
    mutating func unit() -> Float {
        Float(next() >> 40) * 0x1p-24
    }

    mutating func value(in range: ClosedRange<Float>) -> Float {
        range.lowerBound + (range.upperBound - range.lowerBound) * unit()
    }

    mutating func chance(_ probability: Float) -> Bool {
        unit() < probability
    }

    /// A number in 0..<`count`. `count` must be positive.
    mutating func index(below count: Int) -> Int {
        Int(next() % UInt64(count))
    }

    mutating func pick<T>(_ choices: [T]) -> T {
        choices[index(below: choices.count)]
    }

    /// A seed for a ``Noise``.
    mutating func noise() -> Noise {
        Noise(seed: UInt32(truncatingIfNeeded: next()))
    }
}

/// FNV-1a over the UTF-8 of a text.
func fnv1a(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 {
        hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }
    return hash
}

/// Mixes two lattice coordinates and a seed into 32 bits that look random.
@inline(__always)
func scramble(_ x: Int32, _ y: Int32, _ seed: UInt32) -> UInt32 {
    var h = UInt32(bitPattern: x) &* 0x8DA6_B343 ^ UInt32(bitPattern: y) &* 0xD816_3841 ^ seed
    h = (h ^ (h >> 15)) &* 0x2C1B_3C6D
    h = (h ^ (h >> 12)) &* 0x297A_2D39
    return h ^ (h >> 15)
}

/// ``scramble(_:_:_:)`` as a number in 0..<1.
@inline(__always)
func scatter(_ x: Int32, _ y: Int32, _ seed: UInt32) -> Float {
    Float(scramble(x, y, seed) >> 8) * 0x1p-24
}
