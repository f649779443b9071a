// Colours are kept as linear light, so that glow adds up as it does in a lens; they are
// written in the sources as the usual sRGB hexadecimals.

/// Red, green and blue as linear light; 1 is paper white, a sun is brighter.
typealias RGB = SIMD3<Float>

/// The linear colour of an sRGB hexadecimal such as `0xFFC27A`.
func srgb(_ hex: UInt32) -> RGB {
    func linear(_ shift: UInt32) -> Float {
        let encoded = Float((hex >> shift) & 0xFF) / 255
        return encoded <= 0.04045 ? encoded / 12.92 : power((encoded + 0.055) / 1.055, 2.4)
    }
    return RGB(linear(16), linear(8), linear(0))
}

@inline(__always)
func mix(_ a: RGB, _ b: RGB, _ t: Float) -> RGB {
    a + (b - a) * t
}

@inline(__always)
func luminance(_ c: RGB) -> Float {
    c.x * 0.2126 + c.y * 0.7152 + c.z * 0.0722
}

/// Moves a colour away from (above 1) or towards (below 1) its own grey.
@inline(__always)
func saturate(_ c: RGB, by amount: Float) -> RGB {
    let grey = RGB(repeating: luminance(c))
    let moved = grey + (c - grey) * amount
    return moved.clamped(lowerBound: RGB(repeating: 0), upperBound: RGB(repeating: 1000))
}

/// The root of a colour: close to how bright it looks, and cheap both ways.
@inline(__always)
func perceptual(_ c: RGB) -> RGB {
    c.clamped(lowerBound: RGB(repeating: 0), upperBound: RGB(repeating: 1000)).squareRoot()
}

/// A run of colours read by a number in 0...1, without visible corners or bands.
struct Gradient: Sendable {
    private let table: [RGB]
    private static let last = 1023

    /// `stops` are spread evenly, and blended as the eye sees them rather than as light adds.
    init(_ stops: [RGB]) {
        let roots = stops.map(perceptual)
        table = (0...Self.last).map { step in
            let place = Float(step) / Float(Self.last) * Float(roots.count - 1)
            let root = Self.spline(roots, place)
            return root * root
        }
    }

    @inline(__always)
    func callAsFunction(_ t: Float) -> RGB {
        table[Int(clamp(t) * Float(Self.last))]
    }

    /// Catmull-Rom, kept from overshooting below black.
    private static func spline(_ points: [RGB], _ place: Float) -> RGB {
        let i = min(Int(place), points.count - 2)
        let t = place - Float(i)
        let p0 = points[max(i - 1, 0)]
        let p1 = points[i]
        let p2 = points[i + 1]
        let p3 = points[min(i + 2, points.count - 1)]
        let cubic = (p1 - p2) * 3 + p3 - p0
        let square = p0 * 2 - p1 * 5 + p2 * 4 - p3
        let value = p1 + ((p2 - p0) + (square + cubic * t) * t) * (t * 0.5)
        return value.clamped(lowerBound: RGB(repeating: 0), upperBound: RGB(repeating: 10))
    }
}
