// Puts the layers of a plan in order, from the sky to what stands in front.

/// The layers of a picture in the three passes they need.
struct Composition: Sendable {
    /// Sky and land; what water mirrors.
    var background: [any Layer] = []
    /// Reads the finished background.
    var water: [any Layer] = []
    /// What is in front of it all.
    var foreground: [any Layer] = []

    let plan: Plan
    let frame: Frame

    init(_ plan: Plan, frame: Frame) {
        self.plan = plan
        self.frame = frame
        addSky()
        addLand()
        addWater()
        addNearGround()
        addWeather()
    }

    private mutating func addSky() {
        background.append(Sky(plan))
        if plan.has(.stars) || plan.isNeon { background.append(Stars(plan, frame: frame)) }
        if plan.has(.milkyWay) { background.append(MilkyWay(plan)) }
        if plan.has(.planet) { background.append(Planet(plan, frame: frame)) }
        if plan.has(.aurora) { background.append(Aurora(plan, frame: frame)) }
        if plan.isNeon {
            background.append(StripedSun(plan))
        } else if plan.isDark {
            if plan.has(.moon) { background.append(Moon(plan)) }
        } else if !plan.has(.storm) && !plan.has(.rain) && !(plan.has(.fog) && plan.hour == .day) {
            background.append(Sun(plan))
        }
        addClouds()
        if plan.has(.rainbow) { background.append(Rainbow(plan)) }
        if plan.has(.lightning) { background.append(Lightning(plan, frame: frame)) }
        if plan.has(.birds) && plan.ground != .forest { background.append(Props.birds(plan, frame: frame)) }
    }

    private mutating func addClouds() {
        let cover = plan.isNeon ? plan.cloudiness * 0.5 : plan.cloudiness
        guard cover > 0.05 else { return }
        let hard: Float = plan.isFlat ? 3 : 1
        background.append(
            Clouds(
                plan,
                stream: "high clouds",
                manner: .init(
                    cover: 0.22 + cover * 0.4,
                    hardness: 2.2 * hard,
                    scale: 1.1,
                    stretch: 2.6,
                    opacity: 0.5,
                    octaves: 5
                )
            )
        )
        background.append(
            Clouds(
                plan,
                stream: "low clouds",
                manner: .init(
                    cover: 0.16 + cover * 0.62,
                    hardness: 4.5 * hard,
                    scale: 1.5,
                    stretch: 1.3,
                    opacity: 0.95,
                    octaves: 6
                )
            )
        )
        if plan.hour == .day && cover < 0.8 && cover > 0.2 && !plan.has(.fog) {
            background.append(Cumulus(plan, frame: frame))
        }
    }

    private mutating func addWater() {
        if plan.water != .none {
            water.append(WaterSurface(plan))
        } else if plan.isNeon {
            water.append(NeonGrid(plan))
        }
        if plan.ground == .city && plan.water != .none {
            addQuay()
        }
        if plan.has(.boat) && plan.water != .none { foreground += Props.boat(plan, frame: frame) }
        if plan.has(.lighthouse) { addLighthouse() }
        if plan.has(.beach) { foreground.append(Beach(plan)) }
    }

    /// A dark edge with its own lamps hides where towers meet their image.
    private mutating func addQuay() {
        var random = plan.random("quay")
        let (top, foot) = (plan.horizon - 0.007, plan.horizon + 0.006)
        let wall: [SIMD2<Float>] = [
            SIMD2(-frame.reach, top), SIMD2(frame.reach, top), SIMD2(frame.reach, foot),
            SIMD2(-frame.reach, foot),
        ]
        foreground.append(Shapes([Shape(wall, plan.palette.land * 0.8)]))
        guard plan.hour != .day else { return }
        let warm = plan.has(.futuristic) || plan.isNeon ? srgb(0x8CE8FF) : srgb(0xFFC27A)
        let lamps = stride(from: -frame.reach, to: frame.reach, by: 0.021).map { u in
            Spark(
                place: SIMD2(u + random.value(in: -0.003...0.003), top),
                radius: max(0.0019, frame.pixel * 0.7),
                colour: warm * random.value(in: 0.5...1.8)
            )
        }
        background.append(Sparks(lamps, frame: frame))
        foreground.append(Sparks(lamps, frame: frame))
    }

    /// Rock and tower are painted before the water, to be mirrored, and the rock again at its foot.
    private mutating func addLighthouse() {
        let parts = Props.lighthouse(plan, frame: frame)
        background += [parts.cliff, parts.tower]
        foreground += [parts.cliff, parts.tower] + parts.light
    }

    private mutating func addNearGround() {
        if plan.has(.palms) { foreground.append(Props.palms(plan, frame: frame)) }
        let meadow = plan.ground == .hills && plan.water == .none
        guard meadow || plan.has(.meadow) || plan.has(.flowers), !plan.isNeon else { return }
        foreground.append(Grass(plan, frame: frame, height: meadow ? 0.19 : 0.12, bloom: blooms))
    }

    /// The colours of the flowers; none when nothing blooms.
    var blooms: [RGB] {
        let spring = [srgb(0xF2A8C8), srgb(0xFFE6F0), srgb(0xF6D860)]
        let summer = [srgb(0xE23A2C), srgb(0xF4C430), srgb(0x9A6AE0), srgb(0xFFFFFF)]
        return plan.has(.spring) ? spring : plan.has(.flowers) ? summer : []
    }

    private mutating func addWeather() {
        if plan.ground == .forest && plan.understood.contains(.fog) {
            foreground.append(haze(centre: 1, reach: 0.3, density: 0.42, stream: "floor fog"))
            foreground.append(haze(centre: plan.horizon - 0.05, reach: 0.2, density: 0.3, stream: "high fog"))
        } else if plan.has(.fog) && plan.ground != .forest {
            foreground.append(haze(centre: plan.horizon + 0.02, reach: 0.16, density: 0.85, stream: "fog"))
            foreground.append(haze(centre: plan.horizon + 0.22, reach: 0.14, density: 0.5, stream: "low fog"))
        }
        var random = plan.random("weather")
        if plan.has(.rain) || (plan.has(.storm) && !plan.has(.snow)) {
            let slant = random.value(in: 0.1...0.3) * (random.chance(0.5) ? 1 : -1)
            let grey = mix(plan.palette.haze, RGB(repeating: 0.8), plan.isDark ? 0.15 : 0.4)
            foreground.append(
                Rain(noise: random.noise(), colour: grey, slant: slant, strength: plan.has(.rain) ? 1 : 0.6)
            )
        }
        if plan.has(.snow) { foreground.append(Snowfall(plan, frame: frame)) }
    }

    func haze(centre: Float, reach: Float, density: Float, stream: String) -> Fog {
        var random = plan.random(stream)
        let colour = mix(plan.palette.haze, plan.palette.cloudLit, plan.isDark ? 0.04 : 0.3)
        return Fog(noise: random.noise(), colour: colour, centre: centre, reach: reach, density: density)
    }
}
