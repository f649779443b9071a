// Small drawn things (birds, boats, a lighthouse) as polygons with clean edges.

/// A filled polygon.
struct Shape: Sendable {
    /// Corners in scene units; the outline closes itself.
    var points: [SIMD2<Float>]
    /// Colours at the shape's left and right edge.
    var left: RGB
    var right: RGB
    var opacity: Float = 1

    init(_ points: [SIMD2<Float>], _ colour: RGB, to other: RGB? = nil, opacity: Float = 1) {
        self.points = points
        left = colour
        right = other ?? colour
        self.opacity = opacity
    }

    /// The shape scaled by `size` and put at `place`.
    func placed(at place: SIMD2<Float>, size: SIMD2<Float>) -> Shape {
        var copy = self
        copy.points = points.map { $0 * size + place }
        return copy
    }
}

/// Shapes over each other, in order. With `ripple`, drawn as their image in moving water.
struct Shapes: Layer {
    private let shapes: [Shape]
    private let boxes: [SIMD4<Float>]
    private let ripple: Ripple?

    struct Ripple: Sendable {
        var noise: Noise
        var strength: Float
        /// `v` around which the shapes were turned upside down.
        var line: Float
    }

    private static let subrows = 5

    init(_ shapes: [Shape], ripple: Ripple? = nil) {
        self.shapes = shapes
        self.ripple = ripple
        boxes = shapes.map { shape in
            let xs = shape.points.map(\.x)
            let ys = shape.points.map(\.y)
            return SIMD4(xs.min() ?? 0, ys.min() ?? 0, xs.max() ?? 0, ys.max() ?? 0)
        }
    }

    func paint(_ row: Row) {
        for (shape, box) in zip(shapes, boxes)
        where row.v > box.y - row.frame.pixel && row.v < box.w + row.frame.pixel {
            paint(shape, box, on: row)
        }
    }

    private func paint(_ shape: Shape, _ box: SIMD4<Float>, on row: Row) {
        let frame = row.frame
        var push: Float = 0
        var fade: Float = 1
        if let ripple {
            let depth = row.v - ripple.line
            push = ripple.noise(3, depth * 120 / (1 + depth * 4)) * ripple.strength * (0.3 + depth * 8)
            fade = max(0, 1 - depth * 5)
        }
        let first = max(0, Int(frame.x(box.x + push)) - 1)
        let last = min(row.width - 1, Int(frame.x(box.z + push)) + 1)
        guard first <= last, fade > 0 else { return }
        var cover = [Float](repeating: 0, count: last - first + 1)
        for sub in 0..<Self.subrows {
            let v = row.v + ((Float(sub) + 0.5) / Float(Self.subrows) - 0.5) * frame.pixel
            for (from, to) in spans(shape.points, v) {
                add(from: frame.x(from + push), to: frame.x(to + push), first: first, into: &cover)
            }
        }
        for x in first...last where cover[x - first] > 0 {
            let across = clamp((frame.u(x) - push - box.x) / max(1e-4, box.z - box.x))
            let colour = mix(shape.left, shape.right, across)
            row.lay(colour, at: x, cover: min(1, cover[x - first]) * shape.opacity * fade)
        }
    }

    private func add(from: Float, to: Float, first: Int, into cover: inout [Float]) {
        let low = max(from - Float(first), 0)
        let high = min(to - Float(first), Float(cover.count))
        guard high > low else { return }
        for x in Int(low)...min(Int(high), cover.count - 1) {
            let inside = min(high, Float(x) + 1) - max(low, Float(x))
            cover[x] += max(0, inside) / Float(Self.subrows)
        }
    }

    /// Where the line at `v` is inside the polygon, by the even-odd rule.
    private func spans(_ points: [SIMD2<Float>], _ v: Float) -> [(Float, Float)] {
        var crossings: [Float] = []
        for (index, a) in points.enumerated() {
            let b = points[(index + 1) % points.count]
            if (a.y <= v) != (b.y <= v) {
                crossings.append(a.x + (v - a.y) / (b.y - a.y) * (b.x - a.x))
            }
        }
        crossings.sort()
        return stride(from: 0, to: crossings.count - 1, by: 2).map { (crossings[$0], crossings[$0 + 1]) }
    }
}
