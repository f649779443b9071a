// What lies at the viewer's feet: grass with flowers, or a beach with the last of a wave.

/// Blades of grass along the lower edge, in rows from far to near.
struct Grass: Layer {
    private let shapes: Shapes
    private let fireflies: Sparks?

    init(_ plan: Plan, frame: Frame, height: Float, bloom: [RGB]) {
        var random = plan.random("grass")
        let palette = plan.palette
        let wind = random.noise()
        var blades: [Shape] = []
        var dots: [Spark] = []
        let count = Int(760 * min(frame.reach * 2, 3))
        for index in 0..<count {
            // Far rows first.
            let t = Float(index) / Float(count)
            let u = random.value(in: -1.02...1.02) * frame.reach
            let foot = SIMD2(u, mix(1.0 - height * 0.9, 1.05, t))
            let tall = height * mix(0.16, 1, t * t) * random.value(in: 0.35...1)
            let lean = (wind(u * 3, 1) * 0.8 + random.value(in: -0.5...0.5)) * tall * 0.6
            let tip = foot + SIMD2(lean, -tall)
            let shade = mix(palette.leaf, palette.land, 0.4 * t + 0.2 * random.unit())
            let light =
                plan.hour == .day ? shade * random.value(in: 0.6...1.5) : shade * random.value(in: 0.5...1)
            blades.append(Self.blade(from: foot, tall: tall, lean: lean, light))
            if !bloom.isEmpty && random.chance(0.5) {
                let petal = random.pick(bloom) * (plan.isDark ? 0.15 : plan.hour == .day ? 0.8 : 0.5)
                blades += Self.flower(at: tip, size: tall * random.value(in: 0.05...0.085) + 0.002, petal)
            } else if plan.isDark && random.chance(0.05) {
                dots.append(
                    Spark(
                        place: tip - SIMD2(0, random.value(in: 0...0.12)),
                        radius: 0.0028,
                        colour: srgb(0xE8F27A) * random.value(in: 0.3...1.3)
                    )
                )
            }
        }
        shapes = Shapes(blades)
        fireflies = dots.isEmpty ? nil : Sparks(dots, frame: frame)
    }

    func paint(_ row: Row) {
        shapes.paint(row)
        fireflies?.paint(row)
    }

    private static func blade(from foot: SIMD2<Float>, tall: Float, lean: Float, _ colour: RGB) -> Shape {
        let wide = max(0.0016, tall * 0.02)
        let middle = foot + SIMD2(lean * 0.3, -tall * 0.55)
        let corners = [
            foot - SIMD2(wide, 0), middle - SIMD2(wide * 0.7, 0), foot + SIMD2(lean, -tall),
            middle + SIMD2(wide * 0.7, 0), foot + SIMD2(wide, 0),
        ]
        return Shape(corners, colour, to: colour * 1.25)
    }

    private static func flower(at place: SIMD2<Float>, size: Float, _ colour: RGB) -> [Shape] {
        let disc = (0..<10).map { step -> SIMD2<Float> in
            let turn = Float(step) / 10
            let far: Float = step % 2 == 0 ? 1 : 0.72
            return SIMD2(cosine(turns: turn), sine(turns: turn) * 0.75) * far
        }
        let heart = disc.map { $0 * 0.34 }
        return [
            Shape(disc, colour * 0.75, to: colour * 1.15).placed(at: place, size: SIMD2(size, size)),
            Shape(heart, srgb(0xF0C040) * 0.5).placed(at: place, size: SIMD2(size, size)),
        ]
    }
}

/// Sand along the lower edge, wet and mirroring where a wave has just been.
///
/// Reads rows above it like ``WaterSurface``.
struct Beach: Layer {
    private let noise: Noise
    private let sand: RGB
    private let foam: RGB
    private let sky: Gradient
    private let horizon: Float
    private let slant: Float

    init(_ plan: Plan) {
        var random = plan.random("beach")
        noise = random.noise()
        let light: Float = plan.isDark ? 0.07 : plan.hour == .day ? 0.9 : 0.42
        sand = mix(srgb(0xE8CFA0), plan.palette.haze, plan.hour == .day ? 0.1 : 0.5) * light
        foam =
            mix(plan.palette.cloudLit, RGB(repeating: 0.95), plan.hour == .day ? 0.8 : 0.3)
            * (plan.isDark ? 0.5 : 1)
        sky = Gradient(plan.palette.sky)
        horizon = plan.horizon
        slant = (plan.lightPlace.x > 0 ? 1 : -1) * random.value(in: 0.12...0.2)
    }

    func paint(_ row: Row) {
        guard row.v > horizon + 0.1 else { return }
        for x in 0..<row.width {
            let u = row.frame.u(x)
            let swash = 0.83 + u * slant + noise.fractal(u * 2.4, 3, octaves: 3) * 0.03
            let edge = swash + noise.fractal(u * 16, row.v * 6, octaves: 3) * 0.006
            let inside = row.v - edge
            shore(row, x, u, inside)
            // An older line of foam on its way in.
            let wave = row.v - (swash - 0.075 + noise.fractal(u * 5, 11, octaves: 3) * 0.02)
            let lace = clamp(0.75 + noise.fractal(u * 40, row.v * 60, octaves: 3) * 0.9)
            row.lay(foam, at: x, cover: ramp(0.02, 0, abs(wave)) * lace * 0.65)
        }
    }

    private func shore(_ row: Row, _ x: Int, _ u: Float, _ inside: Float) {
        guard inside > -0.03 else { return }
        let wet = ramp(0.1, 0.015, inside)
        let grain = 1 + noise.fractal(u * 60, row.v * 130, octaves: 3) * 0.09
        let dune = 1 + noise.fractal(u * 5, row.v * 14, octaves: 3) * 0.14
        let mirrored = sky(1 - clamp(inside * 4 + 0.1))
        let dry = sand * grain * dune
        let colour = mix(dry, sand * 0.3 + mirrored * 0.48, wet)
        row.lay(colour, at: x, cover: ramp(-0.002, 0.003, inside))
        let lace = clamp(0.8 + noise.fractal(u * 34, row.v * 44, octaves: 4) * 1.2)
        let rim = ramp(-0.026, -0.002, inside) * ramp(0.006, 0, inside)
        row.lay(foam, at: x, cover: rim * lace)
    }
}
