// The provider that needs nothing: the embedded renderer.

import BelfryCore
import ProceduralRenderer

struct ProceduralProvider {
    func images(_ request: ImageRequest, _ context: FeatureContext) throws -> ProvidedImages {
        let picture: RenderedPicture
        do {
            // The last tenth is for writing the file.
            picture = try render(
                PictureRequest(
                    prompt: request.prompt,
                    style: request.style.flatMap(PictureStyle.init(rawValue:)),
                    width: request.size?.width ?? 768,
                    height: request.size?.height ?? 512,
                    seed: request.seed.map { UInt64(bitPattern: $0) }
                )
            ) { done in
                try Task.checkCancellation()
                context.progress(done * 90, "painting")
            }
        } catch let error as PictureError {
            throw TaskFailure("bad_input", error.description)
        }
        let file = PNGEncoder.encode(
            width: picture.width,
            height: picture.height,
            rgb: picture.pixels,
            text: picture.metadata
        )
        return ProvidedImages(
            pictures: [ProvidedImages.Picture(bytes: Array(file), format: .png)],
            facts: [
                "provider": "procedural", "seed": .string(String(picture.seed)),
                "style": .string(picture.style.rawValue),
                "width": .int(Int64(picture.width)), "height": .int(Int64(picture.height)),
                "elements": .array(picture.elements.map { .string($0) }),
            ]
        )
    }
}
