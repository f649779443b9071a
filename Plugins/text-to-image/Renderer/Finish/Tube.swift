// The look of an old monitor for the neon style.

/// Scan lines, and colours that part towards the edges of the glass.
struct Tube: Sendable {
    let result: Canvas
    private let source: Canvas

    init(_ source: Canvas) {
        self.source = source
        result = Canvas(source.frame)
    }

    func stages() -> [Stage] {
        [Stage(rows: 0..<source.frame.height, weight: 0.5) { for y in $0 { paint(y) } }]
    }

    private func paint(_ y: Int) {
        let frame = source.frame
        let row = result.row(y)
        let pitch = max(2, frame.height / 170)
        let line: Float = y % pitch == 0 ? 0.9 : 1.015
        let py = Float(y) + 0.5
        for x in 0..<frame.width {
            let px = Float(x) + 0.5
            let shift = frame.u(x) * 0.005 / frame.pixel
            let red = source.sample(px + shift, py).x
            let green = source.nearest(x, y).y
            let blue = source.sample(px - shift, py).z
            row[x] = RGB(red, green, blue) * line
        }
    }
}
