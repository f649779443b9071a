// The small things that give a landscape its scale: birds, a boat, a lighthouse, palms.

enum Props {
    /// A flock in loose formation.
    static func birds(_ plan: Plan, frame: Frame) -> any Layer {
        var random = plan.random("birds")
        let count = 5 + random.index(below: 8)
        let side: Float = plan.lightPlace.x > 0 ? -1 : 1
        let reach = min(frame.reach, 0.8)
        let heart = SIMD2(
            side * random.value(in: 0...0.45) * reach,
            plan.horizon * random.value(in: 0.34...0.58)
        )
        let ink = plan.isNeon ? plan.palette.haze * 0.2 : mix(plan.palette.land, plan.palette.haze, 0.1)
        var shapes: [Shape] = []
        for index in 0..<count {
            let place = heart + SIMD2(random.value(in: -0.13...0.13), random.value(in: -0.06...0.06))
            let size = random.value(in: 0.009...0.019) * (index == 0 ? 1.4 : 1)
            shapes.append(
                Shape(bird(flap: random.value(in: -0.25...0.75), bank: random.value(in: -0.2...0.2)), ink)
                    .placed(at: place, size: SIMD2(size, size))
            )
        }
        return Shapes(shapes)
    }

    /// Two bent wings; `flap` raises the tips.
    private static func bird(flap: Float, bank: Float) -> [SIMD2<Float>] {
        func wing(_ side: Float) -> [SIMD2<Float>] {
            let lift = flap + side * bank
            return [
                SIMD2(side * 0.5, -0.38 - lift * 0.2), SIMD2(side * 1, -0.05 - lift * 0.55),
                SIMD2(side * 0.52, -0.22 - lift * 0.18),
            ]
        }
        return [SIMD2(-0.06, 0.02)] + wing(-1) + [SIMD2(0, 0.14)] + wing(1).reversed() + [SIMD2(0.06, 0.02)]
    }

    /// A sailing boat and its image in the water.
    static func boat(_ plan: Plan, frame: Frame) -> [any Layer] {
        var random = plan.random("boat")
        let away = random.value(in: 0.02...0.075)
        let size = 0.05 + away * 0.8
        let side: Float = random.chance(0.7) == (plan.lightPlace.x > 0) ? 1 : -1
        let u = side * random.value(in: 0.04...0.3) * min(1, frame.reach * 2)
        let line = plan.horizon + away
        let palette = plan.palette
        let hull = mix(palette.land, palette.haze, 0.08)
        let against =
            plan.hour == .day ? RGB(repeating: 0.92) : mix(palette.cloudShade, palette.cloudLit, 0.42)
        let sail = plan.isDark ? palette.haze * 0.8 : against
        let tack: Float = random.chance(0.5) ? 1 : -1
        let parts = boatParts(hull: hull, sail: sail)
        let place = SIMD2(u, line)
        let image = parts.map { shape in
            var flipped = shape.placed(at: place, size: SIMD2(size * tack, -size))
            flipped.opacity = 0.55
            return flipped
        }
        let ripple = Shapes.Ripple(noise: random.noise(), strength: 0.004 + plan.drama * 0.004, line: line)
        return [
            Shapes(image, ripple: ripple),
            Shapes(parts.map { $0.placed(at: place, size: SIMD2(size * tack, size)) }),
        ]
    }

    /// Mast, main sail, jib and hull, about one unit long, on the water line.
    private static func boatParts(hull: RGB, sail: RGB) -> [Shape] {
        let mast: [SIMD2<Float>] = [
            SIMD2(0.02, -1.75), SIMD2(0.05, -1.75), SIMD2(0.05, -0.05), SIMD2(0.02, -0.05),
        ]
        let main: [SIMD2<Float>] = [
            SIMD2(0.08, -1.66), SIMD2(0.32, -1.1), SIMD2(0.62, -0.26), SIMD2(0.08, -0.2),
        ]
        let jib: [SIMD2<Float>] = [
            SIMD2(-0.01, -1.55), SIMD2(-0.2, -0.95), SIMD2(-0.5, -0.22), SIMD2(-0.01, -0.2),
        ]
        let keel: [SIMD2<Float>] = [
            SIMD2(-0.62, -0.16), SIMD2(0.7, -0.14), SIMD2(0.52, 0.06), SIMD2(-0.5, 0.06),
        ]
        return [
            Shape(mast, hull), Shape(main, sail, to: sail * 0.72), Shape(jib, sail * 0.8, to: sail),
            Shape(keel, hull, to: hull * 1.5),
        ]
    }

