// The feature `text-to-image`: a prompt in, picture files out.

public import BelfryCore
import FoundationEssentials

/// Makes a picture of a prompt, with the provider that the params name.
public struct TextToImageFeature: Feature {
    public let descriptor = FeatureDescriptor(id: "text-to-image", title: "Text to image")
    private let environment: [String: String]

    /// - Parameter environment: where the servers are, see ``OpenAISettings`` and ``ServerSettings``.
    public init(environment: [String: String]) { self.environment = environment }

    public func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        guard let prompt = params["prompt"]?.string, !prompt.isEmpty else {
            throw TaskFailure(
                "bad_input",
                "There is no prompt.",
                fix: "Give one: prompt=\"A lighthouse at dusk\""
            )
        }
        let provider = params["provider"]?.string ?? "procedural"
        try ImageRequest.refuseForeign(params, provider: provider)
        let made = try await images(provider, ImageRequest(prompt: prompt, params: params), context)
        // From here on it is a matter of milliseconds; a task that was cancelled before leaves no file.
        try Task.checkCancellation()
        let artifacts = try made.pictures.enumerated().map { index, picture in
            let number = index == 0 ? "" : "-\(index + 1)"
            let name = "\(Self.fileName(prompt))\(number).\(picture.format.fileExtension)"
            return try write(picture, to: "\(context.outputDirectory)/\(name)")
        }
        context.progress(100, "done")
        return TaskResult(value: .object(made.facts), artifacts: artifacts)
    }

    private func images(_ provider: String, _ request: ImageRequest, _ context: FeatureContext) async throws
        -> ProvidedImages
    {
        switch provider {
        case "openai":
            try await OpenAIProvider(settings: OpenAISettings(environment)).images(request, context)
        case "sdapi": try await SDAPIProvider(environment).images(request, context)
        case "comfyui": try await ComfyUIProvider(environment).images(request, context)
        default: try ProceduralProvider().images(request, context)
        }
    }

    private func write(_ picture: ProvidedImages.Picture, to path: String) throws -> TaskResult.Artifact {
        do { try Data(picture.bytes).write(to: URL(filePath: path), options: .atomic) } catch {
            throw TaskFailure(
                "cannot_write",
                "Cannot write \(path): \(error)",
                fix: "Free some space there.",
                isRetryable: true
            )
        }
        return TaskResult.Artifact(uri: FileURI.make(path), mime: picture.format.mime)
    }

    /// The prompt's first words as a file's name: letters and digits, at most 60 characters.
    static func fileName(_ prompt: String) -> String {
        let words = prompt.lowercased().split { !($0.isLetter || $0.isNumber) }
        var name = ""
        for word in words where name.count + word.count < 60 { name += (name.isEmpty ? "" : "-") + word }
        return name.isEmpty ? "picture" : name
    }
}
