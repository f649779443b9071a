// The glare of bright things in a lens.

/// The glare of bright things in a lens: a blurred copy of what is over-bright, added back.
struct Bloom: Sendable {
    private let source: Canvas
    private let small: Canvas
    private let spare: Canvas
    private let strength: Float
    private let threshold: Float
    private static let shrink = 4

    init(_ source: Canvas, strength: Float, threshold: Float) {
        self.source = source
        self.strength = strength
        self.threshold = threshold
        let frame = source.frame
        let size = Frame(
            width: max(1, (frame.width + Self.shrink - 1) / Self.shrink),
            height: max(1, (frame.height + Self.shrink - 1) / Self.shrink)
        )
        small = Canvas(size)
        spare = Canvas(size)
    }

    /// Stages that leave the glare added to the source.
    func stages() -> [Stage] {
        let rows = 0..<small.frame.height
        let radius = max(1, small.frame.height / 28)
        var stages = [Stage(rows: rows, weight: 0.3) { for y in $0 { gather(y) } }]
        for _ in 0..<2 {
            stages.append(Stage(rows: rows, weight: 0.2) { for y in $0 { blurAcross(y, radius) } })
            stages.append(
                Stage(rows: 0..<small.frame.width, weight: 0.2) { for x in $0 { blurDown(x, radius) } }
            )
        }
        stages.append(Stage(rows: 0..<source.frame.height, weight: 0.1) { for y in $0 { spread(y) } })
        return stages
    }

    private func gather(_ y: Int) {
        for x in 0..<small.frame.width {
            var sum = RGB(repeating: 0)
            for dy in 0..<Self.shrink {
                for dx in 0..<Self.shrink {
                    let colour = source.nearest(x * Self.shrink + dx, y * Self.shrink + dy)
                    let over = max(0, luminance(colour) - threshold)
                    sum += colour * min(over, 1.5)
                }
            }
            small.row(y)[x] = sum / Float(Self.shrink * Self.shrink)
        }
    }

    private func blurAcross(_ y: Int, _ radius: Int) {
        let width = small.frame.width
        slide(from: small.row(y), to: spare.row(y), count: width, step: 1, radius: radius)
    }

    private func blurDown(_ x: Int, _ radius: Int) {
        let frame = small.frame
        slide(
            from: spare.pixels + x,
            to: small.pixels + x,
            count: frame.height,
            step: frame.width,
            radius: radius
        )
    }

    /// A running mean.
    private func slide(
        from: UnsafeMutablePointer<RGB>,
        to: UnsafeMutablePointer<RGB>,
        count: Int,
        step: Int,
        radius: Int
    ) {
        var sum = RGB(repeating: 0)
        for i in -radius...radius {
            sum += from[min(max(i, 0), count - 1) * step]
        }
        let share = 1 / Float(radius * 2 + 1)
        for i in 0..<count {
            to[i * step] = sum * share
            sum += from[min(i + radius + 1, count - 1) * step] - from[max(i - radius, 0) * step]
        }
    }

    private func spread(_ y: Int) {
        let row = source.row(y)
        let scale = 1 / Float(Self.shrink)
        for x in 0..<source.frame.width {
            row[x] += small.sample((Float(x) + 0.5) * scale, (Float(y) + 0.5) * scale) * strength
        }
    }
}