    /// A lighthouse on a cliff at one side, its lamp, and its beam when it is dark enough.
    static func lighthouse(
        _ plan: Plan,
        frame: Frame
    ) -> (cliff: any Layer, tower: any Layer, light: [any Layer]) {
        var random = plan.random("lighthouse")
        let side: Float = plan.lightPlace.x > 0 ? -1 : 1
        let reach = min(frame.reach, 0.75)
        let place = SIMD2(side * reach * 0.56, plan.horizon - 0.02)
        let size: Float = 0.1
        let lamp = place + SIMD2(0, -2.62 * size)
        let parts = towerParts(plan, litFromRight: plan.lightPlace.x > place.x)
        let beam = srgb(0xFFE2A8) * (plan.hour == .day && !plan.has(.storm) ? 0.12 : 0.5)
        let shine = Spark(
            place: lamp,
            radius: 0.012,
            colour: srgb(0xFFDF9A) * (plan.hour == .day ? 0.6 : 2.4)
        )
        return (
            Cliff(plan, frame: frame, side: side, centre: place.x, noise: random.noise()),
            Shapes(parts.map { $0.placed(at: place, size: SIMD2(size, size)) }),
            [Beam(lamp: lamp, direction: -side, colour: beam), Sparks([shine], frame: frame)]
        )
    }

    /// Bands of the tower, gallery, lantern and roof, about three units high, the foot at the origin.
    private static func towerParts(_ plan: Plan, litFromRight: Bool) -> [Shape] {
        let palette = plan.palette
        let dim: Float = plan.isDark ? 0.22 : plan.hour == .day ? 1 : 0.42
        let lit = mix(palette.cloudLit, RGB(repeating: 0.8), 0.5) * dim
        let red = mix(srgb(0xB03028), palette.cloudShade, 0.25) * dim
        let (bright, dark): (Float, Float) = litFromRight ? (0.35, 1) : (1, 0.35)
        func band(_ low: Float, _ high: Float, _ colour: RGB) -> Shape {
            let wide: Float = 0.2 - 0.032 * low
            let narrow: Float = 0.2 - 0.032 * high
            let corners: [SIMD2<Float>] = [
                SIMD2(-wide, -low), SIMD2(wide, -low), SIMD2(narrow, -high), SIMD2(-narrow, -high),
            ]
            return Shape(corners, colour * bright, to: colour * dark)
        }
        let roof = palette.land * 0.8
        var parts = (0..<5).map { (index: Int) -> Shape in
            let low = Float(index) * 0.47
            return band(low, low + 0.47, index % 2 == 0 ? lit : red)
        }
        parts += [
            Shape(box(0.2, -2.34, -2.42), roof), Shape(box(0.1, -2.42, -2.76), srgb(0xFFE6A0) * 1.3),
            Shape([SIMD2(-0.14, -2.74), SIMD2(0.14, -2.74), SIMD2(0, -3.02)], roof),
        ]
        return parts
    }

    private static func box(_ half: Float, _ low: Float, _ high: Float) -> [SIMD2<Float>] {
        [SIMD2(-half, low), SIMD2(half, low), SIMD2(half, high), SIMD2(-half, high)]
    }

    /// Two or three palms leaning in from a side.
    static func palms(_ plan: Plan, frame: Frame) -> any Layer {
        var random = plan.random("palms")
        let side: Float = plan.lightPlace.x > 0 ? -1 : 1
        let ink =
            plan.hour == .day
            ? mix(plan.palette.leaf * 0.35, plan.palette.land, 0.3) : plan.palette.land * 0.7
        var shapes: [Shape] = []
        for index in 0..<3 {
            let foot = SIMD2(
                side * frame.reach * (0.97 - 0.2 * Float(index)) + random.value(in: -0.03...0.03),
                1.03
            )
            let tall = random.value(in: 0.5...0.74) - 0.1 * Float(index)
            let lean = -side * random.value(in: 0.06...0.2)
            let crown = foot + SIMD2(lean, -tall)
            shapes.append(Shape(trunk(foot, crown, lean), ink * 1.2))
            for leaf in 0..<11 {
                let turn = Float(leaf) / 11 + random.value(in: -0.03...0.03)
                let long = random.value(in: 0.15...0.21)
                shapes.append(Shape(frond(crown, turn, long, &random), ink * random.value(in: 0.8...1.5)))
            }
        }
        return Shapes(shapes)
    }

