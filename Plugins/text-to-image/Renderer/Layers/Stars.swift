// What a clear night shows: stars, the band of the galaxy, northern lights.

/// Stars of many sizes, brighter and denser away from the horizon.
struct Stars: Layer {
    private let sparks: Sparks

    init(_ plan: Plan, frame: Frame) {
        var random = plan.random("stars")
        let reach = frame.reach
        // A star takes a pixel at least: a small picture holds fewer.
        let room = Float(frame.width * frame.height) / 250
        let count = Int(min(room, 900 * min(reach * 2, 4)) * (plan.has(.milkyWay) ? 1.5 : 1))
        let tones = [srgb(0xFFFFFF), srgb(0xCFE0FF), srgb(0xFFE9C8), srgb(0xBFD4FF)]
        var dots: [Spark] = []
        for _ in 0..<count {
            let v = random.unit() * plan.horizon
            let u = random.value(in: -1...1) * reach
            let size = power(random.unit(), 12)
            let fade = ramp(plan.horizon, plan.horizon * 0.55, v)
            let strength = (0.12 + 0.5 * random.unit() + size * 1.6) * (0.25 + 0.75 * fade)
            let radius = max(0.55, (0.0008 + 0.0016 * size) / frame.pixel)
            dots.append(
                Spark(
                    place: SIMD2(u, v),
                    radius: radius * frame.pixel,
                    colour: random.pick(tones) * strength,
                    crossed: size > 0.72
                )
            )
        }
        sparks = Sparks(dots, frame: frame)
    }

    func paint(_ row: Row) {
        sparks.paint(row)
    }
}

/// A point of light.
struct Spark: Sendable {
    var place: SIMD2<Float>
    /// In scene units.
    var radius: Float
    var colour: RGB
    /// Whether it has the four rays a lens gives a bright point.
    var crossed = false
}

/// Points of light that add to what is there. Also windows far away, fireflies, traffic.
struct Sparks: Layer {
    private let sparks: [Spark]
    /// Per row of the picture, which sparks touch it.
    private let byRow: [[Int32]]

    init(_ sparks: [Spark], frame: Frame) {
        self.sparks = sparks
        var rows = [[Int32]](repeating: [], count: frame.height)
        for (index, spark) in sparks.enumerated() {
            let reach = spark.radius * (spark.crossed ? 9 : 3)
            let first = max(0, Int(frame.y(spark.place.y - reach)))
            let last = min(frame.height - 1, Int(frame.y(spark.place.y + reach)))
            guard first <= last else { continue }
            for y in first...last {
                rows[y].append(Int32(index))
            }
        }
        byRow = rows
    }

    func paint(_ row: Row) {
        for index in byRow[row.y] {
            splat(sparks[Int(index)], on: row)
        }
    }

    private func splat(_ spark: Spark, on row: Row) {
        let frame = row.frame
        let reach = spark.radius * (spark.crossed ? 9 : 3)
        let first = max(0, Int(frame.x(spark.place.x - reach)))
        let last = min(row.width - 1, Int(frame.x(spark.place.x + reach)))
        guard first <= last else { return }
        let dv = (row.v - spark.place.y) / spark.radius
        for x in first...last {
            let du = (frame.u(x) - spark.place.x) / spark.radius
            var light = exp(-(du * du + dv * dv) * 0.9)
            if spark.crossed {
                let ray = exp(-abs(du) * 0.55 - dv * dv * 2.5) + exp(-abs(dv) * 0.55 - du * du * 2.5)
                light += ray * 0.3
            }
            row.pixels[x] += spark.colour * light
        }
    }
}

/// The band of the galaxy, with its dark lanes and coloured clouds.
struct MilkyWay: Layer {
    private let cloud: Noise
    private let lane: Noise
    private let origin: SIMD2<Float>
    private let direction: SIMD2<Float>
    private let horizon: Float
    private let warm: RGB
    private let cool: RGB

