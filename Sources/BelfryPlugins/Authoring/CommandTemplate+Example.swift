// Something to try a command with: params that fit, and the files that they name.

import BelfryCore

extension CommandTemplate {
    /// Params for everything that has to be given, and the files among them; nil when there must be a sound or a
    /// video, which only the author has.
    var example: (params: JSONObject, files: [PluginScaffold.File])? {
        var params = JSONObject()
        var files: [PluginScaffold.File] = []
        for parameter in parameters where parameter.isRequired {
            switch (parameter.schema["type"]?.string, parameter.schema["format"]?.string) {
            case ("integer", _), ("number", _): params[parameter.name] = 1
            case ("boolean", _): params[parameter.name] = true
            case (_, "file"):
                guard let file = file(for: parameter.name) else { return nil }
                if !files.contains(where: { $0.path == file.path }) { files.append(file) }
                params[parameter.name] = .string(file.path)
            default: params[parameter.name] = "example"
            }
        }
        return (params, files)
    }

    private func file(for name: String) -> PluginScaffold.File? {
        if ["audio", "video"].contains(name) || Self.recordings.contains(outputSuffix) { return nil }
        guard ["image", "mask", "picture"].contains(name) || Self.pictures.contains(outputSuffix) else {
            return PluginScaffold.File(path: "example.txt", text: "One line.\nAnother line.\n")
        }
        var picture = PluginScaffold.File(path: "example.png", text: "")
        picture.data = Self.picture
        return picture
    }

    private var outputSuffix: String {
        output?.split(separator: ".", omittingEmptySubsequences: false).dropFirst().last.map {
            $0.lowercased()
        } ?? ""
    }

    private static let pictures: Set<String> = [
        "avif", "bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp",
    ]
    private static let recordings: Set<String> = [
        "flac", "m4a", "mkv", "mov", "mp3", "mp4", "ogg", "opus", "wav", "webm",
    ]

    /// A PNG of 16 × 16 pixels, from black to white.
    private static let picture: [UInt8] = [
        0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D, 0x49, 0x48, 0x44,
        0x52, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x10, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3A,
        0x98, 0xA0, 0xBD, 0x00, 0x00, 0x00, 0x1D, 0x49, 0x44, 0x41, 0x54, 0x78, 0xDA, 0x63, 0x60,
        0x10, 0x54, 0x32, 0x76, 0x09, 0x4D, 0x2B, 0xEF, 0x98, 0xB9, 0x6A, 0xF7, 0x99, 0xBB, 0xEF,
        0xFE, 0x33, 0x8C, 0x6C, 0x01, 0x00, 0x57, 0xAE, 0x7F, 0x81, 0xA9, 0xF1, 0x14, 0x03, 0x00,
        0x00, 0x00, 0x00, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
    ]
}
