// Pictures of a few chosen colours: pixel art and printed posters.

/// Repaints a canvas in the colours that represent it best.
struct FewColours: Sendable {
    let result: Canvas
    private let source: Canvas
    /// The picture at one sample per cell.
    private let cells: Canvas
    private let cell: Int
    private let dither: Float
    private let choice: Choice

    /// Unchecked: written by the one unit of a stage, read in later stages only.
    private final class Choice: @unchecked Sendable {
        var colours: [RGB] = []
        let count: Int

        init(count: Int) {
            self.count = count
        }
    }

    /// - Parameters:
    ///   - cell: side of a visible pixel, in pixels of the picture.
    ///   - dither: how far neighbouring colours are woven into each other; 0 keeps edges smooth instead.
    init(_ source: Canvas, cell: Int, colours: Int, dither: Float) {
        self.source = source
        self.cell = cell
        self.dither = dither
        choice = Choice(count: colours)
        let frame = source.frame
        cells = Canvas(
            Frame(width: (frame.width + cell - 1) / cell, height: (frame.height + cell - 1) / cell)
        )
        result = Canvas(frame)
    }

    func stages() -> [Stage] {
        [
            Stage(rows: 0..<cells.frame.height, weight: 0.3) { for y in $0 { gather(y) } },
            Stage(rows: 0..<1, weight: Double(source.frame.height)) { _ in choose() },
            Stage(rows: 0..<source.frame.height, weight: 1) { for y in $0 { fill(y) } },
        ]
    }

    private func gather(_ y: Int) {
        for x in 0..<cells.frame.width {
            var sum = RGB(repeating: 0)
            for dy in 0..<cell {
                for dx in 0..<cell {
                    sum += source.nearest(x * cell + dx, y * cell + dy)
                }
            }
            cells.row(y)[x] = sum / Float(cell * cell)
        }
    }

    /// A few rounds of k-means.
    private func choose() {
        let frame = cells.frame
        let step = max(1, frame.width * frame.height / 6000)
        let samples = stride(from: 0, to: frame.width * frame.height, by: step).map { cells.pixels[$0] }
        var colours = start(samples)
        for _ in 0..<8 {
            var sums = [RGB](repeating: .zero, count: colours.count)
            var counts = [Float](repeating: 0, count: colours.count)
            for sample in samples {
                let index = Self.nearest(sample, colours).0
                sums[index] += sample
                counts[index] += 1
            }
            for index in colours.indices where counts[index] > 0 {
                colours[index] = sums[index] / counts[index]
            }
        }
        choice.colours = colours
    }

    /// Half of the colours spread by brightness, for the large areas; each of the rest as far as can
    /// be from those before it, so that a small bright light keeps its colour.
    private func start(_ samples: [RGB]) -> [RGB] {
        let sorted = samples.sorted { luminance($0) < luminance($1) }
        let half = choice.count / 2
        var colours = (0..<half).map {
            sorted[min(sorted.count - 1, ($0 * 2 + 1) * sorted.count / (half * 2))]
        }
        var distances = sorted.map { Self.nearest($0, colours).1 }
        while colours.count < choice.count {
            let farthest = distances.indices.max { distances[$0] < distances[$1] } ?? 0
            colours.append(sorted[farthest])
            for (index, sample) in sorted.enumerated() {
                let off = sample - sorted[farthest]
                distances[index] = min(distances[index], (off * off).sum())
            }
        }
        return colours
    }

    /// The nearest colour and the next one, with their squared distances.
    @inline(__always)
    private static func nearest(_ colour: RGB, _ choices: [RGB]) -> (Int, Float, Int, Float) {
        var (first, least) = (0, Float.infinity)
        var (second, next) = (0, Float.infinity)
        for (index, candidate) in choices.enumerated() {
            let off = candidate - colour
            let distance = (off * off).sum()
            if distance < least {
                (second, next) = (first, least)
                (first, least) = (index, distance)
            } else if distance < next {
                (second, next) = (index, distance)
            }
        }
        return (first, least, second, next)
    }

    private func fill(_ y: Int) {
        let row = result.row(y)
        let colours = choice.colours
        for x in 0..<source.frame.width {
            if cell > 1 {
                let place = (x / cell, y / cell)
                let threshold = Self.bayer[(place.1 & 3) * 4 + (place.0 & 3)] / 16 - 0.47
                let wanted = cells.nearest(place.0, place.1) + threshold * dither
                row[x] = colours[Self.nearest(wanted, colours).0]
            } else {
                row[x] = smooth(source.nearest(x, y), colours)
            }
        }
    }

    /// Near the border of two colours a narrow blend, so that edges have no steps.
    @inline(__always)
    private func smooth(_ colour: RGB, _ colours: [RGB]) -> RGB {
        let (first, least, second, next) = Self.nearest(colour, colours)
        let off = colours[first] - colours[second]
        let apart = max(1e-6, (off * off).sum())
        let t = clamp(0.5 + (next - least) / apart * 5)
        return mix(colours[second], colours[first], t)
    }

    private static let bayer: [Float] = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5]
}
