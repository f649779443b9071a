// Gradient noise and its sums: the stuff clouds, ridges, waves and paper are made of.

/// Two-dimensional gradient noise, about -1...1, a pure function of place and seed.
struct Noise: Sendable {
    let seed: UInt32

    /// The four corners of the lattice cell are hashed together: this is the inner loop of
    /// the whole renderer.
    @inline(__always)
    func callAsFunction(_ x: Float, _ y: Float) -> Float {
        let floorX = x.rounded(.down)
        let floorY = y.rounded(.down)
        let left = UInt32(bitPattern: Int32(floorX))
        let top = UInt32(bitPattern: Int32(floorY))
        let columns = SIMD4<UInt32>(left, left &+ 1, left, left &+ 1) &* 0x8DA6_B343
        let rows = SIMD4<UInt32>(top, top, top &+ 1, top &+ 1) &* 0xD816_3841
        var h = columns ^ rows ^ seed
        h = (h ^ (h &>> 15)) &* 0x2C1B_3C6D
        h = (h ^ (h &>> 12)) &* 0x297A_2D39
        let gradientX = unsafeBitCast((h &>> 9) | 0x4000_0000, to: SIMD4<Float>.self) - 3
        let gradientY = unsafeBitCast(((h &<< 13) &>> 9) | 0x4000_0000, to: SIMD4<Float>.self) - 3
        let fx = x - floorX
        let fy = y - floorY
        let dot =
            gradientX * SIMD4<Float>(fx, fx - 1, fx, fx - 1)
            + gradientY * SIMD4<Float>(fy, fy, fy - 1, fy - 1)
        let wx = fade(fx)
        let upper = dot.x + (dot.y - dot.x) * wx
        let lower = dot.z + (dot.w - dot.z) * wx
        return (upper + (lower - upper) * fade(fy)) * 1.4
    }

    /// A sum of octaves, about -1...1: soft, like clouds.
    @inline(__always)
    func fractal(_ x: Float, _ y: Float, octaves: Int, gain: Float = 0.5) -> Float {
        var sum: Float = 0
        var weight: Float = 1
        var total: Float = 0
        var px = x
        var py = y
        for _ in 0..<octaves {
            sum += weight * self(px, py)
            total += weight
            weight *= gain
            // Not exactly doubled and slightly turned, so that lattices never line up.
            (px, py) = (1.63 * px - 1.17 * py + 17.3, 1.17 * px + 1.63 * py - 9.1)
        }
        return sum / total * 1.5
    }

    /// A sum of folded octaves, 0...1: sharp crests, like mountains.
    @inline(__always)
    func ridged(_ x: Float, _ y: Float, octaves: Int, gain: Float = 0.5) -> Float {
        var sum: Float = 0
        var weight: Float = 1
        var total: Float = 0
        var carried: Float = 1
        var px = x
        var py = y
        for _ in 0..<octaves {
            var crest = 1 - abs(self(px, py))
            crest *= crest
            sum += weight * crest * carried
            total += weight
            carried = clamp(crest * 1.4)
            weight *= gain
            (px, py) = (2.03 * px + 31.7, 2.03 * py - 12.9)
        }
        return clamp(sum / total)
    }

    @inline(__always)
    private func fade(_ t: Float) -> Float {
        t * t * t * (t * (t * 6 - 15) + 10)
    }
}
