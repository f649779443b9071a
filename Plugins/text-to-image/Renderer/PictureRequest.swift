// What goes into the renderer and what comes out.

/// A picture to render.
public struct PictureRequest: Sendable {
    /// The sizes allowed for each side, in pixels.
    public static let sides = 16...4096

    /// What to paint, in English words.
    public var prompt: String
    /// How to paint it; nil takes a style named in the prompt, else ``PictureStyle/realistic``.
    /// Defaults to nil.
    public var style: PictureStyle?
    /// Width in pixels, 16…4096. Defaults to 512.
    public var width: Int
    /// Height in pixels, 16…4096. Defaults to 512.
    public var height: Int
    /// Chooses what the prompt leaves open; nil derives it from the prompt. Defaults to nil.
    public var seed: UInt64?

    public init(
        prompt: String,
        style: PictureStyle? = nil,
        width: Int = 512,
        height: Int = 512,
        seed: UInt64? = nil
    ) {
        self.prompt = prompt
        self.style = style
        self.width = width
        self.height = height
        self.seed = seed
    }
}

/// A finished picture.
public struct RenderedPicture: Sendable {
    /// Width in pixels.
    public let width: Int
    /// Height in pixels.
    public let height: Int
    /// Red, green and blue bytes (sRGB), row by row from the top, without padding.
    public let pixels: [UInt8]
    /// What was asked for.
    public let prompt: String
    /// The style it was painted in.
    public let style: PictureStyle
    /// The seed that gives this picture again.
    public let seed: UInt64
    /// What was understood of the prompt, in its order, such as `["sunset", "mountains"]`.
    public let elements: [String]
    /// What the seed added where the prompt left it open.
    public let additions: [String]

    /// Facts worth keeping in the file, for ``PNGEncoder/encode(width:height:rgb:text:)``.
    public var metadata: [(String, String)] {
        [
            ("Title", prompt), ("Style", style.rawValue), ("Seed", String(seed)),
            ("Software", "Belfry procedural renderer"),
        ]
    }
}

/// Why a picture cannot be rendered.
public struct PictureError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// A side is outside ``PictureRequest/sides``.
        case sizeOutOfRange
    }

    /// Which rule was broken.
    public let code: Code
    /// What is wrong and what to do, in a sentence.
    public let description: String
}
