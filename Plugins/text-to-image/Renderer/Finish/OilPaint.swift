// Oil paint: strokes from broad to fine, each of one colour, laid along the forms,
// their ridges catching the light.

struct OilPaint: Sendable {
    let result: Canvas
    private let source: Canvas
    private let coats: [Coat]

    private struct Stroke: Sendable {
        var centre: SIMD2<Float>
        var seed: UInt32
    }

    /// Strokes of one size, ordered from the top, each list in the order of painting.
    private struct Coat: Sendable {
        var length: Float
        var width: Float
        /// How different a place must be from the coat below to be painted again.
        var care: Float
        var strokes: [Stroke]
    }

    init(_ source: Canvas, seed: UInt64) {
        self.source = source
        result = Canvas(source.frame)
        let frame = source.frame
        var random = Random(seed: seed, stream: "oil")
        let small = Float(min(frame.width, frame.height))
        let sizes: [(Float, Float)] = [(0.03, 0), (0.015, 0.012), (0.0085, 0.03), (0.005, 0.07)]
        coats = sizes.map { size, care in
            let width = max(2.2, small * size)
            return Coat(
                length: width * 2.2,
                width: width,
                care: care,
                strokes: Self.scatter(frame, pitch: width * 0.58, &random)
            )
        }
    }

    private static func scatter(_ frame: Frame, pitch: Float, _ random: inout Random) -> [Stroke] {
        var strokes: [Stroke] = []
        for y in 0...Int(Float(frame.height) / pitch) {
            for x in 0...Int(Float(frame.width) / pitch) {
                let jitter = SIMD2(random.unit(), random.unit())
                let centre = (SIMD2(Float(x), Float(y)) + jitter) * pitch
                strokes.append(Stroke(centre: centre, seed: UInt32(truncatingIfNeeded: random.next())))
            }
        }
        // Painted in no order the eye could follow, yet the same each time.
        return strokes.sorted { $0.seed < $1.seed }
    }

    /// Bands paint every stroke that touches them, clipped, in the same order: where a band ends
    /// cannot be seen.
    func stages() -> [Stage] {
        [Stage(rows: 0..<source.frame.height, band: 32, weight: 5) { paint($0) }]
    }

    private func paint(_ rows: Range<Int>) {
        let frame = source.frame
        for y in rows {
            for x in 0..<frame.width {
                result.row(y)[x] = source.nearest(x, y)
            }
        }
        for coat in coats {
            let reach = coat.length + coat.width
            for stroke in coat.strokes
            where stroke.centre.y + reach > Float(rows.lowerBound)
                && stroke.centre.y - reach < Float(rows.upperBound)
            {
                paint(stroke, of: coat, rows)
            }
        }
    }

    private func paint(_ stroke: Stroke, of coat: Coat, _ rows: Range<Int>) {
        let centre = SIMD2(Int(stroke.centre.x), Int(stroke.centre.y))
        let colour = source.nearest(centre.x, centre.y)
        let slope = gradient(centre.x, centre.y, reach: max(2, Int(coat.width * 0.6)))
        let strength = (slope * slope).sum().squareRoot()
        // Fine strokes only where there is something to describe.
        guard strength >= coat.care else { return }
        let direction = along(slope, strength, stroke)
        var state = Random(seed: UInt64(stroke.seed))
        let tone = colour * (1 + state.value(in: -0.09...0.09))
        let hue = RGB(state.value(in: -0.018...0.018), 0, state.value(in: -0.018...0.018))
        let length = coat.length * state.value(in: 0.6...1.15)
        lay(tone + hue, centre: stroke.centre, direction, length, coat.width * 0.5, stroke.seed, rows)
    }

    /// Along the edge of the form; in flat places along a slow swirl.
    private func along(_ slope: SIMD2<Float>, _ strength: Float, _ stroke: Stroke) -> SIMD2<Float> {
        let frame = source.frame
        let place = stroke.centre * frame.pixel
        let swirl = Noise(seed: 77)(place.x * 2.2, place.y * 3) * 0.22
        let calm = SIMD2(cosine(turns: swirl), sine(turns: swirl))
        guard strength > 0.02 else { return calm }
        let edge = SIMD2(-slope.y, slope.x) / strength
        let turned = (edge * calm).sum() < 0 ? -edge : edge
        let blend = calm * 0.18 + turned * min(1, strength * 10)
        return blend / max(1e-4, (blend * blend).sum().squareRoot())
    }

    private func gradient(_ x: Int, _ y: Int, reach: Int) -> SIMD2<Float> {
        SIMD2(
            luminance(source.nearest(x + reach, y)) - luminance(source.nearest(x - reach, y)),
            luminance(source.nearest(x, y + reach)) - luminance(source.nearest(x, y - reach))
        )
    }

    private func lay(
        _ colour: RGB,
        centre: SIMD2<Float>,
        _ direction: SIMD2<Float>,
        _ length: Float,
        _ half: Float,
        _ seed: UInt32,
        _ rows: Range<Int>
    ) {
        let spanX = abs(direction.x) * length + half
        let spanY = abs(direction.y) * length + half
        let left = max(0, Int(centre.x - spanX))
        let right = min(source.frame.width - 1, Int(centre.x + spanX))
        let top = max(rows.lowerBound, Int(centre.y - spanY))
        let bottom = min(rows.upperBound - 1, Int(centre.y + spanY))
        guard left <= right, top <= bottom else { return }
        let bristles = max(3, half * 0.9)
        for y in top...bottom {
            let row = result.row(y)
            for x in left...right {
                let off = SIMD2(Float(x) + 0.5, Float(y) + 0.5) - centre
                let a = (off * direction).sum() / length
                let b = (off.y * direction.x - off.x * direction.y) / half
                guard abs(a) < 1, abs(b) < 1 else { continue }
                let hair = ProceduralRenderer.scatter(Int32((b + 1) * bristles), 5, seed)
                let body = ramp(1, 0.55, abs(b)) * ramp(1, 0.72 - hair * 0.3, abs(a))
                guard body > 0 else { continue }
                let ridge = (hair - 0.5) * 0.075 - b * 0.04
                row[x] = mix(row[x], colour * (1 + ridge), min(1, body * (0.75 + 0.35 * hair)))
            }
        }
    }
}
