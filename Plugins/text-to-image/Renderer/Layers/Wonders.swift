// Rare sights: a ringed planet, a rainbow, and the striped sun and grid of the neon style.

/// A large planet low in the sky, lit from the side, with or without a ring.
struct Planet: Layer {
    private let centre: SIMD2<Float>
    private let radius: Float
    private let bands: Noise
    private let light: RGB
    private let dark: RGB
    private let air: RGB
    private let ringed: Bool
    private let side: Float

    init(_ plan: Plan, frame: Frame) {
        var random = plan.random("planet")
        bands = random.noise()
        side = plan.lightPlace.x > 0 ? 1 : -1
        centre = SIMD2(-side * min(frame.reach, 0.7) * 0.42, plan.horizon * random.value(in: 0.36...0.5))
        radius = random.value(in: 0.12...0.19)
        light = mix(
            random.pick([srgb(0xE8B48A), srgb(0x9CC4E8), srgb(0xD8A0D0)]),
            plan.palette.cloudLit,
            0.35
        )
        dark = plan.palette.sky[1]
        air = plan.palette.sky[2]
        ringed = random.chance(0.6)
    }

    func paint(_ row: Row) {
        let frame = row.frame
        let q = (row.v - centre.y) / radius
        for x in 0..<row.width {
            let p = (frame.u(x) - centre.x) / radius
            let square = p * p + q * q
            let edge = clamp((1 - square.squareRoot()) * radius / frame.pixel + 0.5)
            if edge > 0 { row.lay(face(p, q, back: row.pixels[x]), at: x, cover: edge * 0.92) }
            if ringed { ring(row, x, p, q, behind: square < 1) }
        }
    }

    private func face(_ p: Float, _ q: Float, back: RGB) -> RGB {
        let depth = (max(0, 1 - p * p - q * q)).squareRoot()
        let lit = ramp(-0.25, 0.8, p * side * 0.75 - q * 0.3 + depth * 0.35)
        let tilt = q + p * 0.22
        let stripe = bands.fractal(tilt * 6 + bands(p * 2, q * 5) * 0.35, p * 0.4, octaves: 4)
        let surface = light * (0.72 + stripe * 0.45)
        let rim = power(1 - depth, 3) * 0.5
        return mix(back, mix(dark * 0.4 + back * 0.6, surface, lit), 0.85) + air * (rim * lit)
    }

    private func ring(_ row: Row, _ x: Int, _ p: Float, _ q: Float, behind: Bool) {
        let along = p * 0.976 + q * 0.216
        let across = (q * 0.976 - p * 0.216) * 4.6
        let distance = (along * along + across * across).squareRoot()
        // The half above the planet's middle lies behind it.
        guard distance > 1.25, distance < 2.15, !(behind && across < 0) else { return }
        let groove = 0.55 + bands.fractal(distance * 14, 3, octaves: 3) * 0.6
        let fade = ramp(1.25, 1.32, distance) * ramp(2.15, 2.05, distance)
        row.lay(mix(light, row.pixels[x], 0.25), at: x, cover: clamp(groove) * fade * 0.6)
    }
}

/// The arc opposite the sun.
struct Rainbow: Layer {
    let centre: SIMD2<Float>
    let radius: Float

    init(_ plan: Plan) {
        centre = SIMD2(-plan.lightPlace.x * 0.5, plan.horizon + 0.06)
        radius = 0.44
    }

    func paint(_ row: Row) {
        let frame = row.frame
        for x in 0..<row.width {
            let du = frame.u(x) - centre.x
            let dv = row.v - centre.y
            let place = ((du * du + dv * dv).squareRoot() - radius) / 0.04
            guard abs(place) < 1.4 else { continue }
            let hue = clamp(place * 0.5 + 0.5)
            let red = ramp(0.45, 0.9, hue) + ramp(0.2, 0, hue) * 0.35
            let green = ramp(0.1, 0.45, hue) * ramp(0.95, 0.6, hue)
            let blue = ramp(0.6, 0.2, hue)
            let fade = ramp(1.3, 0.5, abs(place)) * ramp(0.02, 0.2, -dv)
            row.pixels[x] += RGB(red, green, blue) * (fade * 0.2)
        }
    }
}

/// The setting sun of an arcade cabinet, cut by stripes.
struct StripedSun: Layer {
    let centre: SIMD2<Float>
    let radius: Float
    let colours: Gradient

    init(_ plan: Plan) {
        centre = plan.lightPlace
        radius = plan.lightRadius
        colours = Gradient([srgb(0xFFE25A), srgb(0xFFA848), srgb(0xFF4C86), srgb(0xD81CA0)])
    }

    func paint(_ row: Row) {
        let frame = row.frame
        let q = (row.v - centre.y) / radius
        for x in 0..<row.width {
            let p = (frame.u(x) - centre.x) / radius
            let distance = (p * p + q * q).squareRoot()
            let halo = max(0, 1 - (distance - 1) / 0.9)
            row.pixels[x] += srgbPink * (halo * halo * 0.16)
            let edge = clamp((1 - distance) * radius / frame.pixel + 0.5)
            guard edge > 0 else { continue }
            // Stripes widen towards the foot.
            let stripe = q > -0.05 ? bar(q + 0.05, frame) : 1
            row.lay(colours(q * 0.5 + 0.5) * 0.9, at: x, cover: edge * stripe)
        }
    }

    private let srgbPink = srgb(0xFF3CA0)

    private func bar(_ down: Float, _ frame: Frame) -> Float {
        let pitch: Float = 0.17
        let place = down / pitch - (down / pitch).rounded(.down)
        let gap = 0.12 + down * 0.5
        return clamp((place - gap) * pitch * radius / frame.pixel + 0.5)
    }
}

/// A plain of glowing lines running to the horizon.
struct NeonGrid: Layer {
    let horizon: Float
    let floor: RGB
    let line: RGB
    let far: RGB

    init(_ plan: Plan) {
        horizon = plan.horizon
        floor = plan.palette.sky[0] * 1.2
        line = srgb(0xFF3CD8)
        far = srgb(0x4CE8FF)
    }

    func paint(_ row: Row) {
        let below = row.v - horizon
        guard below > 0 else { return }
        let frame = row.frame
        let z = 0.22 / (below + 0.004)
        // How much of the plane one pixel covers, for lines that thin out instead of flickering.
        let deep = z * frame.pixel / (below + 0.004)
        let alongLine = glow(z * 2.4, width: 0.035, pixel: deep * 2.4)
        let tone = mix(line, far, ramp(0.12, 0, below))
        let haze = exp(-below * 16)
        for x in 0..<row.width {
            let place = frame.u(x) * z * 5
            let across = glow(place, width: 0.035, pixel: z * 5 * frame.pixel)
            let light = min(1.4, across + alongLine)
            row.pixels[x] = mix(floor, row.pixels[x] * 0.35, 0.5) + tone * (light * 0.95 + haze * 0.35)
        }
    }

    @inline(__always)
    private func glow(_ place: Float, width: Float, pixel: Float) -> Float {
        let off = abs(place - (place + 0.5).rounded(.down))
        let wide = max(width, pixel * 0.8)
        let core = max(0, 1 - off / wide) * min(1, width * 2 / wide)
        return core + exp(-off * 9) * 0.12
    }
}
