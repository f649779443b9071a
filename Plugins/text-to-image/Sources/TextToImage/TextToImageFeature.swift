// The feature `text-to-image`: a prompt in, a PNG out.

public import BelfryCore
import FoundationEssentials
import ProceduralRenderer

/// Makes a picture of a prompt with the procedural renderer.
public struct TextToImageFeature: Feature {
    public let descriptor = FeatureDescriptor(id: "text-to-image", title: "Text to image")

    public init() {}

    public func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        guard let prompt = params["prompt"]?.string, !prompt.isEmpty else {
            throw TaskFailure(
                "bad_input",
                "There is no prompt.",
                fix: "Give one: prompt=\"A lighthouse at dusk\""
            )
        }
        let request = PictureRequest(
            prompt: prompt,
            style: params["style"]?.string.flatMap(PictureStyle.init(rawValue:)),
            width: Int(params["width"]?.int ?? 768),
            height: Int(params["height"]?.int ?? 512),
            seed: params["seed"]?.int.map { UInt64(bitPattern: $0) }
        )
        let picture: RenderedPicture
        do {
            // The last tenth is for writing the file.
            picture = try render(request) { done in
                try Task.checkCancellation()
                context.progress(done * 90, "painting")
            }
        } catch let error as PictureError {
            throw TaskFailure("bad_input", error.description)
        }
        let png = PNGEncoder.encode(
            width: picture.width,
            height: picture.height,
            rgb: picture.pixels,
            text: picture.metadata
        )
        let path = "\(context.outputDirectory)/\(Self.fileName(prompt)).png"
        do { try Data(png).write(to: URL(filePath: path), options: .atomic) } catch {
            throw TaskFailure(
                "cannot_write",
                "Cannot write \(path): \(error)",
                fix: "Free some space there.",
                isRetryable: true
            )
        }
        context.progress(100, "done")
        return TaskResult(
            value: value(picture),
            artifacts: [TaskResult.Artifact(uri: FileURI.make(path), mime: "image/png")]
        )
    }

    private func value(_ picture: RenderedPicture) -> JSONValue {
        [
            "provider": "procedural", "seed": .string(String(picture.seed)),
            "style": .string(picture.style.rawValue),
            "width": .int(Int64(picture.width)), "height": .int(Int64(picture.height)),
            "elements": .array(picture.elements.map { .string($0) }),
        ]
    }

    /// The prompt's first words as a file's name: letters and digits, at most 60 characters.
    static func fileName(_ prompt: String) -> String {
        let words = prompt.lowercased().split { !($0.isLetter || $0.isNumber) }
        var name = ""
        for word in words where name.count + word.count < 60 { name += (name.isEmpty ? "" : "-") + word }
        return name.isEmpty ? "picture" : name
    }
}
