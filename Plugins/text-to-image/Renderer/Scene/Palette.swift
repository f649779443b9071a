// The light of each hour as colours. Several palettes per hour, because two sunsets of the
// same picture book should not look alike.

/// The colours of a scene.
struct Palette: Sendable {
    /// From the zenith to the horizon.
    var sky: [RGB]
    /// Added around the sun or moon.
    var glow: RGB
    /// The disc itself; may be brighter than 1.
    var light: RGB
    var cloudLit: RGB
    var cloudShade: RGB
    /// What distance turns everything into.
    var haze: RGB
    /// Near ground in this light.
    var land: RGB
    /// Ground turned to the light.
    var landLit: RGB
    /// Near leaves and grass in this light.
    var leaf: RGB
    var snow: RGB
    var snowShade: RGB
    var water: RGB

    init(
        sky: [UInt32],
        glow: UInt32,
        light: UInt32,
        brightness: Float,
        cloud: (lit: UInt32, shade: UInt32),
        haze: UInt32,
        land: (UInt32, lit: UInt32),
        leaf: UInt32,
        snow: (lit: UInt32, shade: UInt32),
        water: UInt32
    ) {
        self.sky = sky.map(srgb)
        self.glow = srgb(glow)
        self.light = srgb(light) * brightness
        cloudLit = srgb(cloud.lit)
        cloudShade = srgb(cloud.shade)
        self.haze = srgb(haze)
        self.land = srgb(land.0)
        landLit = srgb(land.lit)
        self.leaf = srgb(leaf)
        self.snow = srgb(snow.lit)
        snowShade = srgb(snow.shade)
        self.water = srgb(water)
    }

    /// Pulls every colour towards a named one, keeping how bright it is.
    ///
    /// Green is a colour of the ground: it hardly touches the air.
    mutating func tint(_ tint: Tint, strength: Float) {
        let air = tint == .green ? strength * 0.15 : strength
        let target = tint.colour / max(luminance(tint.colour), 0.01)
        let full: Float = tint == .grey ? 0.85 : strength
        let airy: Float = tint == .grey ? 0.85 : air
        func toned(_ c: RGB, _ amount: Float) -> RGB {
            let light = luminance(c)
            // A bright colour cannot be saturated as well: it goes some way towards white instead.
            let vivid = target * light
            let peak = max(vivid.max(), 1)
            return mix(c, vivid / peak + RGB(repeating: light * (1 - 1 / peak) * 0.6), amount)
        }
        sky = sky.map { toned($0, airy) }
        for path in Self.tinted {
            let isGround = path == \Palette.land || path == \Palette.landLit || path == \Palette.water
            self[keyPath: path] = toned(self[keyPath: path], isGround ? full : airy)
        }
    }

    private static var tinted: [WritableKeyPath<Palette, RGB>] {
        [\.glow, \.cloudLit, \.cloudShade, \.haze, \.land, \.landLit, \.snowShade, \.water]
    }

    /// Fills the air with fog: what is far, the low sky above all, turns into the haze.
    mutating func mist(by amount: Float) {
        haze = mix(haze, sky[3], 0.5)
        for index in sky.indices {
            sky[index] = mix(sky[index], haze, amount * (0.55 + 0.4 * Float(index) / Float(sky.count - 1)))
        }
        cloudShade = mix(cloudShade, haze, amount)
        glow *= 1 - 0.4 * amount
        leaf = mix(leaf, saturate(leaf, by: 0.7), amount)
    }

    /// Takes colour and light away, as a covered sky does.
    mutating func dull(by amount: Float) {
        let lead = srgb(0x68727C)
        func dulled(_ c: RGB) -> RGB {
            mix(c, lead * (0.25 + 0.75 * min(luminance(c) * 2, 1)), amount)
        }
        sky = sky.map(dulled)
        glow *= 1 - 0.7 * amount
        light *= 1 - 0.8 * amount
        for path in Self.tinted where path != \Palette.glow {
            self[keyPath: path] = dulled(self[keyPath: path])
        }
        leaf = mix(leaf, saturate(leaf, by: 0.6) * 0.7, amount)
        snow = mix(snow, srgb(0xC9D0D8), amount)
    }
}

