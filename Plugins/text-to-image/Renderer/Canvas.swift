// The sheet that is painted on, and how its pixels map to the scene's coordinates.

/// The size of a picture and its coordinates.
///
/// `v` runs from 0 at the top to 1 at the bottom; `u` has the same scale and is 0 in the middle,
/// so that a circle is a circle and a wider picture shows more of the same scene.
struct Frame: Sendable {
    let width: Int
    let height: Int

    /// One pixel in scene units.
    var pixel: Float { 1 / Float(height) }
    /// `u` at the right edge.
    var reach: Float { Float(width) / Float(height) / 2 }
    /// At least 1: how much tighter details are set when the picture is narrow.
    var density: Float { max(1, min(3, 0.8 * Float(height) / Float(width))) }

    @inline(__always)
    func u(_ x: Int) -> Float { (Float(x) + 0.5 - Float(width) / 2) / Float(height) }
    @inline(__always)
    func v(_ y: Int) -> Float { (Float(y) + 0.5) / Float(height) }
    /// The pixel column (with fraction) at `u`.
    @inline(__always)
    func x(_ u: Float) -> Float { u * Float(height) + Float(width) / 2 }
    /// The pixel row (with fraction) at `v`.
    @inline(__always)
    func y(_ v: Float) -> Float { v * Float(height) }
}

/// A sheet of linear colours.
///
/// Unchecked: the stages of a picture write each row from one thread only, and read rows
/// of a sheet only when the stage that wrote them is over (``runStages(_:threads:progress:)``).
final class Canvas: @unchecked Sendable {
    let frame: Frame
    let pixels: UnsafeMutablePointer<RGB>

    init(_ frame: Frame) {
        self.frame = frame
        pixels = .allocate(capacity: frame.width * frame.height)
        pixels.initialize(repeating: RGB(repeating: 0), count: frame.width * frame.height)
    }

    deinit {
        pixels.deallocate()
    }

    @inline(__always)
    func row(_ y: Int) -> UnsafeMutablePointer<RGB> {
        pixels + y * frame.width
    }

    /// The colour at a pixel, or at the nearest one on the sheet.
    @inline(__always)
    func nearest(_ x: Int, _ y: Int) -> RGB {
        pixels[min(max(y, 0), frame.height - 1) * frame.width + min(max(x, 0), frame.width - 1)]
    }

    /// The colour between pixels; `x` and `y` in pixels, centres at .5.
    @inline(__always)
    func sample(_ x: Float, _ y: Float) -> RGB {
        let px = min(max(x - 0.5, 0), Float(frame.width - 1))
        let py = min(max(y - 0.5, 0), Float(frame.height - 1))
        let ix = Int(px)
        let iy = Int(py)
        let fx = px - Float(ix)
        let upper = mix(nearest(ix, iy), nearest(ix + 1, iy), fx)
        let lower = mix(nearest(ix, iy + 1), nearest(ix + 1, iy + 1), fx)
        return mix(upper, lower, py - Float(iy))
    }
}

/// One row of a canvas being painted.
struct Row {
    let canvas: Canvas
    let y: Int
    let v: Float
    let pixels: UnsafeMutablePointer<RGB>

    init(_ canvas: Canvas, _ y: Int) {
        self.canvas = canvas
        self.y = y
        v = canvas.frame.v(y)
        pixels = canvas.row(y)
    }

    var frame: Frame { canvas.frame }
    var width: Int { canvas.frame.width }

    /// Lays `colour` over a pixel; `cover` in 0...1.
    @inline(__always)
    func lay(_ colour: RGB, at x: Int, cover: Float) {
        pixels[x] = mix(pixels[x], colour, cover)
    }
}

/// Something that is painted over what is already there, row by row.
///
/// A layer reads only its own row, unless its documentation says what else.
protocol Layer: Sendable {
    func paint(_ row: Row)
}
