// Elementary functions made of plain IEEE arithmetic. The C library picks different code
// for different processors, and a picture must not depend on the processor.

/// 2 to the power `x`; relative error below 1e-5.
@inline(__always)
func exp2(_ x: Float) -> Float {
    let limited = min(max(x, -120), 120)
    let whole = limited.rounded(.down)
    let f = limited - whole
    let mantissa = 1 + f * (0.693_147_2 + f * (0.240_226_5 + f * (0.055_50 + f * (0.009_62 + f * 0.001_53))))
    return mantissa * Float(bitPattern: UInt32(Int32(whole) + 127) << 23)
}

/// The exponential function.
@inline(__always)
func exp(_ x: Float) -> Float {
    exp2(x * 1.442_695)
}

/// The logarithm to base 2 of a positive, normal number; absolute error below 1e-4.
@inline(__always)
func log2(_ x: Float) -> Float {
    let bits = x.bitPattern
    let exponent = Float(Int32(bits >> 23) - 127)
    let m = Float(bitPattern: (bits & 0x007F_FFFF) | 0x3F80_0000)
    let s = (m - 1) / (m + 1)
    let q = s * s
    return exponent + s * (2.885_390 + q * (0.961_797 + q * (0.577_078 + q * 0.412_199)))
}

/// `x` to the power `y`; zero for `x` not positive.
@inline(__always)
func power(_ x: Float, _ y: Float) -> Float {
    x <= 1e-30 ? 0 : exp2(y * log2(x))
}

/// The sine of `turns` full turns; absolute error below 1e-3.
@inline(__always)
func sine(turns: Float) -> Float {
    let t = (turns - (turns + 0.5).rounded(.down)) * 2
    let parabola = 4 * t * (1 - abs(t))
    return parabola * (0.775 + 0.225 * abs(parabola))
}

@inline(__always)
func cosine(turns: Float) -> Float {
    sine(turns: turns + 0.25)
}

@inline(__always)
func clamp(_ x: Float) -> Float {
    min(max(x, 0), 1)
}

/// 0 at `low`, 1 at `high`, smooth between; the two may be in either order.
@inline(__always)
func ramp(_ low: Float, _ high: Float, _ x: Float) -> Float {
    let t = clamp((x - low) / (high - low))
    return t * t * (3 - 2 * t)
}

@inline(__always)
func mix(_ a: Float, _ b: Float, _ t: Float) -> Float {
    a + (b - a) * t
}
