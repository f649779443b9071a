// What is in the air between the scene and the viewer.

/// Banks of fog that drift in front of what has been painted.
struct Fog: Layer {
    let noise: Noise
    let colour: RGB
    /// `v` of the thickest part and how far it reaches up and down.
    let centre: Float
    let reach: Float
    let density: Float

    func paint(_ row: Row) {
        let off = (row.v - centre) / reach
        let band = exp(-off * off)
        guard band > 0.01 else { return }
        for x in 0..<row.width {
            let u = row.frame.u(x)
            let p = u * 1.6 + noise(u * 2, row.v * 5) * 0.3
            let wisps = clamp(0.55 + noise.fractal(p, row.v * 6.5, octaves: 5) * 0.75)
            row.lay(colour, at: x, cover: clamp(band * wisps * density))
        }
    }
}

/// Rain in three depths of thin slanted streaks.
struct Rain: Layer {
    let noise: Noise
    let colour: RGB
    let slant: Float
    let strength: Float

    func paint(_ row: Row) {
        let frame = row.frame
        for depth in 0..<3 {
            let near = Float(depth) / 2
            let lane = max(2, mix(0.0045, 0.013, near) / frame.pixel)
            let length = mix(0.05, 0.15, near)
            for x in 0..<row.width {
                let place = (Float(x) + row.v * slant / frame.pixel) / lane
                let column = Int32(place.rounded(.down))
                let shift = scatter(column, Int32(depth), noise.seed)
                let fall = row.v / length * 0.45 + shift * 37
                let drop = Int32(fall.rounded(.down))
                guard scatter(column, drop, noise.seed &+ UInt32(depth)) < 0.3 else { continue }
                let along = fall - Float(drop)
                let across = (place - Float(column)) * lane
                let line = max(0, 1 - abs(across - 1) / mix(0.9, 1.3, near))
                let light = line * along * (1 - along) * 4 * mix(0.12, 0.3, near) * strength
                row.lay(colour, at: x, cover: clamp(light))
            }
        }
    }
}

/// Snow: many small flakes far away, a few large soft ones near the lens.
struct Snowfall: Layer {
    private struct Flake: Sendable {
        var place: SIMD2<Float>
        var radius: Float
        var soft: Float
        var cover: Float
    }

    private let byRow: [[Flake]]
    private let colour: RGB

    init(_ plan: Plan, frame: Frame) {
        var random = plan.random("snowfall")
        colour = mix(plan.palette.snow, RGB(repeating: 0.9), plan.isDark ? 0.25 : 0.6)
        let count = Int(min(Float(frame.width * frame.height) / 120, 1500 * min(frame.reach * 2, 4)))
        var rows = [[Flake]](repeating: [], count: frame.height)
        for _ in 0..<count {
            let depth = power(random.unit(), 5)
            let radius = max(frame.pixel * 0.7, mix(0.0013, 0.0085, depth))
            let place = SIMD2(random.value(in: -1...1) * frame.reach, random.value(in: -0.02...1.02))
            let cover = random.value(in: 0.35...0.9) * mix(1, 0.5, depth)
            let flake = Flake(place: place, radius: radius, soft: mix(0.4, 0.8, depth), cover: cover)
            let first = max(0, Int(frame.y(place.y - radius)))
            let last = min(frame.height - 1, Int(frame.y(place.y + radius)))
            guard first <= last else { continue }
            for y in first...last {
                rows[y].append(flake)
            }
        }
        byRow = rows
    }

    func paint(_ row: Row) {
        let frame = row.frame
        for flake in byRow[row.y] {
            let first = max(0, Int(frame.x(flake.place.x - flake.radius)))
            let last = min(row.width - 1, Int(frame.x(flake.place.x + flake.radius)))
            guard first <= last else { continue }
            let dv = row.v - flake.place.y
            for x in first...last {
                let du = frame.u(x) - flake.place.x
                let distance = (du * du + dv * dv).squareRoot() / flake.radius
                row.lay(colour, at: x, cover: ramp(1, 1 - flake.soft, distance) * flake.cover)
            }
        }
    }
}

/// A stroke of lightning with branches, and the flash in the clouds around it.
struct Lightning: Layer {
    private let segments: [SIMD4<Float>]
    private let widths: [Float]
    private let origin: SIMD2<Float>

    init(_ plan: Plan, frame: Frame) {
        var random = plan.random("lightning")
        origin = SIMD2(random.value(in: -0.3...0.3) * min(1, frame.reach * 2), plan.horizon * 0.18)
        var segments: [SIMD4<Float>] = []
        var widths: [Float] = []
        func grow(_ start: SIMD2<Float>, _ width: Float, _ lean: Float, _ end: Float) {
            var place = start
            while place.y < end {
                let aside: Float = random.value(in: -0.016...0.016) + lean
                let next = SIMD2<Float>(place.x + aside, place.y + random.value(in: 0.006...0.02))
                segments.append(SIMD4(place.x, place.y, next.x, next.y))
                widths.append(width)
                place = next
                if width > 0.0012 && random.chance(0.16) {
                    let side: Float = random.chance(0.5) ? 1 : -1
                    grow(place, width * 0.45, side * 0.009, min(end, place.y + random.value(in: 0.05...0.14)))
                }
            }
        }
        grow(origin, 0.0022, random.value(in: -0.004...0.004), plan.horizon)
        self.segments = segments
        self.widths = widths
    }

    func paint(_ row: Row) {
        let frame = row.frame
        let flash = srgb(0xB8C4FF)
        for x in 0..<row.width {
            let off = SIMD2(frame.u(x), row.v) - origin
            let far = off.x * off.x * 14 + off.y * off.y * 30
            row.pixels[x] += flash * (0.2 / (1 + far))
        }
        for (segment, width) in zip(segments, widths) where abs(row.v - segment.y) < 0.06 {
            let reach: Float = 0.03
            let first = max(0, Int(frame.x(min(segment.x, segment.z) - reach)))
            let last = min(row.width - 1, Int(frame.x(max(segment.x, segment.z) + reach)))
            guard first <= last else { continue }
            for x in first...last {
                let distance = Self.distance(SIMD2(frame.u(x), row.v), segment)
                let thick: Float = width * width * 0.5 + frame.pixel * frame.pixel
                let core: Float = exp(-distance * distance / thick)
                let halo = max(0, 1 - distance / reach)
                let light: Float = core * 2.2 * min(1, width * 700) + halo * halo * width * 26
                row.pixels[x] += flash * light
            }
        }
    }

    private static func distance(_ p: SIMD2<Float>, _ s: SIMD4<Float>) -> Float {
        let a = SIMD2(s.x, s.y)
        let along = SIMD2(s.z, s.w) - a
        let t = clamp(((p - a) * along).sum() / max(1e-9, (along * along).sum()))
        let off = p - a - along * t
        return (off * off).sum().squareRoot()
    }
}
