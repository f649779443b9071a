// The manners a picture can be painted in, and the words that ask for them.

/// How a picture is painted.
public enum PictureStyle: String, CaseIterable, Sendable {
    /// Soft light, fine grain, the tones of film.
    case realistic
    /// Pigment that pools and bleeds on rough paper with a ragged white border.
    case watercolor
    /// Visible, thick strokes that follow the forms.
    case oil
    /// Large pixels in a small palette.
    case pixel
    /// Pencil hatching on warm paper.
    case sketch
    /// Pen lines and grey washes on white paper.
    case ink
    /// Clear, bright colours and hard-edged clouds.
    case anime
    /// A few flat colours, like a printed travel poster.
    case poster
    /// Magenta and cyan, a striped sun, a grid to the horizon.
    case neon

    private static let words: [String: PictureStyle] = [
        "realistic": .realistic, "photo": .realistic, "photorealistic": .realistic,
        "photograph": .realistic, "photography": .realistic, "photographic": .realistic,
        "watercolor": .watercolor, "watercolour": .watercolor, "aquarelle": .watercolor,
        "oil": .oil, "impressionist": .oil, "impressionism": .oil, "impressionistic": .oil,
        "painting": .oil, "painterly": .oil, "monet": .oil,
        "pixel": .pixel, "pixelart": .pixel, "8bit": .pixel, "16bit": .pixel,
        "sketch": .sketch, "pencil": .sketch, "drawing": .sketch, "charcoal": .sketch,
        "ink": .ink, "sumi": .ink, "engraving": .ink,
        "anime": .anime, "manga": .anime, "ghibli": .anime, "cartoon": .anime,
        "poster": .poster, "flat": .poster, "vector": .poster, "minimal": .poster,
        "minimalist": .poster,
        "neon": .neon, "synthwave": .neon, "vaporwave": .neon, "retrowave": .neon,
        "outrun": .neon, "cyberpunk": .neon,
    ]

    /// The style a lowercase word asks for, whether from a prompt or a menu.
    static func named(_ word: String) -> PictureStyle? {
        words[word]
    }
}
