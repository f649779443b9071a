// Clouds as a lit plane of noise seen from below, so that they gather and flatten
// towards the horizon as real ones do.

/// A sheet of clouds across the sky.
struct Clouds: Layer {
    struct Manner: Sendable {
        /// 0 none … 1 covered.
        var cover: Float
        /// How quickly an edge turns solid; larger is harder.
        var hardness: Float
        /// Size of the noise: larger means smaller clouds.
        var scale: Float
        /// How drawn out along the wind.
        var stretch: Float
        var opacity: Float
        var octaves: Int
    }

    private let shape: Noise
    private let warp: Noise
    private let manner: Manner
    private let palette: Palette
    private let horizon: Float
    private let light: SIMD2<Float>
    private let warmth: Float
    private let drift: SIMD2<Float>
    private let steps: Bool

    init(_ plan: Plan, stream: String, manner: Manner) {
        var random = plan.random(stream)
        shape = random.noise()
        warp = random.noise()
        self.manner = manner
        palette = plan.palette
        horizon = plan.horizon
        light = plan.lightPlace
        warmth = plan.hour == .sunset || plan.hour == .dawn ? 1 : 0.25
        drift = SIMD2(random.value(in: 0...40), random.value(in: 0...40))
        steps = plan.isFlat
    }

    func paint(_ row: Row) {
        let above = horizon - row.v
        guard above > 0 else { return }
        let frame = row.frame
        // Looking up at a plane: the lower in the picture, the farther away.
        let distance = 0.34 / (above + 0.075)
        let q = distance * manner.scale + drift.y
        let thin = ramp(0.004, 0.07, above)
        for x in 0..<row.width {
            let u = frame.u(x)
            let p = u * distance * manner.scale / manner.stretch + drift.x
            let bend = warp.fractal(p * 0.7, q * 0.7, octaves: 2) * 0.55
            let here = density(p + bend, q + bend)
            guard here > 0 else { continue }
            let du = light.x - u
            let dv = light.y - row.v
            let length = max(0.001, (du * du + dv * dv).squareRoot())
            let step: Float = 0.22
            let toward = density(p + bend + du / length * step, q + bend - dv / length * step * 0.7)
            let colour = shade(here, toward, distance: length, back: row.pixels[x])
            row.lay(colour, at: x, cover: clamp(here * manner.hardness) * manner.opacity * thin)
        }
    }

    @inline(__always)
    private func density(_ p: Float, _ q: Float) -> Float {
        let noise = shape.fractal(p, q, octaves: manner.octaves) * 0.62 + 0.5
        return noise - (1 - manner.cover)
    }

    @inline(__always)
    private func shade(_ here: Float, _ toward: Float, distance: Float, back: RGB) -> RGB {
        var lit = clamp(0.52 + (here - toward) * 2.3 - here * 0.75)
        if steps { lit = lit < 0.42 ? 0.15 : lit < 0.66 ? 0.55 : 1 }
        let near = 1 / (1 + distance * distance * 7)
        let silver = near * warmth * (1 - clamp(here * 3)) * 1.1
        let bright = palette.cloudLit * (0.85 + 0.5 * near * warmth) + palette.glow * silver
        let body = mix(palette.cloudShade, bright, lit)
        // Some of the sky shows through in the shadows, which ties the cloud to its hour.
        return mix(body, back, 0.2 * (1 - lit))
    }
}

/// Heaped clouds standing on the horizon, flat below and boiling above.
struct Cumulus: Layer {
    private struct Heap: Sendable {
        var place: SIMD2<Float>
        var size: SIMD2<Float>
    }

    private let heaps: [Heap]
    private let billow: Noise
    private let palette: Palette
    private let light: SIMD2<Float>
    private let steps: Bool

    init(_ plan: Plan, frame: Frame) {
        var random = plan.random("cumulus")
        billow = random.noise()
        palette = plan.palette
        light = plan.lightPlace
        steps = plan.isFlat
        let count = 2 + Int(plan.cloudiness * 7 * min(frame.reach * 2, 3))
        heaps = (0..<count).map { _ in
            let wide = random.value(in: 0.1...0.3)
            let v = plan.horizon * random.value(in: 0.3...0.9)
            // Far ones are lower and smaller.
            let near = 1.25 - v / plan.horizon * 0.75
            return Heap(
                place: SIMD2(random.value(in: -1...1) * frame.reach * 1.1, v),
                size: SIMD2(wide, wide * random.value(in: 0.32...0.55)) * near
            )
        }
        .sorted { $0.place.y > $1.place.y }
    }

    func paint(_ row: Row) {
        for heap in heaps where abs(row.v - heap.place.y + heap.size.y * 0.5) < heap.size.y * 1.4 {
            paint(heap, on: row)
        }
    }

    private func paint(_ heap: Heap, on row: Row) {
        let frame = row.frame
        let reach = heap.size.x * 1.6
        let first = max(0, Int(frame.x(heap.place.x - reach)))
        let last = min(row.width - 1, Int(frame.x(heap.place.x + reach)))
        guard first <= last else { return }
        let up = (heap.place.y - row.v) / heap.size.y
        for x in first...last {
            let along = (frame.u(x) - heap.place.x) / heap.size.x
            let here = density(heap, along, up)
            guard here > 0 else { continue }
            let toward = SIMD2(light.x - heap.place.x, heap.place.y - light.y)
            let step = toward / max(0.01, (toward * toward).sum().squareRoot()) * 0.16
            let shadow = density(heap, along + step.x, up + step.y)
            var lit = clamp(0.62 + (here - shadow) * 1.25 + (up - 0.45) * 0.5)
            if steps { lit = lit < 0.4 ? 0.1 : lit < 0.7 ? 0.6 : 1 }
            let body = mix(palette.cloudShade, palette.cloudLit, lit)
            let haze = clamp(0.25 + heap.place.y * 0.5)
            row.lay(mix(body, row.pixels[x], haze * 0.5), at: x, cover: clamp(here * (steps ? 20 : 5)) * 0.96)
        }
    }

    /// Positive inside the cloud.
    @inline(__always)
    private func density(_ heap: Heap, _ along: Float, _ up: Float) -> Float {
        let x = heap.place.x * 9 + along * 1.5
        let y = heap.place.y * 9 - up * 0.9
        let boil = 1 - abs(billow.fractal(x, y, octaves: 1))
        let fine = billow.fractal(x * 2.1 + 5, y * 2.1, octaves: 4)
        let dome = 1 - along * along * 0.8 - max(0, up) * max(0, up) * 0.75
        let flat = up < 0.06 ? (0.06 - up) * 7 : 0
        return dome - 1.05 + boil * 0.42 + fine * 0.32 - flat
    }
}
