// Pigment in water on rough paper: it pools at edges, settles in the grain, and stops short
// of the border.

struct WatercolorPaper: Sendable {
    let result: Canvas
    private let source: Canvas
    private let noise: Noise
    private let paper = RGB(0.985, 0.972, 0.94)

    init(_ source: Canvas, noise: Noise) {
        self.source = source
        self.noise = noise
        result = Canvas(source.frame)
    }

    func stages() -> [Stage] {
        [Stage(rows: 0..<source.frame.height, weight: 4) { for y in $0 { paint(y) } }]
    }

    private func paint(_ y: Int) {
        let frame = source.frame
        let row = result.row(y)
        let v = frame.v(y)
        for x in 0..<frame.width {
            let u = frame.u(x)
            // Bumps of the paper are as large as on a sheet held at arm's length.
            let tooth = noise.fractal(u * 150, v * 150, octaves: 2)
            let pool = noise.fractal(u * 4.5, v * 4.5, octaves: 4)
            let edge = edges(x, y)
            let colour = source.nearest(x, y)
            // Washes vary in strength; water leaves pale blooms and dark rims.
            let wash = 0.8 + pool * 0.24 + tooth * 0.085 * (1.25 - luminance(colour)) + edge * 1.15
            let lifted = mix(colour, paper, 0.1)
            let pigment = absorb(lifted / paper, wash) * paper
            let stain = border(u, v, frame)
            let shade = 1 + tooth * 0.014
            row[x] = mix(paper * shade, pigment * shade, stain)
        }
    }

    /// Light through a layer of pigment `amount` times as thick.
    @inline(__always)
    private func absorb(_ colour: RGB, _ amount: Float) -> RGB {
        var out = RGB(repeating: 0)
        for channel in 0..<3 {
            out[channel] = power(max(colour[channel], 0.02), amount)
        }
        return out
    }

    /// How much darker the pixel is than its surroundings are on the other side of an edge.
    @inline(__always)
    private func edges(_ x: Int, _ y: Int) -> Float {
        let reach = max(1, Int(0.0035 / source.frame.pixel))
        let across = source.nearest(x + reach, y) - source.nearest(x - reach, y)
        let down = source.nearest(x, y + reach) - source.nearest(x, y - reach)
        let strength = (across * across + down * down).sum().squareRoot()
        return min(strength, 0.42)
    }

    /// 0 on the bare border, 1 inside, with a darker ragged rim between.
    @inline(__always)
    private func border(_ u: Float, _ v: Float, _ frame: Frame) -> Float {
        let small = min(1, frame.reach * 2)
        let inset = min(min(u + frame.reach, frame.reach - u), min(v, 1 - v)) / small
        let ragged = inset - 0.035 + noise.fractal(u * 7 + 9, v * 7, octaves: 4) * 0.02
        let dry = noise.fractal(u * 60, v * 22, octaves: 2) * 0.008
        return ramp(-0.002, 0.006, ragged + dry)
    }
}
