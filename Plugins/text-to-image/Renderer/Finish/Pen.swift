// Drawings: pencil hatching on warm paper, or pen lines with grey washes on white.

struct Pen: Sendable {
    let result: Canvas
    private let source: Canvas
    private let noise: Noise
    private let washes: Bool
    private let levels: Levels

    init(_ source: Canvas, noise: Noise, washes: Bool) {
        self.source = source
        self.noise = noise
        self.washes = washes
        levels = Levels(source, middle: washes ? 0.62 : 0.66)
        result = Canvas(source.frame)
    }

    func stages() -> [Stage] {
        levels.stages() + [Stage(rows: 0..<source.frame.height, weight: 4) { for y in $0 { draw(y) } }]
    }

    private func draw(_ y: Int) {
        let frame = source.frame
        let row = result.row(y)
        let v = frame.v(y)
        for x in 0..<frame.width {
            let u = frame.u(x)
            let tooth = noise.fractal(u * 170, v * 170, octaves: 2)
            let light = levels(luminance(source.nearest(x, y)))
            let line = contour(x, y)
            row[x] = washes ? ink(u, v, light, line, tooth) : pencil(u, v, light, line, tooth)
        }
    }

    private func pencil(_ u: Float, _ v: Float, _ light: Float, _ line: Float, _ tooth: Float) -> RGB {
        let paper = RGB(0.965, 0.945, 0.9) * (1 + tooth * 0.02)
        let lead = RGB(0.19, 0.18, 0.2)
        // Each direction of hatching starts where the one before is not dark enough.
        var dark = hatch(u, v, slant: 0.5, pitch: 0.0098, amount: ramp(0.9, 0.4, light))
        dark += hatch(u, v, slant: -0.9, pitch: 0.0104, amount: ramp(0.62, 0.2, light)) * 0.9
        dark += hatch(u, v, slant: 3, pitch: 0.0092, amount: ramp(0.36, 0.05, light)) * 0.8
        dark += ramp(0.7, 0, light) * 0.28
        let grain = clamp(0.82 + tooth * 0.85)
        return mix(paper, lead, clamp((dark * 0.72 + line * 0.95) * grain))
    }

    private func ink(_ u: Float, _ v: Float, _ light: Float, _ line: Float, _ tooth: Float) -> RGB {
        let paper = RGB(0.975, 0.968, 0.945) * (1 + tooth * 0.015)
        let bleed = noise.fractal(u * 6, v * 6, octaves: 4) * 0.07
        let level = clamp(light + bleed) * 5
        let step = level.rounded(.down)
        let wash = (step + ramp(0.78, 1, level - step)) / 5
        let shade = 1 - wash
        let tone = shade * shade * 0.62 + shade * 0.3
        let hatched = hatch(u, v, slant: 0.7, pitch: 0.0094, amount: ramp(0.3, 0.05, light)) * 0.4
        return mix(paper, RGB(0.1, 0.115, 0.15), clamp(tone + hatched + line * 1.5))
    }

    /// Parallel strokes that waver and lift off the paper.
    @inline(__always)
    private func hatch(_ u: Float, _ v: Float, slant: Float, pitch: Float, amount: Float) -> Float {
        guard amount > 0 else { return 0 }
        let wide = max(pitch, source.frame.pixel * 3.6)
        let along = (u + v * slant) / (1 + slant * slant).squareRoot()
        let across = (v - u * slant) / (1 + slant * slant).squareRoot()
        let waver = noise(along * 6, across * 3) * 0.6 + noise(along * 30, across * 12) * 0.1
        let place = across / wide + waver
        let off = abs(place - (place + 0.5).rounded(.down)) * 2
        let lift = noise(along * 14 + (place + 0.5).rounded(.down) * 7.3, 3) * 0.4 + 0.8
        return ramp(amount, amount * 0.3, off) * clamp(lift) * (0.35 + 0.65 * amount)
    }

    /// Lines where the picture changes.
    @inline(__always)
    private func contour(_ x: Int, _ y: Int) -> Float {
        let reach = max(1, Int(0.0017 / source.frame.pixel))
        let across = source.nearest(x + reach, y) - source.nearest(x - reach, y)
        let down = source.nearest(x, y + reach) - source.nearest(x, y - reach)
        return ramp(
            washes ? 0.12 : 0.06,
            washes ? 0.55 : 0.42,
            (across * across + down * down).sum().squareRoot()
        )
    }
}
