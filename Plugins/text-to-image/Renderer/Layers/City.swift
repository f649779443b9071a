// A skyline: rows of towers in the haze of their own lights.

/// One row of towers.
struct Skyline: Layer {
    struct Form: Sendable {
        /// `v` of the street.
        var base: Float
        /// Height of the tallest towers in scene units.
        var rise: Float
        /// 0 far … 1 near.
        var near: Float
        /// Width of a common tower in scene units.
        var width: Float
        var futuristic: Bool
    }

    struct Tower: Sendable {
        enum Crown: Sendable {
            case flat, steps, spire, slant, dome, needle, taper
        }

        var centre: Float
        var half: Float
        var height: Float
        var crown: Crown
        var seed: UInt32
        /// Share of lit windows.
        var awake: Float
        var lamp: RGB
        /// A neon edge; nil for none.
        var edge: RGB?
    }

    private let form: Form
    private let towers: [Tower]
    private let body: RGB
    private let foot: RGB
    private let rim: RGB
    private let dark: Bool
    private let lightX: Float
    private let pitch: Int

    init(_ plan: Plan, frame: Frame, stream: String, form: Form) {
        var random = plan.random(stream)
        self.form = form
        let palette = plan.palette
        let veil = power(1 - form.near, 1.3)
        let wall = plan.isDark || plan.isNeon ? palette.land * 1.4 : mix(palette.land, palette.landLit, 0.16)
        body = mix(wall, palette.haze, veil * 0.85)
        foot = mix(body, palette.haze, 0.2 + 0.4 * veil)
        rim = palette.cloudLit
        dark = plan.hour != .day
        lightX = plan.lightPlace.x
        pitch = max(3, Int((mix(0.006, 0.0098, form.near) / frame.pixel).rounded()))
        towers = Self.build(plan, frame, form, &random)
    }

    private static func build(_ plan: Plan, _ frame: Frame, _ form: Form, _ random: inout Random) -> [Tower] {
        var towers: [Tower] = []
        let district = random.noise()
        let neon = [srgb(0x38E8FF), srgb(0xFF48C8), srgb(0x9A6CFF), srgb(0x4CFFC4), srgb(0xFFB040)]
        let lamps = [srgb(0xFFD08A), srgb(0xFFE4B4), srgb(0xFFC070), srgb(0xCFE4FF)]
        let futureLamps = lamps + [srgb(0x8CEBFF), srgb(0xFF9AE0)]
        let crowns: [Tower.Crown] = [.flat, .flat, .steps, .spire, .slant, .flat, .steps]
        let futureCrowns: [Tower.Crown] = [.taper, .needle, .slant, .dome, .spire, .taper, .steps]
        var u = -frame.reach - form.width
        while u < frame.reach + form.width {
            let half = form.width * random.value(in: 0.3...0.72)
            // Towers gather in districts, tallest away from the light.
            let centre = exp(-(u + plan.lightPlace.x * 0.5) * (u + plan.lightPlace.x * 0.5) * 4)
            let crowd = clamp(district(u * 3.1, 2) * 0.5 + 0.45)
            let tall = 0.14 + 0.36 * crowd + 0.5 * centre * random.unit() + 0.14 * random.unit()
            let crown = random.pick(form.futuristic ? futureCrowns : crowns)
            let lit = plan.hour == .day ? 0.1 : plan.isDark ? 0.5 : 0.3
            let edge: RGB? = form.futuristic && random.chance(0.42) ? random.pick(neon) : nil
            towers.append(
                Tower(
                    centre: u + half,
                    half: half,
                    height: form.rise * min(tall, 1.05),
                    crown: crown,
                    seed: UInt32(truncatingIfNeeded: random.next()),
                    awake: Float(lit) * random.value(in: 0.35...1.25),
                    lamp: random.pick(form.futuristic ? futureLamps : lamps),
                    edge: edge
                )
            )
            u += half * 2 * random.value(in: 0.72...1.25)
        }
        // Tall ones first: the lower stand in front of them.
        return towers.sorted { $0.height > $1.height }
    }

    func paint(_ row: Row) {
        guard row.v < form.base + row.frame.pixel else { return }
        for tower in towers where row.v > form.base - tower.height * 1.3 {
            paint(tower, on: row)
        }
    }

