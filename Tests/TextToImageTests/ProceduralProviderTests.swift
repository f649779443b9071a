// The feature with its built-in renderer.

import BelfryCore
import FoundationEssentials
import Testing

@testable import TextToImage

@Suite("The procedural provider")
struct ProceduralProviderTests {
    @Test("writes a PNG of the size that was asked for and says how it came about")
    func picture() async throws {
        let directory =
            FileManager.default.temporaryDirectory.path() + "belfry-image-\(UInt64.random(in: 0...(.max)))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let result = try await TextToImageFeature(environment: [:]).process(
            ["prompt": "A city at night", "width": 40, "height": 24, "seed": 7],
            FeatureContext(
                taskID: IDGenerator().taskID(at: Timestamp(milliseconds: 0)),
                featureID: "text-to-image",
                attempt: 1,
                fence: 1,
                outputDirectory: directory
            )
        )
        let path = try #require(FileURI.path(result.artifacts[0].uri))
        #expect(path == directory + "/a-city-at-night.png")
        let bytes = try Array(Data(contentsOf: URL(filePath: path)))
        #expect(ImageFormat(bytes)?.mime == "image/png")
        // The header's width and height, big-endian.
        #expect(Array(bytes[16..<24]) == [0, 0, 0, 40, 0, 0, 0, 24])
        #expect(result.value?["provider"] == "procedural")
        #expect(result.value?["seed"] == "7")
    }

    @Test(
        "names the file after the prompt's first words",
        arguments: [
            ("A fox!", "a-fox"), ("../../etc/passwd", "etc-passwd"),
            ("Überlingen am See", "überlingen-am-see"),
            ("🦊", "picture"), (String(repeating: "x", count: 80), "picture"),
        ]
    )
    func fileName(prompt: String, name: String) {
        #expect(TextToImageFeature.fileName(prompt) == name)
    }
}
