// Water mirrors what was painted above it; waves bend the mirror, and the light breaks on them.

/// A lake or the sea from the horizon down.
///
/// Reads the rows above the horizon, which must be finished: it belongs to a later stage.
struct WaterSurface: Layer {
    private let horizon: Float
    private let deep: RGB
    private let glitter: RGB
    private let foam: RGB
    private let light: SIMD2<Float>
    private let shown: Bool
    /// 0 a mirror … 1 a storm.
    private let rough: Float
    private let isSea: Bool
    private let swell: Noise
    private let chop: Noise

    init(_ plan: Plan) {
        var random = plan.random("water")
        swell = random.noise()
        chop = random.noise()
        horizon = plan.horizon
        deep = plan.palette.water
        light = plan.lightPlace
        shown = plan.isDark ? plan.has(.moon) : !plan.has(.storm)
        glitter = plan.palette.light * 0.6 + plan.palette.glow * 0.9
        foam = mix(plan.palette.cloudLit, plan.palette.haze, 0.45)
        isSea = plan.water == .sea
        let calm: Float = isSea ? 0.3 : plan.ground == .city ? 0.22 : 0.1
        rough = plan.has(.winter) && !isSea ? 0.04 : calm + plan.drama * (isSea ? 0.55 : 0.14)
    }

    func paint(_ row: Row) {
        let below = row.v - horizon
        guard below > 0 else { return }
        let frame = row.frame
        // The height of a pixel's footprint on the water grows towards the horizon.
        let distance = 0.16 / (below + 0.012)
        let shore = ramp(0, 0.012, below)
        for x in 0..<row.width {
            let u = frame.u(x)
            let wave = waves(u, distance)
            let colour = mirror(row, u, below, wave)
            row.pixels[x] = finish(colour, u, below, distance, wave, shore)
        }
    }

    /// Slope of the surface across and along the view, and its height.
    @inline(__always)
    private func waves(_ u: Float, _ distance: Float) -> SIMD3<Float> {
        let p = u * distance * 5.5
        let q = distance * 17
        let fade = 1 / (1 + distance * distance * 0.012)
        let long = swell.fractal(p * 0.55, q * 0.42, octaves: 3)
        let short = chop.fractal(p * 2.1 + long, q * 1.25, octaves: 4)
        let cross = chop(p * 1.3 + 40, q * 0.9)
        return SIMD3(cross * 0.7 + short * 0.5, long * 0.75 + short * 0.6, long + short * 0.35)
            * (0.3 + 0.7 * fade)
    }

    @inline(__always)
    private func mirror(_ row: Row, _ u: Float, _ below: Float, _ wave: SIMD3<Float>) -> RGB {
        let frame = row.frame
        let reach = min(1, horizon / (1 - horizon)) * 0.98
        let bend = rough * (0.012 + below * 0.34)
        let v = horizon - below * reach + wave.y * bend - rough * below * 0.25
        let limit = horizon - frame.pixel * 1.5
        let clean = row.canvas.sample(frame.x(u + wave.x * bend * 0.35), frame.y(min(v, limit)))
        // A second, farther look smears the mirror downwards as real ripples do.
        let smear = row.canvas.sample(
            frame.x(u - wave.x * bend * 0.3),
            frame.y(min(v - bend * 1.1 - below * 0.02, limit))
        )
        return mix(clean, smear, 0.4)
    }

    @inline(__always)
    private func finish(
        _ mirrored: RGB,
        _ u: Float,
        _ below: Float,
        _ distance: Float,
        _ wave: SIMD3<Float>,
        _ shore: Float
    ) -> RGB {
        // Waves facing the viewer show the deep; those facing away the sky.
        let depth = below / (1 - horizon)
        let facing = clamp(0.16 + depth * 0.42 + wave.y * (0.25 + rough * (isSea ? 1.3 : 0.9)))
        var colour = mix(mirrored * 0.94, deep, facing * (isSea ? 0.85 : 0.6) * shore)
        if shown {
            let wide = 0.025 + below * (0.16 + rough * 0.3)
            let off = (u - light.x) / wide
            let path = exp(-off * off)
            let sparkle = ramp(0.3 - 0.22 * path, 0.85, wave.y + wave.x * 0.35)
            colour += glitter * (path * (sparkle * 1.1 + 0.05) * shore)
        }
        if isSea && rough > 0.5 {
            let crest = ramp(0.34, 0.85, wave.z + (rough - 0.5) * 0.4)
            colour = mix(colour, foam, crest * ramp(0.02, 0.2, below) * 0.75)
        }
        return colour
    }
}
