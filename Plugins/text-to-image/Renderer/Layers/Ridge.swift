// A range of mountains or hills as one sheet: an outline, rock and snow lit from the sun's side,
// and the haze that gathers at its foot.

/// One range in front of what is farther away.
struct Ridge: Layer {
    struct Form: Sendable {
        /// `v` of the foot.
        var base: Float
        /// Height of the highest peaks, in scene units.
        var rise: Float
        /// Peaks per scene unit.
        var frequency: Float
        /// 0 round hills … 1 sharp peaks.
        var sharpness: Float
        /// 0 at the edge of sight … 1 at the viewer's feet.
        var near: Float
        /// How far below the outline the haze has covered everything, in scene units.
        var mist: Float
        /// 0 bare … 1 snow down to the foot.
        var snow: Float = 0
        /// 0 rock … 1 leaves and grass.
        var green: Float = 0
        /// The colour of the flowers on it; nil for none.
        var bloom: RGB?
    }

    let form: Form
    /// `v` of the outline, four per column.
    let outline: [Float]
    private let rock: Noise
    private let patch: Noise
    private let lit: RGB
    private let shaded: RGB
    private let snowLit: RGB
    private let snowShaded: RGB
    private let haze: RGB
    private let lightSide: Float
    private let grain: Float
    private let highest: Float
    private let light: Float

    init(_ plan: Plan, frame: Frame, stream: String, form: Form) {
        var random = plan.random(stream)
        self.form = form
        outline = Self.outline(form, frame: frame, random: &random, hero: plan.lightPlace.x)
        highest = outline.min() ?? form.base
        rock = random.noise()
        patch = random.noise()
        let palette = plan.palette
        let veil = power(1 - form.near, 1.5)
        haze = palette.haze
        let ground = mix(palette.land, palette.leaf, form.green)
        let grass = plan.hour == .day ? palette.leaf * 1.7 + srgb(0x3A3A08) : palette.leaf * 1.9
        let sunny = mix(palette.landLit, grass, form.green)
        light = plan.isDark ? 0.1 : plan.hour == .day ? 0.7 : 0.35
        shaded = mix(ground, haze, veil * 0.86)
        // Seen against the light, what is near shows little of its lit side.
        let against: Float = plan.hour == .day ? 0.75 : 0.55 - 0.35 * form.near
        lit = mix(mix(ground, sunny, against), haze, veil * 0.78)
        snowLit = mix(palette.snow, haze, veil * 0.45)
        snowShaded = mix(palette.snowShade, haze, veil * 0.55)
        lightSide = plan.lightPlace.x >= 0 ? 1 : -1
        grain = plan.isFlat || plan.isNeon ? 0.35 : 1
    }

    func paint(_ row: Row) {
        guard row.v > highest - row.frame.pixel else { return }
        for x in 0..<row.width {
            let cover = coverage(x, row)
            guard cover > 0 else { continue }
            row.lay(colour(row.frame.u(x), row.v, outline[x * 4 + 1]), at: x, cover: cover)
        }
    }

    @inline(__always)
    private func coverage(_ x: Int, _ row: Row) -> Float {
        let sharp = 1 / row.frame.pixel
        var sum: Float = 0
        for sub in 0..<4 {
            sum += clamp((row.v - outline[x * 4 + sub]) * sharp + 0.5)
        }
        return sum * 0.25
    }

    @inline(__always)
    private func colour(_ u: Float, _ v: Float, _ crest: Float) -> RGB {
        let below = v - crest
        let scale = form.frequency
        // Gullies run down from the crest: the noise is drawn out along the slope.
        let bend = patch(u * scale * 2, v * scale * 2) * 0.35
        let p = (u + bend * 0.12) * scale * 2.6
        let q = (below * 1.5 + v * 0.5) * scale * 1.5
        let here = rock.ridged(p, q, octaves: 5, gain: 0.55)
        let beside = rock.ridged(p + 0.1 * lightSide, q - 0.05, octaves: 4, gain: 0.55)
        let slope = (here - beside) * 3.4 * grain
        let face = ramp(0.1, 0.9, 0.48 + slope * (0.35 + 0.65 * form.sharpness))
        var colour = mix(shaded, lit, face)
        if form.green > 0 {
            colour *= 1 + patch.fractal(p * 2.2, q * 4, octaves: 3) * 0.28 * form.green * grain
        }
        if let bloom = form.bloom {
            // Flowers lie in drifts, flattened by the low view.
            let drift = ramp(-0.1, 0.5, patch.fractal(u * 3, v * 14, octaves: 3))
            let dots = ramp(0.12, 0.55, rock.fractal(u * 90, v * 210, octaves: 2))
            colour = mix(colour, bloom * light, drift * dots * form.near * 0.85)
        }
        if form.snow > 0 {
            let altitude = (form.base - v) / max(0.01, form.base - highest)
            let edge = 1 - form.snow + (here - 0.35) * 0.5 + patch.fractal(p, q * 0.7, octaves: 3) * 0.22
            let cover = ramp(edge - 0.06, edge + 0.1, altitude) * (0.55 + 0.45 * ramp(0.8, 0.3, here))
            colour = mix(colour, mix(snowShaded, snowLit, ramp(0.25, 0.75, 0.5 + slope * 0.9)), cover)
        }
        let mist = ramp(0, form.mist, below) * (0.8 - 0.7 * form.near)
        return mix(colour, haze, clamp(mist + patch.fractal(u * 3, v * 9, octaves: 2) * 0.1 * mist))
    }

    /// Sums folded noise under an envelope that lifts one group of peaks.
    private static func outline(_ form: Form, frame: Frame, random: inout Random, hero: Float) -> [Float] {
        let shape = random.noise()
        let phase = random.unit() * 100
        // The highest group stands opposite the light, where a painter would put it.
        let summit = -hero * 0.8 + random.value(in: -0.15...0.15)
        let frequency = form.frequency * frame.density
        return (0..<frame.width * 4).map { index in
            let u = (Float(index) + 0.5) / 4 * frame.pixel - frame.reach
            let p = u * frequency + phase
            let peaks = shape.ridged(p, 3.7, octaves: 7, gain: 0.46)
            let round = shape.fractal(p * 0.8, 8.1, octaves: 4, gain: 0.38) * 0.5 + 0.5
            let fine = shape.fractal(p * 9, 1.9, octaves: 3) * 0.012 * form.sharpness
            let lift = 0.62 + 0.38 * exp(-(u - summit) * (u - summit) * 5)
            let height = mix(round, peaks * 1.12, form.sharpness) * lift + fine
            return form.base - form.rise * max(0.02, height)
        }
    }
}
