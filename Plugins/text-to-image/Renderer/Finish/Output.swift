// From light to bytes: film tones first, then (after a style has had its way) grain and dither.

/// Turns light into film tones: afterwards a canvas holds what the eye sees, 0...1 per channel,
/// as the root of linear light.
struct Tone: Sendable {
    /// Strength of the S curve.
    var contrast: Float = 0.12
    /// 1 leaves colours as they are.
    var saturation: Float = 1.06
    /// Darkening of the corners.
    var vignette: Float = 0.16

    func paint(_ y: Int, of canvas: Canvas) {
        let frame = canvas.frame
        let row = canvas.row(y)
        let v = frame.v(y) - 0.5
        let corner = 1 / (frame.reach * frame.reach + 0.25)
        for x in 0..<frame.width {
            let u = frame.u(x)
            let shade = 1 - vignette * ramp(0.3, 1.15, (u * u + v * v) * corner)
            row[x] = curve(row[x] * shade)
        }
    }

    /// A shoulder for the lights, a gentle S for the rest.
    @inline(__always)
    private func curve(_ light: RGB) -> RGB {
        let colour = saturate(light, by: saturation)
        let knee: Float = 0.62
        var root = RGB(repeating: 0)
        for channel in 0..<3 {
            let over = colour[channel] - knee
            let soft = over > 0 ? knee + (1 - knee) * over / (over + (1 - knee)) : colour[channel]
            let r = soft.squareRoot()
            root[channel] = r + contrast * r * (1 - r) * (r * 2 - 0.9)
        }
        return root
    }
}

/// Writes roots of light as sRGB bytes, with grain and a dither that leaves no bands.
struct Encoder: Sendable {
    private let grain: Float
    private let seed: UInt32
    /// sRGB bytes (as Float, for dither) by the root of linear light.
    private let table: [Float]
    private static let last = 4095

    init(grain: Float, seed: UInt64) {
        self.grain = grain
        self.seed = UInt32(truncatingIfNeeded: seed ^ (seed >> 32))
        table = (0...Self.last).map { step in
            let root = Float(step) / Float(Self.last)
            let light = root * root
            return 255 * (light <= 0.003_130_8 ? light * 12.92 : 1.055 * power(light, 1 / 2.4) - 0.055)
        }
    }

    func write(_ y: Int, of canvas: Canvas, into bytes: UnsafeMutablePointer<UInt8>) {
        let width = canvas.frame.width
        let source = canvas.row(y)
        let out = bytes + y * width * 3
        for x in 0..<width {
            let root = source[x]
            let first = scramble(Int32(x), Int32(y), seed)
            let speck = (Float(first & 0xFFFF) + Float(first >> 16)) * 0x1p-16 - 1
            let noise = speck * grain * max(0, 1.15 - luminance(root))
            for channel in 0..<3 {
                // Without grain the colours are meant to be exactly equal, so nothing is scattered.
                let dither = grain > 0 ? scatter(Int32(x), Int32(y), seed &+ UInt32(channel) &* 7919) : 0.5
                let value = table[Int(clamp(root[channel] + noise) * Float(Self.last))]
                out[x * 3 + channel] = UInt8(min(255, value + dither))
            }
        }
    }
}
