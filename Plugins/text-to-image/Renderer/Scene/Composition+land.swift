// The grounds a picture can stand on.

extension Composition {
    mutating func addLand() {
        switch plan.ground {
        case .mountains: addMountains()
        case .hills: addHills()
        case .forest: addForest()
        case .city: addCity()
        case .dunes: addDesert()
        case .openWater: addCoast()
        }
    }

    private var winter: Bool { plan.has(.winter) }

    private func line(of ridge: Ridge) -> [Float] {
        stride(from: 1, to: ridge.outline.count, by: 4).map { ridge.outline[$0] }
    }

    private mutating func addRidge(_ name: String, _ form: Ridge.Form) -> [Float] {
        let ridge = Ridge(plan, frame: frame, stream: name, form: form)
        background.append(ridge)
        return line(of: ridge)
    }

    private mutating func addPines(_ name: String, _ form: Pines.Form, on line: [Float]) {
        var form = form
        form.snow = winter ? 0.85 : 0
        form.autumn = plan.has(.autumn)
        background.append(Pines(plan, frame: frame, stream: name, form: form, ground: line))
    }

    private mutating func addMountains() {
        if plan.water != .none || plan.isNeon {
            addShoreRange()
        } else {
            addRanges()
        }
    }

    /// Ranges one before the other down to the lower edge.
    private mutating func addRanges() {
        let count = 7
        let snow: Float = winter ? 0.92 : plan.has(.autumn) ? 0.2 : 0.36
        for index in 0..<count {
            let t = Float(index) / Float(count - 1)
            let white = winter ? max(0.45, snow - t * 0.5) : t < 0.1 ? snow : t < 0.2 ? snow * 0.5 : 0
            let line = addRidge(
                "ridge \(index)",
                .init(
                    base: mix(plan.horizon + 0.05, 1.12, power(t, 1.5)),
                    rise: mix(0.36, 0.3, t) * (0.8 + plan.drama * 0.5),
                    frequency: mix(1.9, 1.3, t),
                    sharpness: clamp(1.15 - t * 1.1),
                    near: 0.06 + 0.94 * t,
                    mist: mix(0.2, 0.3, t),
                    snow: white,
                    green: ramp(0.25, 0.75, t)
                )
            )
            guard t > 0.4 else { continue }
            let size = (t - 0.4) / 0.6
            let tall: Float = plan.has(.forest) ? 1.35 : 1
            addPines(
                "pines \(index)",
                .init(
                    height: mix(0.03, 0.24, size * size) * tall,
                    crowd: mix(170, 34, size),
                    near: 0.06 + 0.94 * t
                ),
                on: line
            )
            if plan.has(.fog) && index < count - 1 {
                background.append(
                    haze(
                        centre: mix(plan.horizon + 0.1, 1, t),
                        reach: 0.09,
                        density: 0.55,
                        stream: "bank \(index)"
                    )
                )
            }
        }
    }

    /// Ranges that end at a shore.
    private mutating func addShoreRange() {
        let count = 4
        let foot = plan.horizon + 0.004
        let snow: Float = winter ? 0.95 : plan.has(.autumn) ? 0.3 : 0.46
        for index in 0..<count {
            let t = Float(index) / Float(count - 1)
            let line = addRidge(
                "ridge \(index)",
                .init(
                    base: foot,
                    rise: (plan.isNeon ? 0.5 : 1) * mix(0.36, 0.045, power(t, 0.7))
                        * (0.8 + plan.drama * 0.5),
                    frequency: mix(1.7, 1.3, t),
                    sharpness: clamp(1.15 - t * 1.1),
                    near: 0.14 + t * 0.66,
                    mist: 0.24,
                    snow: winter ? snow : index < 2 ? snow - t * 0.5 : 0,
                    green: ramp(0.25, 0.75, t)
                )
            )
            guard t > 0.55, !plan.isNeon else { continue }
            addPines(
                "pines \(index)",
                .init(height: mix(0.024, 0.05, t), crowd: mix(190, 130, t), near: 0.14 + t * 0.66),
                on: line
            )
        }
        guard !plan.isNeon, plan.water == .lake else { return }
        frameWithPines(height: plan.has(.forest) ? 0.72 : 0.5)
    }