    private static func trunk(_ foot: SIMD2<Float>, _ crown: SIMD2<Float>, _ lean: Float) -> [SIMD2<Float>] {
        let steps = 12
        let line = (0...steps).map { step -> SIMD3<Float> in
            let t = Float(step) / Float(steps)
            let bow = lean * (t * t - t) * 0.6
            let wide = 0.0105 * (1 - t * 0.55) + (step % 2 == 0 ? 0.0008 : 0)
            return SIMD3(mix(foot.x, crown.x, t) + bow, mix(foot.y, crown.y, t), wide)
        }
        return line.map { SIMD2($0.x - $0.z, $0.y) } + line.reversed().map { SIMD2($0.x + $0.z, $0.y) }
    }

    /// A drooping leaf with its fingers cut into the lower edge.
    private static func frond(
        _ crown: SIMD2<Float>,
        _ turn: Float,
        _ long: Float,
        _ random: inout Random
    ) -> [SIMD2<Float>] {
        let out = SIMD2(cosine(turns: turn), sine(turns: turn) * 0.6 - 0.28) * long
        let steps = 28
        var upper: [SIMD2<Float>] = []
        var lower: [SIMD2<Float>] = []
        for step in 0...steps {
            let t = Float(step) / Float(steps)
            let spine = crown + out * t + SIMD2(0, t * t * long * 0.62)
            let blade = long * 0.19 * sine(turns: 0.06 + t * 0.44)
            upper.append(spine - SIMD2(0, blade * 0.16))
            let finger: Float = step % 2 == 0 ? 1 : 0.22
            lower.append(spine + SIMD2(-out.x * 0.06, blade * finger * random.value(in: 0.75...1.1)))
        }
        return upper + lower.reversed()
    }
}

/// The turning beam of a lighthouse, caught in the haze.
private struct Beam: Layer {
    let lamp: SIMD2<Float>
    let direction: Float
    let colour: RGB

    func paint(_ row: Row) {
        let frame = row.frame
        for x in 0..<row.width {
            let along = (frame.u(x) - lamp.x) * direction
            let across = row.v - lamp.y + along * 0.12
            let glow = 0.1 / (1 + (along * along + across * across) * 500)
            row.pixels[x] += colour * glow
            guard along > 0 else { continue }
            let wide = 0.006 + along * 0.11
            let light = exp(-across * across / (wide * wide)) * exp(-along * 1.7)
            row.pixels[x] += colour * (light * 0.75)
        }
    }
}

/// The rock a lighthouse stands on, falling to the sea.
private struct Cliff: Layer {
    private let outline: [Float]
    private let noise: Noise
    private let rock: RGB
    private let lit: RGB
    private let foam: RGB
    private let foot: Float

    init(_ plan: Plan, frame: Frame, side: Float, centre: Float, noise: Noise) {
        self.noise = noise
        rock = plan.palette.land * 0.9
        lit = mix(plan.palette.land, plan.palette.landLit, plan.hour == .day ? 0.7 : 0.3)
        foam = mix(plan.palette.cloudLit, plan.palette.haze, 0.5)
        foot = plan.horizon + 0.1
        let base = plan.horizon
        outline = (0..<frame.width).map { x in
            let u = frame.u(x)
            // Grows towards the near edge of the picture, breaks off towards the sea.
            let seaward = (centre - u) * side
            let fall = ramp(0.2, 0.07, seaward + noise(u * 9, 2) * 0.05)
            let rough = noise.fractal(u * 14, 5, octaves: 5) * 0.02
            let top = base - 0.02 + rough * ramp(0.0, 0.09, abs(seaward)) - max(0, -seaward - 0.08) * 0.12
            return mix(base + 0.13 + rough, top, fall)
        }
    }

    func paint(_ row: Row) {
        for x in 0..<row.width {
            let u = row.frame.u(x)
            let edge = foot + noise.fractal(u * 12, 31, octaves: 3) * 0.014
            let cover = clamp((row.v - outline[x]) / row.frame.pixel + 0.5)
            guard cover > 0, row.v < edge + 0.02 else { continue }
            let depth = row.v - outline[x]
            let crack = noise.ridged(u * 11 + row.v * 4, row.v * 16, octaves: 5)
            let beside = noise.ridged(u * 11 + row.v * 4 + 0.12, row.v * 16 + 0.1, octaves: 4)
            let face = clamp(0.3 + (crack - beside) * 3 + exp(-depth * 60) * 0.35)
            let spray = ramp(edge - 0.02, edge, row.v + noise(u * 50, row.v * 50) * 0.006)
            let colour = mix(mix(rock, lit, face), foam, spray * 0.7)
            row.lay(colour, at: x, cover: cover * ramp(edge + 0.012, edge, row.v))
        }
    }
}
