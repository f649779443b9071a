// The air itself, and the lamp in it.

/// The sky's gradient with the glow of the sun or moon, over the whole picture.
struct Sky: Layer {
    private let gradient: Gradient
    private let horizon: Float
    private let centre: SIMD2<Float>
    private let glow: RGB
    private let spread: Float
    private let mottle: Noise

    init(_ plan: Plan) {
        gradient = Gradient(plan.palette.sky)
        horizon = plan.horizon
        centre = plan.lightPlace
        let shown = !plan.isDark || plan.has(.moon) || plan.isNeon
        glow = plan.palette.glow * (plan.isDark ? (shown ? 0.3 : 0) : plan.hour == .day ? 0.3 : 0.85)
        spread = plan.isDark ? 0.1 : plan.isFlat ? 0.08 : 0.14
        var random = plan.random("sky")
        mottle = random.noise()
    }

    func paint(_ row: Row) {
        let frame = row.frame
        let height = row.v / horizon
        for x in 0..<row.width {
            let u = frame.u(x)
            // The air is never quite even: large, faint waves keep the gradient alive.
            let drift = mottle.fractal(u * 1.3, row.v * 3.5, octaves: 2) * 0.025
            let du = (u - centre.x) * 0.72
            let dv = row.v - centre.y
            let far = (du * du + dv * dv) / (spread * spread)
            let near = 1 / (1 + far)
            // The warm side of the sky is the one with the sun.
            let lean = max(0, 1 - abs(u - centre.x) * 0.8) * 0.04
            row.pixels[x] = gradient(height + drift + lean) + glow * (near * 0.55 + near * near * 0.6)
        }
    }
}

/// The disc of the sun.
struct Sun: Layer {
    let centre: SIMD2<Float>
    let radius: Float
    let colour: RGB
    let corona: RGB

    init(_ plan: Plan) {
        centre = plan.lightPlace
        radius = plan.lightRadius
        colour = plan.palette.light
        corona = plan.palette.glow
    }

    func paint(_ row: Row) {
        let frame = row.frame
        let dv = row.v - centre.y
        for x in 0..<row.width {
            let du = frame.u(x) - centre.x
            let distance = (du * du + dv * dv).squareRoot()
            let edge = clamp((radius - distance) / (frame.pixel * 1.5) + 0.5)
            let halo = max(0, 1 - (distance - radius) / (radius * 2.2))
            row.pixels[x] += corona * (halo * halo * halo * 0.35)
            row.lay(colour, at: x, cover: edge)
        }
    }
}

/// The moon: full or a crescent, with its seas.
struct Moon: Layer {
    private let centre: SIMD2<Float>
    private let radius: Float
    private let colour: RGB
    private let halo: RGB
    private let seas: Noise
    /// 0 full … 1 new.
    private let phase: Float
    private let tilt: SIMD2<Float>

    init(_ plan: Plan) {
        var random = plan.random("moon")
        centre = plan.lightPlace
        radius = plan.lightRadius
        colour = plan.palette.light
        halo = plan.palette.glow
        seas = random.noise()
        phase = random.chance(0.55) ? 0 : random.value(in: 0.4...0.75)
        let angle = random.value(in: -0.08...0.08)
        tilt = SIMD2(cosine(turns: angle), sine(turns: angle))
    }

    func paint(_ row: Row) {
        let frame = row.frame
        let dv = row.v - centre.y
        for x in 0..<row.width {
            let du = frame.u(x) - centre.x
            let distance = (du * du + dv * dv).squareRoot()
            let ring = max(0, 1 - (distance - radius) / (radius * 3.5))
            row.pixels[x] += halo * (ring * ring * ring * 0.3 * (1 - phase * 0.6))
            let edge = clamp((radius - distance) / frame.pixel + 0.5)
            guard edge > 0 else { continue }
            row.lay(face(du / radius, dv / radius, back: row.pixels[x]), at: x, cover: edge)
        }
    }

    /// `p` and `q` are in radii from the centre. The dark part is no darker than the sky before it.
    private func face(_ p: Float, _ q: Float, back: RGB) -> RGB {
        let along = p * tilt.x + q * tilt.y
        let across = q * tilt.x - p * tilt.y
        let maria = ramp(0.0, 0.45, seas.fractal(p * 1.6 + 3, q * 1.6, octaves: 4))
        let limb = (max(0, 1 - p * p - q * q)).squareRoot()
        let bright = (0.8 + 0.2 * limb) * (1 - maria * 0.38)
        // The terminator is an ellipse through both poles.
        let edge = (max(0, 1 - across * across)).squareRoot() * (phase * 2 - 1)
        let lit = phase == 0 ? 1 : ramp(edge - 0.06, edge + 0.14, along)
        return mix(back * 0.96 + colour * bright * 0.015, colour * bright, lit)
    }
}
