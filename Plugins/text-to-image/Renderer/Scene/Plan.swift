// The decisions: what the prompt says is kept, what it leaves open is drawn from the seed.

enum Hour: Sendable {
    case dawn, day, sunset, night
}

enum Ground: Sendable {
    /// Mountain ranges in front of each other.
    case mountains
    /// Round hills, meadows.
    case hills
    /// Rows of conifers.
    case forest
    case city
    case dunes
    /// Nothing but water up to the horizon.
    case openWater
}

enum Water: Sendable {
    case none, lake, sea
}

/// Everything that is settled before the first pixel.
struct Plan: Sendable {
    let seed: UInt64
    let style: PictureStyle
    let understood: [Element]
    private(set) var additions: [Element] = []
    private let excluded: [Element]
    private var random: Random

    private(set) var hour = Hour.day
    private(set) var ground = Ground.mountains
    private(set) var water = Water.none
    private(set) var palette = Palette.days[0]
    /// `v` where sky meets land or sea.
    private(set) var horizon: Float = 0.6
    /// Place of the sun or moon.
    private(set) var lightPlace = SIMD2<Float>(0, 0.4)
    private(set) var lightRadius: Float = 0.04
    /// 0 calm … 1 wild: waves, ridges, clouds.
    private(set) var drama: Float = 0.4
    /// 0 none … 1 covered.
    private(set) var cloudiness: Float = 0.4

    init(reading: Reading, style: PictureStyle, seed: UInt64, frame: Frame) {
        self.seed = seed
        self.style = style
        understood = reading.elements
        excluded = reading.excluded
        random = Random(seed: seed, stream: "plan")
        drama = clamp(random.value(in: 0.25...0.55) + reading.drama * 0.35 + (has(.storm) ? 0.35 : 0))
        chooseHour()
        chooseGround()
        chooseWater()
        chooseCompany()
        chooseLight(frame)
        choosePalette(reading.tints)
    }

    /// Whether the prompt or the seed asks for `element`.
    func has(_ element: Element) -> Bool {
        understood.contains(element) || additions.contains(element)
    }

    /// A stream of randomness for one part of the picture.
    func random(_ stream: String) -> Random {
        Random(seed: seed, stream: stream)
    }

    /// Flat styles leave out the fine texture.
    var isFlat: Bool { style == .poster || style == .anime }
    var isNeon: Bool { style == .neon }
    var isDark: Bool { hour == .night }
    var showsMoon: Bool { isDark && !isNeon }

    /// Adds what the prompt leaves open, unless it was refused.
    private mutating func add(_ element: Element, chance: Float) {
        // The number is drawn in any case, so that one more word does not reshuffle everything else.
        let drawn = random.chance(chance)
        if drawn && !has(element) && !excluded.contains(element) {
            additions.append(element)
        }
    }

    private mutating func chooseHour() {
        let hours: [(Element, Hour)] = [(.sunset, .sunset), (.dawn, .dawn), (.night, .night), (.day, .day)]
        let drawn = random.unit()
        if let asked = understood.lazy.compactMap({ e in hours.first { $0.0 == e } }).first {
            hour = asked.1
            return
        }
        let open = hours.filter { !excluded.contains($0.0) }
        let foul = has(.storm) || has(.rain) || has(.snow) || has(.rainbow)
        // In the order of `hours`.
        let weights: [Float] =
            isNeon ? [1, 0, 0, 0] : foul ? [0.1, 0.1, 0.1, 0.7] : [0.42, 0.2, 0.14, 0.24]
        var sum: Float = 0
        var chosen = open.last ?? (.day, .day)
        for (choice, weight) in zip(hours, weights) where open.contains(where: { $0.0 == choice.0 }) {
            sum += weight
            if drawn < sum {
                chosen = choice
                break
            }
        }
        hour = chosen.1
        additions.append(chosen.0)
    }

    private mutating func chooseGround() {
        let drawn = random.pick([Element.mountains, .mountains, .lake, .hills, .forest, .sea, .desert])
        let land: [Element] = [
            .city, .desert, .forest, .mountains, .hills, .meadow, .sea, .lake, .river, .lighthouse,
            .boat, .futuristic, .birds, .beach,
        ]
        if !understood.contains(where: { land.contains($0) }) && !excluded.contains(drawn) {
            additions.append(drawn)
        }
        // The first that is there decides; the others join in as far as they fit.
        if has(.city) || (has(.futuristic) && !has(.desert) && !has(.mountains)) {
            ground = .city
        } else if has(.desert) {
            ground = .dunes
        } else if has(.forest) && !has(.mountains) && !has(.lake) && !has(.sea) && !has(.river) {
            ground = .forest
        } else if has(.mountains) || (has(.lake) && !has(.hills)) {
            ground = .mountains
        } else if has(.sea) || has(.lighthouse) || has(.boat) || has(.beach) {
            ground = has(.hills) ? .hills : .openWater
        } else if has(.hills) || has(.meadow) || has(.river) {
            ground = .hills
        }
    }

