// A drawing has its own scale of tones, from bare paper to full black, whatever the hour of the scene.

/// Spreads the tones of a canvas over the range a drawing needs.
///
/// Unchecked: written by the one unit of its stage, read in later stages only.
final class Levels: @unchecked Sendable {
    private let source: Canvas
    private var low: Float = 0
    private var high: Float = 1
    private var gamma: Float = 1
    /// Where the median tone is put.
    private let middle: Float

    init(_ source: Canvas, middle: Float) {
        self.source = source
        self.middle = middle
    }

    func stages() -> [Stage] {
        [Stage(rows: 0..<1, weight: Double(source.frame.height) * 0.1) { _ in self.measure() }]
    }

    /// The tone for a luminance, 0...1.
    @inline(__always)
    func callAsFunction(_ light: Float) -> Float {
        power(clamp((light - low) / (high - low)), gamma)
    }

    private func measure() {
        let count = source.frame.width * source.frame.height
        let step = max(1, count / 4000)
        let tones = stride(from: 0, to: count, by: step).map { luminance(source.pixels[$0]) }.sorted()
        low = tones[tones.count / 50]
        high = max(low + 0.1, tones[tones.count - 1 - tones.count / 40])
        let median = min(max((tones[tones.count / 2] - low) / (high - low), 0.05), 0.95)
        gamma = min(max(log2(middle) / log2(median), 0.4), 2.2)
    }
}