    /// Tall trees at both sides, close to the viewer, that leave the middle open.
    private mutating func frameWithPines(height: Float) {
        var random = plan.random("frame")
        let side: Float = plan.lightPlace.x > 0 ? -1 : 1
        let gap = side > 0 ? -0.92...Float(0.5) : -0.5...Float(0.92)
        let ground = (0..<frame.width).map { _ in 1.04 + random.value(in: 0...0.01) }
        foreground.append(
            Pines(
                plan,
                frame: frame,
                stream: "frame pines",
                form: .init(
                    height: height,
                    crowd: 16,
                    near: 1,
                    snow: winter ? 0.8 : 0,
                    autumn: plan.has(.autumn),
                    clear: gap
                ),
                ground: ground
            )
        )
    }

    private mutating func addHills() {
        let toWater = plan.water != .none
        if plan.has(.mountains) || !toWater {
            let far = Ridge.Form(
                base: plan.horizon + 0.03,
                rise: 0.16,
                frequency: 1.6,
                sharpness: 0.8,
                near: 0.08,
                mist: 0.16,
                snow: winter ? 0.8 : 0.2
            )
            _ = addRidge("far range", far)
        }
        let count = toWater ? 3 : 5
        for index in 0..<count {
            addHill(index, at: Float(index) / Float(count - 1), toWater: toWater)
        }
    }

    /// One hill with its copses; `t` is 0 far … 1 near.
    private mutating func addHill(_ index: Int, at t: Float, toWater: Bool) {
        let base = toWater ? plan.horizon + 0.004 : mix(plan.horizon + 0.1, 1.15, power(t, 1.3))
        let near = toWater ? 0.3 + 0.45 * t : 0.36 + 0.64 * power(t, 0.8)
        let line = addRidge(
            "hill \(index)",
            .init(
                base: base,
                rise: toWater ? mix(0.2, 0.05, t) : mix(0.15, 0.26, t),
                frequency: mix(1.2, 0.7, t),
                sharpness: 0,
                near: near,
                mist: mix(0.3, 0.9, t),
                snow: winter ? 0.98 : 0,
                green: 1,
                bloom: t > 0.2 && !toWater ? blooms.first : nil
            )
        )
        guard t < 0.9 else { return }
        background.append(
            Pines(
                plan,
                frame: frame,
                stream: "copse \(index)",
                form: .init(
                    height: mix(0.025, 0.1, t),
                    crowd: mix(80, 20, t),
                    near: near,
                    snow: winter ? 0.8 : 0,
                    autumn: plan.has(.autumn),
                    clear: t > 0.3 ? -0.35...0.45 : -0.1...0.2
                ),
                ground: line
            )
        )
    }

    /// Rows of conifers with fog between them.
    private mutating func addForest() {
        let rows = 7
        for index in 0..<rows {
            let t = Float(index) / Float(rows - 1)
            let near = 0.06 + 0.94 * power(t, 1.15)
            let line = forestFloor(index, at: mix(plan.horizon + 0.06, 1.12, power(t, 1.25)))
            addPines(
                "forest \(index)",
                .init(height: mix(0.13, 0.95, power(t, 1.7)), crowd: mix(95, 7, power(t, 0.5)), near: near),
                on: line
            )
            guard index < rows - 1 else { continue }
            let density: Float = plan.has(.fog) ? 0.8 - 0.35 * t : 0.3 - 0.2 * t
            background.append(
                haze(
                    centre: mix(plan.horizon + 0.04, 1, t),
                    reach: 0.12,
                    density: density,
                    stream: "forest fog \(index)"
                )
            )
        }
    }

    private func forestFloor(_ index: Int, at base: Float) -> [Float] {
        var random = plan.random("floor \(index)")
        let noise = random.noise()
        return (0..<frame.width).map { base + noise.fractal(frame.u($0) * 1.6, 2, octaves: 3) * 0.05 }
    }

