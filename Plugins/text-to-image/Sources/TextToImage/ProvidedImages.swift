// What a provider made.

import BelfryCore
import FoundationEssentials

/// The pictures of one request, and how they came about.
struct ProvidedImages: Sendable {
    /// A whole file.
    struct Picture: Sendable {
        var bytes: [UInt8]
        var format: ImageFormat
    }

    /// At least one.
    var pictures: [Picture]
    /// How they were made; becomes the result's value.
    var facts: JSONObject
}

extension ProvidedImages.Picture {
    /// - Throws: what `failure` makes of a reason, when the bytes are no picture.
    init(_ bytes: [UInt8], orThrow failure: (String) -> TaskFailure) throws {
        guard let format = ImageFormat(bytes) else {
            throw failure("what it calls a picture is neither PNG, JPEG nor WebP")
        }
        self.init(bytes: bytes, format: format)
    }

    /// A picture as servers put it into JSON, with or without `data:image/png;base64,` before it.
    init(base64 text: String, orThrow failure: (String) -> TaskFailure) throws {
        var text = text[...]
        if text.hasPrefix("data:"), let comma = text.prefix(100).firstIndex(of: ",") {
            text = text[text.index(after: comma)...]
        }
        guard let data = Data(base64Encoded: String(text), options: .ignoreUnknownCharacters), !data.isEmpty
        else { throw failure("its base64 is damaged") }
        try self.init(Array(data), orThrow: failure)
    }
}

/// A picture file's format, told by its first bytes.
enum ImageFormat: Sendable {
    case png, jpeg, webp

    init?(_ bytes: [UInt8]) {
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if bytes.starts(with: Array("RIFF".utf8)), bytes.dropFirst(8).starts(with: Array("WEBP".utf8))
        {
            self = .webp
        } else {
            return nil
        }
    }

    var fileExtension: String {
        switch self {
        case .png: "png"
        case .jpeg: "jpg"
        case .webp: "webp"
        }
    }

    var mime: String {
        switch self {
        case .png: "image/png"
        case .jpeg: "image/jpeg"
        case .webp: "image/webp"
        }
    }
}
