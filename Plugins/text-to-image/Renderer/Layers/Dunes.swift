// Sand is all form and light, which flat sheets cannot give: dunes are a height field, seen
// in perspective, column by column from front to back.

/// A desert of dunes from the horizon to the viewer's feet.
struct Dunes: Layer {
    private let wind: Noise
    private let ripple: Noise
    private let horizon: Float
    private let sun: SIMD3<Float>
    private let palette: Palette
    private let sand: RGB
    private let shadow: RGB
    private let frame: Frame
    private let drift: SIMD2<Float>
    /// Distance seen at each sub-row of each column; 0 is sky.
    private let depths: [Float]

    private static let subrows = 3
    private static let eye: Float = 1.05

    init(_ plan: Plan, frame: Frame) {
        var random = plan.random("dunes")
        wind = random.noise()
        ripple = random.noise()
        drift = SIMD2(random.value(in: 0...50), random.value(in: 0...50))
        horizon = plan.horizon
        palette = plan.palette
        self.frame = frame
        let side: Float = plan.lightPlace.x >= 0 ? 1 : -1
        let low: Float = plan.hour == .day ? 0.75 : 0.42
        let direction = SIMD3(side, low, 0.35)
        sun = direction / (direction * direction).sum().squareRoot()
        let warm = plan.has(.planet) ? srgb(0xB4532E) : srgb(0xE3A765)
        let day =
            plan.isDark ? palette.landLit * 1.3 : mix(warm, palette.glow, plan.hour == .day ? 0.08 : 0.38)
        sand = mix(day, palette.landLit, plan.hour == .day ? 0 : 0.15)
        shadow = mix(palette.land * 1.6, sand * 0.24 + palette.sky[1] * 0.12, 0.62)
        depths = Self.march(wind, drift, horizon: plan.horizon, frame: frame)
    }

    func paint(_ row: Row) {
        let share = 1 / Float(Self.subrows)
        for x in 0..<row.width {
            var colour = RGB(repeating: 0)
            var cover: Float = 0
            for sub in 0..<Self.subrows {
                let depth = depths[(row.y * Self.subrows + sub) * row.width + x]
                guard depth > 0 else { continue }
                cover += share
                colour += shade(frame.u(x), depth)
            }
            if cover > 0 { row.lay(colour * share / cover, at: x, cover: cover) }
        }
    }

    /// The height of the sand: long folded waves whose crests the wind has sharpened.
    @inline(__always)
    private static func height(_ wind: Noise, _ x: Float, _ z: Float) -> Float {
        let bend = wind(x * 0.21 + 9, z * 0.16) * 0.9
        let p = x * 0.42 + bend
        let q = z * 0.3 + bend * 0.6
        let crest = 1 - abs(wind(p, q))
        let second = 1 - abs(wind(p * 2.1 + 13, q * 1.9 + 5))
        return crest * crest * crest * 0.92 + second * second * 0.17 * crest + wind(x * 0.1, z * 0.1) * 0.3
    }

    private static func march(_ wind: Noise, _ drift: SIMD2<Float>, horizon: Float, frame: Frame) -> [Float] {
        let rows = frame.height * subrows
        var depths = [Float](repeating: 0, count: rows * frame.width)
        for x in 0..<frame.width {
            let u = frame.u(x)
            var highest = rows
            var z: Float = 0.9
            var previous = z
            while z < 46 && highest > 0 {
                let ground = height(wind, u * z * 1.5 + drift.x, z + drift.y)
                // The eye stands on its own dune; near crests stay below it.
                let lift = ground * ramp(0.6, 3.2, z) - eye
                let v = horizon - lift / z * 0.62
                let row = max(0, Int((v * Float(rows)).rounded(.up)))
                if row < highest {
                    for y in row..<highest {
                        let t = Float(highest - y) / Float(highest - row)
                        depths[y * frame.width + x] = mix(previous, z, t)
                    }
                    highest = row
                }
                previous = z
                z += 0.006 + z * 0.006
            }
        }
        return depths
    }

    @inline(__always)
    private func shade(_ u: Float, _ z: Float) -> RGB {
        let x = u * z * 1.5 + drift.x
        let y = z + drift.y
        let step: Float = 0.02 + z * 0.004
        let here = Self.height(wind, x, y)
        let slopeX = (Self.height(wind, x + step, y) - here) / step
        let slopeZ = (Self.height(wind, x, y + step) - here) / step
        let fade = 1 / (1 + z * z * 0.05)
        let lines = sine(turns: y * 3.4 + x * 1.1 + slopeX * 0.8 + ripple(x * 1.1, y * 1.1) * 1.5)
        let bump = lines * 0.1 * fade
        let normal = SIMD3(-slopeX + bump * 0.4, 0.8, -slopeZ + bump)
        let unit = normal / (normal * normal).sum().squareRoot()
        let facing = (unit * sun).sum()
        let light = ramp(-0.04, 0.62, facing) * (0.82 + 0.18 * lines * fade)
        let grains = 1 + ripple.fractal(x * 4, y * 4, octaves: 3) * 0.06 * fade
        let bounce = 0.88 + 0.24 * clamp(here)
        let colour = mix(shadow, sand, light) * grains * bounce
        return mix(colour, palette.haze, 1 - exp(-z * 0.035))
    }
}