    private mutating func chooseWater() {
        if ground == .mountains { add(.lake, chance: has(.forest) ? 0.3 : 0.22) }
        if ground == .city { add(.river, chance: excluded.contains(.lake) ? 0 : 0.8) }
        if has(.sea) || ground == .openWater || (has(.lighthouse) && ground != .city) {
            water = .sea
        } else if has(.lake) || has(.river) || has(.boat) {
            water = .lake
        }
        if ground == .dunes && water == .sea { ground = .openWater }
    }

    /// Things that make a picture livelier and disturb no prompt.
    private mutating func chooseCompany() {
        let foul = has(.storm) || has(.rain) || has(.snow)
        add(.birds, chance: hour == .night || foul || isNeon ? 0 : 0.5)
        add(.stars, chance: hour == .night && !foul ? 1 : 0)
        add(.moon, chance: hour == .night && !foul && !has(.aurora) && !has(.milkyWay) ? 0.6 : 0)
        let dark = hour == .night && ground != .city && !foul
        add(.milkyWay, chance: dark && !has(.moon) && !has(.aurora) ? 0.6 : 0)
        add(.boat, chance: ground == .openWater && !has(.storm) && !has(.lighthouse) ? 0.4 : 0)
        add(.lightning, chance: has(.storm) && drama > 0.75 && !has(.snow) ? 0.5 : 0)
        add(.fog, chance: ground == .forest ? 0.5 : 0)
        let share = random.value(in: 0.18...0.62)
        cloudiness = share + (has(.clouds) ? 0.22 : 0) - (hour == .night ? 0.2 : 0)
        if has(.clear) || excluded.contains(.clouds) { cloudiness = 0 }
        if has(.storm) { cloudiness = 0.95 }
        if has(.rain) { cloudiness = max(cloudiness, 0.75) }
        if has(.aurora) || has(.milkyWay) { cloudiness = min(cloudiness, 0.08) }
    }

    private mutating func chooseLight(_ frame: Frame) {
        horizon = random.value(in: 0.55...0.62)
        if ground == .openWater { horizon = random.value(in: 0.5...0.58) }
        if ground == .dunes { horizon = random.value(in: 0.44...0.5) }
        if ground == .hills && water == .none { horizon = random.value(in: 0.48...0.56) }
        if ground == .mountains && water == .none { horizon = random.value(in: 0.5...0.56) }
        if ground == .city { horizon = water == .none ? 0.86 : random.value(in: 0.68...0.72) }
        let side: Float = random.chance(0.5) ? 1 : -1
        let reach = min(frame.reach, 0.8)
        let aside = side * random.value(in: 0.18...0.5) * reach
        let low = horizon - random.value(in: 0.05...0.12)
        switch hour {
        case .sunset: lightPlace = SIMD2(aside, ground == .mountains || ground == .city ? low - 0.08 : low)
        case .dawn: lightPlace = SIMD2(aside, low - 0.05)
        case .day: lightPlace = SIMD2(side * reach * 0.72, 0.13)
        case .night: lightPlace = SIMD2(aside * 1.2, random.value(in: 0.14...0.26))
        }
        lightRadius = hour == .night ? 0.038 : hour == .day ? 0.022 : random.value(in: 0.036...0.05)
        if isNeon {
            lightRadius = min(0.2, frame.reach * 0.5)
            lightPlace = SIMD2(0, horizon - (ground == .city ? 0.42 : 0.24))
        }
    }

    private mutating func choosePalette(_ tints: [Tint]) {
        let choices: [Palette] =
            switch hour {
            case _ where isNeon: Palette.neons
            case .dawn: Palette.dawns
            case .day: has(.storm) ? Palette.storms : Palette.days
            case .sunset: Palette.sunsets
            case .night: Palette.nights
            }
        palette = random.pick(choices)
        for tint in tints.prefix(2) {
            palette.tint(tint, strength: 0.55)
        }
        let cover: Float = has(.storm) ? (hour == .day ? 0 : 0.45) : has(.rain) ? 0.5 : has(.snow) ? 0.35 : 0
        if has(.fog) && !isNeon { palette.mist(by: understood.contains(.fog) ? 0.8 : 0.4) }
        if !isNeon { palette.dull(by: hour == .night ? cover * 0.3 : cover) }
    }
}