    init(_ plan: Plan) {
        var random = plan.random("galaxy")
        cloud = random.noise()
        lane = random.noise()
        origin = SIMD2(random.value(in: -0.15...0.15), plan.horizon * 0.45)
        let angle = random.value(in: 0.12...0.2) * (random.chance(0.5) ? 1 : -1)
        direction = SIMD2(cosine(turns: angle), sine(turns: angle))
        horizon = plan.horizon
        warm = srgb(0xE0B0A8)
        cool = srgb(0x6A86D8)
    }

    func paint(_ row: Row) {
        let frame = row.frame
        let fade = ramp(horizon, horizon * 0.6, row.v)
        guard fade > 0 else { return }
        for x in 0..<row.width {
            let p = SIMD2(frame.u(x), row.v) - origin
            let along = p.x * direction.x + p.y * direction.y
            let across = p.y * direction.x - p.x * direction.y + cloud(along * 2, 7) * 0.06
            let band = exp(-across * across * 55)
            guard band > 0.01 else { continue }
            let core = exp(-across * across * 260 - along * along * 2)
            let dust = cloud.fractal(along * 5, across * 8, octaves: 5) * 0.5 + 0.5
            let dark = ramp(0.05, 0.5, lane.fractal(along * 4, across * 13, octaves: 5)) * core
            let hue = clamp(lane.fractal(along * 2.4, across * 3, octaves: 2) + 0.5)
            let light = (band * dust * dust * 0.34 + core * dust * 0.42) * (1 - 0.8 * dark)
            row.pixels[x] += mix(cool, warm, clamp(hue * 0.5 + core * 0.6)) * (light * fade)
        }
    }
}

/// Curtains of northern light: sharp below, rays fading upwards.
struct Aurora: Layer {
    private struct Curtain: Sendable {
        /// Per column: where the curtain ends below.
        var foot: [Float]
        /// Per column: how bright its rays are.
        var rays: [Float]
        var tall: Float
        var strength: Float
    }

    private let curtains: [Curtain]
    private let low: RGB
    private let high: RGB

    init(_ plan: Plan, frame: Frame) {
        var random = plan.random("aurora")
        low = random.pick([srgb(0x4CFFA0), srgb(0x5CFFC0), srgb(0x48F0D0)])
        high = random.pick([srgb(0x7A4CFF), srgb(0xC048E0), srgb(0x3C7CFF)])
        curtains = (0..<3).map { (index: Int) -> Curtain in
            let sway = random.noise()
            let base = plan.horizon * (0.8 - 0.2 * Float(index)) - 0.04
            let phase = random.unit() * 20
            let slope = random.value(in: -0.16...0.16)
            let tall = random.value(in: 0.16...0.3)
            let us = (0..<frame.width).map { frame.u($0) }
            let foot = us.map { u in
                base + slope * u + sway(u * 1.7 + phase, 1) * 0.17 + sway(u * 5 + phase, 9) * 0.035
            }
            let rays = us.map { u in
                let folds = sway(u * 26 + sway(u * 4, 3) * 4, 20) * 0.5 + 0.55
                let fine = sway(u * 90, 40) * 0.3 + 0.8
                return max(0, folds * fine)
                    * ramp(-0.3, 0.4, sway(u * 1.6 + phase, 60) + (index == 0 ? 0.25 : 0))
            }
            return Curtain(foot: foot, rays: rays, tall: tall, strength: index == 0 ? 1.15 : 0.5)
        }
    }

    func paint(_ row: Row) {
        for curtain in curtains {
            for x in 0..<row.width {
                let above = curtain.foot[x] - row.v
                let edge = above < 0 ? exp(above * 70) : 1
                let t = max(0, above) / curtain.tall
                let light = curtain.rays[x] * edge * (exp(-t * 2.4) + exp(-t * 14) * 0.7)
                row.pixels[x] += mix(low, high, clamp(t * 0.9)) * (light * curtain.strength)
            }
        }
    }
}