// One palette in five rows reads as the table it is.
// swift-format-ignore
extension Palette {
    static let dawns = [
        Palette(
            sky: [0x4E74B0, 0x86A0D2, 0xC3B4DA, 0xF3C3C6, 0xFFE1BC],
            glow: 0xFFB27A, light: 0xFFF1D0, brightness: 3.2,
            cloud: (0xFFC9B0, 0x8E8FBE), haze: 0xE6BFC8, land: (0x2E3354, 0x9A7A86),
            leaf: 0x35445A, snow: (0xFFDDD0, 0x8FA3D0), water: 0x3D5480),
        Palette(
            sky: [0x2B4A80, 0x5C7BB0, 0xA793BC, 0xEFA9A2, 0xFFD49A],
            glow: 0xFF9A62, light: 0xFFE9BC, brightness: 3.4,
            cloud: (0xFFAE8E, 0x6C6C9E), haze: 0xD59FAC, land: (0x1F2547, 0x8A5F70),
            leaf: 0x29394C, snow: (0xFFCDBB, 0x7488BE), water: 0x2B4474),
        Palette(
            sky: [0x5B93B8, 0x98BFC9, 0xD6D8C4, 0xF8D9A8, 0xFFE9BE],
            glow: 0xFFC878, light: 0xFFF5D8, brightness: 3,
            cloud: (0xFFE3BF, 0x93A3B4), haze: 0xE3D3BE, land: (0x2C4048, 0x938A6C),
            leaf: 0x3A5548, snow: (0xFFEEDD, 0x93B0C8), water: 0x3C6478),
    ]
    static let days = [
        Palette(
            sky: [0x1B58AE, 0x3C84CF, 0x78B2E4, 0xB4D7EE, 0xDFEDF2],
            glow: 0xFFF3D4, light: 0xFFFBF0, brightness: 3.4,
            cloud: (0xFFFDF8, 0x9DB2CB), haze: 0x8DB2D6, land: (0x34444A, 0x9C9278),
            leaf: 0x3F6B34, snow: (0xFFFFFF, 0x7F9FD0), water: 0x12507C),
        Palette(
            sky: [0x2A6F9E, 0x4E9CC0, 0x8CC6D2, 0xC4E2DC, 0xECF2E2],
            glow: 0xFFEFC4, light: 0xFFFAE8, brightness: 3.2,
            cloud: (0xFFFCF2, 0xA2B8C0), haze: 0x94BCC8, land: (0x36463E, 0xA29470),
            leaf: 0x4A7238, snow: (0xFFFFFA, 0x7FA6C4), water: 0x14606E),
    ]
    static let storms = [
        Palette(
            sky: [0x1B2430, 0x2E3B49, 0x4A5B69, 0x7C8C92, 0xC4C2AC],
            glow: 0xD8CFA8, light: 0xF4EED8, brightness: 1.5,
            cloud: (0xA9B4B8, 0x222C38), haze: 0x7A8A92, land: (0x161C22, 0x4A545A),
            leaf: 0x1E2A28, snow: (0xC4D0D8, 0x566878), water: 0x14242C),
        Palette(
            sky: [0x161A2E, 0x2A2E4A, 0x4A4A68, 0x857A86, 0xDDB694],
            glow: 0xF0B080, light: 0xFCE4C4, brightness: 1.5,
            cloud: (0xC0A6A0, 0x1E2036), haze: 0x7E7684, land: (0x12141F, 0x50495A),
            leaf: 0x1A2028, snow: (0xD0C4C8, 0x54587A), water: 0x161C30),
    ]
    static let sunsets = [
        Palette(
            sky: [0x24335F, 0x56477F, 0xA45A85, 0xF0826A, 0xFFC67C],
            glow: 0xFF8A3C, light: 0xFFEDB4, brightness: 4.4,
            cloud: (0xFF9A5E, 0x59406E), haze: 0xD9846F, land: (0x1B1530, 0x8A4552),
            leaf: 0x221B30, snow: (0xFFB48E, 0x6A5A92), water: 0x2C2B58),
        Palette(
            sky: [0x1D2247, 0x47305F, 0x95395F, 0xE8593F, 0xFFB04E],
            glow: 0xFF6A28, light: 0xFFE29A, brightness: 4.6,
            cloud: (0xFF7A45, 0x452C55), haze: 0xC75F4C, land: (0x160F24, 0x7C3340),
            leaf: 0x1C1424, snow: (0xFF9E78, 0x584A80), water: 0x231E44),
        Palette(
            sky: [0x3A6486, 0x7FA0AC, 0xD3B8A4, 0xF5A46C, 0xFFD690],
            glow: 0xFFA04C, light: 0xFFF0BE, brightness: 4.2,
            cloud: (0xFFBE84, 0x7C7286), haze: 0xDCA284, land: (0x1E2634, 0x8E6454),
            leaf: 0x243034, snow: (0xFFCBA2, 0x7E86A6), water: 0x2C4660),
        Palette(
            sky: [0x33315F, 0x6C5490, 0xB377A8, 0xF29CA0, 0xFFCFA0],
            glow: 0xFF8C6A, light: 0xFFE6C4, brightness: 4.2,
            cloud: (0xFFA898, 0x66507E), haze: 0xCF8CA2, land: (0x1D1836, 0x80506C),
            leaf: 0x261F3A, snow: (0xFFBFB0, 0x7868A2), water: 0x34306A),
    ]
    static let nights = [
        Palette(
            sky: [0x050A1E, 0x0A1536, 0x14264F, 0x223D6C, 0x3A5A86],
            glow: 0x8FB4E8, light: 0xF4F2E4, brightness: 1.5,
            cloud: (0x7F9AC4, 0x0D1836), haze: 0x1A2F55, land: (0x040812, 0x24365A),
            leaf: 0x060C16, snow: (0x9DB4DC, 0x2A4070), water: 0x081630),
        Palette(
            sky: [0x0B0722, 0x19103E, 0x2D1F5C, 0x4C3578, 0x7A5590],
            glow: 0xC0A4E8, light: 0xF6EEE6, brightness: 1.5,
            cloud: (0x9A86C4, 0x150E32), haze: 0x30235A, land: (0x080514, 0x362A5A),
            leaf: 0x0A0818, snow: (0xB4A8DC, 0x3C3070), water: 0x120C34),
        Palette(
            sky: [0x03121C, 0x08222F, 0x103A48, 0x1E5660, 0x3C7A7C],
            glow: 0x9CDCD0, light: 0xF2F4E8, brightness: 1.5,
            cloud: (0x7EB0B4, 0x08202A), haze: 0x153C48, land: (0x030A0E, 0x1E4248),
            leaf: 0x050E10, snow: (0x9CC8CC, 0x1E4C5C), water: 0x06222C),
    ]
    static let neons = [
        Palette(
            sky: [0x0A0524, 0x22094A, 0x5A1280, 0xB81E92, 0xFF5C9E],
            glow: 0xFF3C9C, light: 0xFFD84A, brightness: 1.25,
            cloud: (0xFF6AC0, 0x2C0C58), haze: 0x8A1E9A, land: (0x08041C, 0x4A1A8A),
            leaf: 0x0E0628, snow: (0x6AE8FF, 0x4A24A0), water: 0x160A44),
        Palette(
            sky: [0x04061E, 0x0C1250, 0x2E1E90, 0x8A28B4, 0xFF6AB4],
            glow: 0xD03CE8, light: 0xFFC65A, brightness: 1.25,
            cloud: (0x9A7AFF, 0x10104E), haze: 0x6428A8, land: (0x04041A, 0x22308C),
            leaf: 0x080828, snow: (0x7AF4FF, 0x3030A8), water: 0x0A0E4A),
    ]
}