    private mutating func addCity() {
        let palette = plan.palette
        let futuristic = plan.has(.futuristic) || plan.isNeon
        let base = plan.horizon
        if plan.has(.mountains) {
            let far = Ridge.Form(
                base: base,
                rise: 0.4,
                frequency: 1.5,
                sharpness: 1,
                near: 0.1,
                mist: 0.3,
                snow: winter ? 0.9 : 0.4
            )
            _ = addRidge("far range", far)
        }
        let warm: RGB = futuristic ? srgb(0xB44CE0) : srgb(0xFFA860)
        let shine: Float = plan.hour == .day ? 0 : plan.isDark || plan.isNeon ? 0.2 : 0.1
        let rows = 4
        for index in 0..<rows {
            let t = Float(index) / Float(rows - 1)
            addTowers(index, at: t, futuristic: futuristic)
            guard index < rows - 1 else { continue }
            var random = plan.random("city glow \(index)")
            background.append(
                CityGlow(
                    base: base,
                    colour: mix(warm, palette.haze, 0.3) * shine * (1 - 0.5 * t),
                    rise: 0.2,
                    noise: random.noise()
                )
            )
        }
        if futuristic { background.append(traffic(above: base)) }
        if plan.water == .none && !plan.isNeon { addPark() }
    }

    /// One row of towers; `t` is 0 far … 1 near.
    private mutating func addTowers(_ index: Int, at t: Float, futuristic: Bool) {
        let base = plan.horizon
        let near = mix(0.16, 0.96, t)
        background.append(
            Skyline(
                plan,
                frame: frame,
                stream: "towers \(index)",
                form: .init(
                    base: base + 0.004,
                    rise: mix(0.5, 0.27, t) * (futuristic ? 1.15 : 1),
                    near: near,
                    width: mix(0.042, 0.095, t),
                    futuristic: futuristic
                )
            )
        )
    }

    /// A wooded hill from which a city without water is seen.
    private mutating func addPark() {
        let hill = Ridge.Form(
            base: plan.horizon + 0.015,
            rise: 0.12,
            frequency: 0.8,
            sharpness: 0,
            near: 0.97,
            mist: 0.6,
            snow: winter ? 0.98 : 0,
            green: 1
        )
        let line = addRidge("park", hill)
        addPines("park trees", .init(height: 0.075, crowd: 60, near: 0.97), on: line)
    }

    /// Lights of flying cars on a few lanes between the towers.
    private func traffic(above base: Float) -> Sparks {
        var random = plan.random("traffic")
        let tones = [srgb(0xFF5A3C), srgb(0xBFEFFF), srgb(0xFFD27A)]
        var sparks: [Spark] = []
        for _ in 0..<5 {
            let height = base - random.value(in: 0.06...0.34)
            let slope = random.value(in: -0.12...0.12)
            let tone = random.pick(tones)
            for _ in 0..<14 {
                let u = random.value(in: -1...1) * frame.reach
                let v = height + slope * u + random.value(in: -0.004...0.004)
                sparks.append(
                    Spark(
                        place: SIMD2(u, v),
                        radius: max(frame.pixel * 0.7, random.value(in: 0.0009...0.002)),
                        colour: tone * random.value(in: 0.5...1.6)
                    )
                )
            }
        }
        return Sparks(sparks, frame: frame)
    }

    private mutating func addDesert() {
        let far = Ridge.Form(
            base: plan.horizon + 0.02,
            rise: plan.has(.mountains) ? 0.26 : 0.1,
            frequency: 1.5,
            sharpness: 0.75,
            near: 0.12,
            mist: 0.2
        )
        _ = addRidge("far range", far)
        background.append(Dunes(plan, frame: frame))
    }

    private mutating func addCoast() {
        guard plan.has(.island) || plan.has(.mountains) || plan.isNeon else {
            let low = Ridge.Form(
                base: plan.horizon + 0.002,
                rise: 0.045,
                frequency: 1.1,
                sharpness: 0.6,
                near: 0.2,
                mist: 0.3
            )
            var random = plan.random("coast")
            if random.chance(0.5) { _ = addRidge("far coast", low) }
            return
        }
        for index in 0..<2 {
            let near = 0.2 + 0.3 * Float(index)
            let form = Ridge.Form(
                base: plan.horizon + (plan.has(.island) ? 0.05 : 0.002),
                rise: 0.2 - 0.06 * Float(index),
                frequency: 1.2,
                sharpness: 0.6,
                near: near,
                mist: 0.25,
                green: 0.5
            )
            _ = addRidge("island \(index)", form)
        }
    }
}
