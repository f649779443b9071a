// A brush's way of seeing: flat patches with firm edges.

/// The Kuwahara filter: each pixel takes the mean of the calmest of the four squares around it.
struct Kuwahara: Sendable {
    let result: Canvas
    private let source: Canvas
    private let radius: Int
    /// How far the picture is shifted about first, in scene units.
    private let wobble: Float
    private let noise: Noise

    init(_ source: Canvas, radius: Int, wobble: Float, noise: Noise) {
        self.source = source
        self.radius = min(radius, 9)
        self.wobble = wobble
        self.noise = noise
        result = Canvas(source.frame)
    }

    func stages() -> [Stage] {
        [Stage(rows: 0..<source.frame.height, weight: 4) { for y in $0 { filter(y) } }]
    }

    private func filter(_ y: Int) {
        let frame = source.frame
        let row = result.row(y)
        for x in 0..<frame.width {
            var place = SIMD2(x, y)
            if wobble > 0 {
                let u = frame.u(x) * 9
                let v = frame.v(y) * 9
                let shift = wobble / frame.pixel
                place.x += Int((noise.fractal(u, v, octaves: 3) * shift).rounded())
                place.y += Int((noise.fractal(u + 50, v, octaves: 3) * shift).rounded())
            }
            row[x] = calmest(place.x, place.y)
        }
    }

    @inline(__always)
    private func calmest(_ x: Int, _ y: Int) -> RGB {
        var best = RGB(repeating: 0)
        var least = Float.infinity
        for (dx, dy) in [(-radius, -radius), (0, -radius), (-radius, 0), (0, 0)] {
            let (mean, spread) = square(x + dx, y + dy)
            if spread < least {
                least = spread
                best = mean
            }
        }
        return best
    }

    @inline(__always)
    private func square(_ left: Int, _ top: Int) -> (RGB, Float) {
        var sum = RGB(repeating: 0)
        var squares = RGB(repeating: 0)
        // A quarter of the pixels of a large square tells as much.
        let step = radius > 3 ? 2 : 1
        var count: Float = 0
        for y in stride(from: top, through: top + radius, by: step) {
            for x in stride(from: left, through: left + radius, by: step) {
                let colour = source.nearest(x, y)
                sum += colour
                squares += colour * colour
                count += 1
            }
        }
        let mean = sum / count
        return (mean, (squares / count - mean * mean).sum())
    }
}
