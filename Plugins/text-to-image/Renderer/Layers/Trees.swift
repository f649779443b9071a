// Conifers one by one: each is a stack of drooping tiers, drawn as spans of a row.

/// A row of conifers on a line.
struct Pines: Layer {
    private struct Tree: Sendable {
        var foot: SIMD2<Float>
        var height: Float
        var seed: UInt32
        /// 1 for a fir, larger for slender trees.
        var slender: Float
        /// Layers of branches: big trees show more of them.
        var tiers: Float
    }

    struct Form: Sendable {
        /// Height of a common tree in scene units.
        var height: Float
        /// Trees per scene unit.
        var crowd: Float
        /// 0 far … 1 near.
        var near: Float
        var snow: Float = 0
        var autumn = false
        /// Range of `u` as a share of the picture's reach, and how many of the trees stand there.
        var clear: ClosedRange<Float>?
    }

    private let trees: [Tree]
    private let ground: [Float]
    private let dark: RGB
    private let foot: RGB
    private let rim: RGB
    private let snow: RGB
    private let form: Form
    private let light: SIMD2<Float>
    private let top: Float

    /// `ground` gives `v` per column, where the trees stand and below which all is foliage.
    init(_ plan: Plan, frame: Frame, stream: String, form: Form, ground: [Float]) {
        var random = plan.random(stream)
        self.form = form
        self.ground = ground
        let palette = plan.palette
        // In fog even the nearest trees are pale.
        let veil =
            plan.understood.contains(.fog)
            ? mix(0.14, 1, power(1 - form.near, 1.2)) : power(1 - form.near, 1.6)
        var leaf = plan.hour == .day ? palette.leaf * 0.5 : palette.leaf
        if form.autumn {
            leaf = mix(leaf, (plan.isDark ? srgb(0x2A140C) : srgb(0x8A3E18)), 0.55)
        }
        dark = mix(leaf, palette.haze, veil * 0.9)
        foot = mix(dark, palette.haze, plan.has(.fog) ? 0.62 - 0.5 * form.near : 0.03 + 0.22 * veil)
        rim = mix(palette.glow, palette.haze, 0.35 + 0.4 * veil)
        snow = mix(plan.isDark ? palette.snowShade : palette.snow * 0.9, palette.haze, veil * 0.7)
        light = plan.lightPlace
        let groves = random.noise()
        var trees: [Tree] = []
        var u = -frame.reach - form.height
        while u < frame.reach + form.height {
            // Trees stand in groves with gaps between.
            let grove = clamp(groves(u * 7 / max(form.height * 12, 0.6), 4) * 1.6 + 0.55)
            u += random.value(in: 0.2...1.5) / form.crowd * mix(2.2, 0.6, grove)
            let size = 0.4 + 0.5 * random.unit() + 0.5 * random.unit() * random.unit()
            let column = min(max(Int(frame.x(u)), 0), frame.width - 1)
            let slender = random.value(in: 0.85...1.4)
            let seed = UInt32(truncatingIfNeeded: random.next())
            if let clear = form.clear, clear.contains(u / frame.reach) { continue }
            let foot = SIMD2(u, ground[column] + form.height * 0.06)
            let height = form.height * size
            trees.append(
                Tree(
                    foot: foot,
                    height: height,
                    seed: seed,
                    slender: slender,
                    tiers: (12 + min(height, 0.9) * 26) * slender
                )
            )
        }
        self.trees = trees
        top = trees.map { $0.foot.y - $0.height }.min() ?? 1
    }

    func paint(_ row: Row) {
        guard row.v > top - row.frame.pixel else { return }
        for x in 0..<row.width where form.clear == nil {
            let cover = clamp((row.v - ground[x]) / row.frame.pixel + 0.5)
            if cover > 0 { row.lay(fill(row.v, ground[x]), at: x, cover: cover) }
        }
        for tree in trees where row.v < tree.foot.y && row.v > tree.foot.y - tree.height - row.frame.pixel {
            paint(tree, on: row)
        }
    }

    private func fill(_ v: Float, _ line: Float) -> RGB {
        mix(dark, foot, ramp(-form.height * 0.6, form.height * 0.5, v - line))
    }

    /// Three sub-rows, so that the branch tips are smooth.
    private func paint(_ tree: Tree, on row: Row) {
        let frame = row.frame
        let centre = frame.x(tree.foot.x)
        var left: SIMD3<Float> = .zero
        var right: SIMD3<Float> = .zero
        for sub in 0..<3 {
            let v = row.v + (Float(sub) - 1) / 3 * frame.pixel
            let down = (v - tree.foot.y + tree.height) / tree.height
            left[sub] = centre - half(tree, down, side: 0) * Float(frame.height)
            right[sub] = centre + half(tree, down, side: 1) * Float(frame.height)
        }
        let first = max(0, Int(left.min().rounded(.down)))
        let last = min(row.width - 1, Int(right.max().rounded(.down)))
        guard first <= last else { return }
        let down = (row.v - tree.foot.y + tree.height) / tree.height
        let body = mix(dark, foot, ramp(0.35, 1.05, down))
        for x in first...last {
            let pixel = SIMD3<Float>(repeating: Float(x))
            let span = pointwiseMin(right, pixel + 1) - pointwiseMax(left, pixel)
            let cover = clamp(span.clamped(lowerBound: .zero, upperBound: .one).sum() / 3)
            guard cover > 0 else { continue }
            let across = (Float(x) + 0.5 - centre) / max(1, right.max() - centre)
            row.lay(tone(tree, body, down, across, row), at: x, cover: cover)
        }
    }

    @inline(__always)
    private func tone(_ tree: Tree, _ body: RGB, _ down: Float, _ across: Float, _ row: Row) -> RGB {
        // Boughs droop outwards, and those of the two sides do not meet.
        let tier = (down - abs(across) * (0.9 / tree.tiers)) * tree.tiers + (across < 0 ? 0.43 : 0)
        let fresh = tier - tier.rounded(.down)
        let needle = scatter(Int32(across * 24), Int32(tier), tree.seed ^ 0xBEEF)
        var colour = body * (1.16 - 0.34 * fresh + 0.22 * (needle - 0.5) * form.near)
        let toward: Float = light.x > tree.foot.x ? 1 : -1
        let near = 1 / (1 + (light.x - tree.foot.x) * (light.x - tree.foot.x) * 8)
        colour += rim * (max(0, across * toward - 0.35) * 0.16 * near)
        if form.snow > 0 {
            let load = scatter(Int32(tier), Int32(across * 5), tree.seed)
            colour = mix(colour, snow, form.snow * ramp(0.75, 0.1, fresh) * ramp(0.15, 0.6, load))
        }
        return colour
    }

    /// Half the width of the tree at `down` (0 tip … 1 foot).
    @inline(__always)
    private func half(_ tree: Tree, _ down: Float, side: Int32) -> Float {
        guard down > 0, down < 1 else { return 0 }
        if down > 0.93 { return tree.height * 0.014 }
        let tier = down * tree.tiers + (side == 0 ? 0.43 : 0)
        let index = Int32(tier)
        let fresh = tier - Float(index)
        let droop = 0.5 + 0.5 * fresh
        let ragged = 0.68 + 0.5 * scatter(index, side, tree.seed)
        let twig = 0.8 + 0.36 * scatter(Int32(down * tree.tiers * 7), side + 7, tree.seed)
        return tree.height * 0.2 / tree.slender * power(down, 0.86) * droop * ragged * twig
    }
}
