// What a style does to the painted light.

/// The finishing of a style: its tones, its treatment of the toned picture, its grain.
struct Finish: Sendable {
    let style: PictureStyle
    let tone: Tone
    let grain: Float
    private let noise: Noise
    private let seed: UInt64

    init(_ style: PictureStyle, seed: UInt64) {
        self.style = style
        self.seed = seed
        var random = Random(seed: seed, stream: "finish")
        noise = random.noise()
        switch style {
        case .realistic:
            tone = Tone()
            grain = 0.014
        case .watercolor:
            tone = Tone(contrast: 0, saturation: 1.12, vignette: 0)
            grain = 0.006
        case .oil:
            tone = Tone(contrast: 0.2, saturation: 1.22, vignette: 0.08)
            grain = 0.004
        case .pixel, .poster:
            tone = Tone(contrast: 0.18, saturation: 1.16, vignette: 0)
            grain = 0
        case .sketch, .ink:
            tone = Tone(contrast: 0.1, saturation: 1, vignette: 0)
            grain = 0.01
        case .anime:
            tone = Tone(contrast: 0.16, saturation: 1.28, vignette: 0.04)
            grain = 0.003
        case .neon:
            tone = Tone(contrast: 0.2, saturation: 1.15, vignette: 0.28)
            grain = 0.012
        }
    }

    /// The stages that treat a toned canvas, and the canvas that holds the result.
    func stages(_ canvas: Canvas) -> ([Stage], Canvas) {
        switch style {
        case .realistic: return ([], canvas)
        case .watercolor:
            let smooth = Kuwahara(canvas, radius: radius(canvas, 0.009), wobble: 0.006, noise: noise)
            let paper = WatercolorPaper(smooth.result, noise: noise)
            return (smooth.stages() + paper.stages(), paper.result)
        case .oil:
            let smooth = Kuwahara(canvas, radius: radius(canvas, 0.004), wobble: 0, noise: noise)
            let oil = OilPaint(smooth.result, seed: seed)
            return (smooth.stages() + oil.stages(), oil.result)
        case .anime:
            let smooth = Kuwahara(canvas, radius: radius(canvas, 0.005), wobble: 0, noise: noise)
            return (smooth.stages(), smooth.result)
        case .poster:
            let smooth = Kuwahara(canvas, radius: radius(canvas, 0.004), wobble: 0, noise: noise)
            let print = FewColours(smooth.result, cell: 1, colours: 16, dither: 0)
            return (smooth.stages() + print.stages(), print.result)
        case .pixel:
            let side = min(canvas.frame.width, canvas.frame.height)
            let pixels = FewColours(canvas, cell: max(2, (side + 70) / 140), colours: 28, dither: 0.034)
            return (pixels.stages(), pixels.result)
        case .sketch, .ink:
            let smooth = Kuwahara(canvas, radius: radius(canvas, 0.004), wobble: 0.0015, noise: noise)
            let pen = Pen(smooth.result, noise: noise, washes: style == .ink)
            return (smooth.stages() + pen.stages(), pen.result)
        case .neon:
            let tube = Tube(canvas)
            return (tube.stages(), tube.result)
        }
    }

    private func radius(_ canvas: Canvas, _ share: Float) -> Int {
        max(1, Int((Float(min(canvas.frame.width, canvas.frame.height)) * share).rounded()))
    }
}