    private func paint(_ tower: Tower, on row: Row) {
        let frame = row.frame
        let up = (form.base - row.v) / tower.height
        let half = tower.half * Self.profile(tower, up)
        guard half > 0 else { return }
        let lean = tower.crown == .slant && up > 0.86 ? (up - 0.86) / 0.14 : 0
        let left = frame.x(tower.centre - half)
        let right = frame.x(tower.centre + half - half * 2 * lean)
        let first = max(0, Int(left.rounded(.down)))
        let last = min(row.width - 1, Int(right.rounded(.down)))
        guard first <= last else { return }
        let low = clamp((form.base - row.v) / form.rise)
        let wall = mix(foot, body, ramp(0, 0.75, low))
        let start = Int(frame.x(tower.centre - tower.half))
        for x in first...last {
            let pixel = Float(x)
            let cover = clamp(min(right, pixel + 1) - max(left, pixel))
            guard cover > 0 else { continue }
            let across = (pixel + 0.5 - left) / max(1, right - left)
            var colour = wall * (1 + 0.18 * (across - 0.5) * (lightX > tower.centre ? 1 : -1) * 2)
            colour += window(tower, x - start, row.y, up, right: right - pixel)
            colour += neon(tower, across, up, frame, half)
            row.lay(colour, at: x, cover: cover)
        }
    }

    /// Half the width at `up` (0 street … 1 roof, a spire goes on), relative to the foot's.
    private static func profile(_ tower: Tower, _ up: Float) -> Float {
        guard up > 1 else {
            switch tower.crown {
            case .steps: return up > 0.9 ? 0.45 : up > 0.76 ? 0.72 : 1
            case .taper: return 1 - 0.55 * up * up
            case .needle: return 0.36 + 0.64 * (1 - up) * (1 - up) + (up > 0.8 && up < 0.9 ? 0.4 : 0)
            case .dome: return up > 0.93 ? (max(0, 1 - (up - 0.93) * (up - 0.93) / 0.0049)).squareRoot() : 1
            case .spire: return up > 0.92 ? 0.6 : 1
            case .flat, .slant: return 1
            }
        }
        let mast: Float = tower.crown == .needle ? 1.28 : tower.crown == .spire ? 1.2 : 1
        return up < mast ? 0.07 * (1 + (mast - up) * 2) : 0
    }

    /// Windows sit on whole pixels, which keeps them crisp at any size.
    @inline(__always)
    private func window(_ tower: Tower, _ x: Int, _ y: Int, _ up: Float, right: Float) -> RGB {
        let tall = pitch + max(1, pitch / 3)
        guard x > 0, up < 0.97, right > 2, x % pitch != 0, y % tall > tall / 3 else { return .zero }
        let column = Int32(x / pitch)
        let floor = Int32(y / tall)
        let chance = scatter(column, floor, tower.seed)
        // Whole floors are lit or dark together, more or less.
        let together = 0.55 + 0.9 * scatter(floor, 991, tower.seed)
        guard chance < tower.awake * together else { return .zero }
        let bright = 0.25 + 1.1 * scatter(column, floor, tower.seed ^ 0x51ED)
        return tower.lamp * bright * (dark ? mix(0.4, 1, form.near) : 0.25)
    }

    @inline(__always)
    private func neon(_ tower: Tower, _ across: Float, _ up: Float, _ frame: Frame, _ half: Float) -> RGB {
        guard let edge = tower.edge else { return .zero }
        let width = frame.pixel * 1.2 / max(half * 2, 0.001)
        let strip: Float
        switch tower.seed % 3 {
        case 0: strip = abs(across - 0.5) < width ? 1 : 0
        case 1: strip = min(across, 1 - across) < width ? 1 : 0
        default:
            let ring = up * (6 + Float(tower.seed % 5))
            strip = ring - ring.rounded(.down) < 0.07 ? 0.8 : 0
        }
        let glow = exp(-abs(across - 0.5) * 7) * 0.1
        return edge * ((strip * 1.7 + glow) * (dark ? 1 : 0.4) * mix(0.35, 1, form.near))
    }
}

/// The light of streets and signs in the air above a city.
struct CityGlow: Layer {
    let base: Float
    let colour: RGB
    let rise: Float
    let noise: Noise

    func paint(_ row: Row) {
        let up = (base - row.v) / rise
        guard up > -0.2 else { return }
        let light = exp(-max(0, up) * 3.2)
        for x in 0..<row.width {
            let cloud = 0.8 + noise.fractal(row.frame.u(x) * 2, row.v * 5, octaves: 3) * 0.5
            row.pixels[x] += colour * (light * max(0, cloud))
        }
    }
}
