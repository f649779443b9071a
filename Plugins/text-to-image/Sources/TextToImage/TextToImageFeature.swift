// The feature `text-to-image`: a prompt in, a picture file out.

public import BelfryCore
import FoundationEssentials

/// Makes a picture of a prompt, with the provider that the params name.
public struct TextToImageFeature: Feature {
    public let descriptor = FeatureDescriptor(id: "text-to-image", title: "Text to image")
    private let environment: [String: String]

    /// - Parameter environment: where the `openai` provider's settings are, see ``OpenAISettings``.
    public init(environment: [String: String]) { self.environment = environment }

    public func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        guard let prompt = params["prompt"]?.string, !prompt.isEmpty else {
            throw TaskFailure(
                "bad_input",
                "There is no prompt.",
                fix: "Give one: prompt=\"A lighthouse at dusk\""
            )
        }
        let request = ImageRequest(prompt: prompt, params: params)
        let image =
            switch params["provider"]?.string ?? "procedural" {
            case "openai":
                try await OpenAIProvider(settings: OpenAISettings(environment)).image(request, context)
            default: try ProceduralProvider().image(request, context)
            }
        let path = "\(context.outputDirectory)/\(Self.fileName(prompt)).\(image.format.fileExtension)"
        do { try Data(image.bytes).write(to: URL(filePath: path), options: .atomic) } catch {
            throw TaskFailure(
                "cannot_write",
                "Cannot write \(path): \(error)",
                fix: "Free some space there.",
                isRetryable: true
            )
        }
        context.progress(100, "done")
        return TaskResult(
            value: .object(image.facts),
            artifacts: [TaskResult.Artifact(uri: FileURI.make(path), mime: image.format.mime)]
        )
    }

    /// The prompt's first words as a file's name: letters and digits, at most 60 characters.
    static func fileName(_ prompt: String) -> String {
        let words = prompt.lowercased().split { !($0.isLetter || $0.isNumber) }
        var name = ""
        for word in words where name.count + word.count < 60 { name += (name.isEmpty ? "" : "-") + word }
        return name.isEmpty ? "picture" : name
    }
}

/// What is asked of a provider.
struct ImageRequest: Sendable {
    var prompt: String
    var style: String?
    /// Pixels; nil leaves the size to the provider.
    var size: (width: Int, height: Int)?
    var seed: Int64?
    var model: String?

    init(prompt: String, params: JSONValue) {
        self.prompt = prompt
        style = params["style"]?.string
        if params["width"] != nil || params["height"] != nil {
            size = (Int(params["width"]?.int ?? 768), Int(params["height"]?.int ?? 512))
        }
        seed = params["seed"]?.int
        model = params["model"]?.string
    }
}

/// What a provider made.
struct ProvidedImage: Sendable {
    /// A whole file.
    var bytes: [UInt8]
    var format: ImageFormat
    /// How it was made; becomes the result's value.
    var facts: JSONObject
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
