// What a Swift type becomes as a JSON Schema, and what its feature takes and refuses.

import BelfryCore
import BelfryPluginKit
import Testing

private enum Style: String, Codable, CaseIterable { case oil, ink }
private enum Scale: Int, Codable, CaseIterable {
    case two = 2
    case four = 4
}
private struct Point: Codable {
    var x: Double
    var y: Double?
}

private struct Everything: Codable {
    var text: String
    var count: Int
    var size: UInt8
    var ratio: Float
    var flag: Bool
    var style: Style
    var scale: Scale?
    var words: [String]
    var points: [Point]?
    var names: [String: Int]
    var at: Point
}

/// Its own decoding gives it defaults.
private struct WithDefaults: Codable {
    var times: Int
    var style: Style
    var note: String?

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        times = try values.decodeIfPresent(Int.self, forKey: .times) ?? 3
        style = try values.decodeIfPresent(Style.self, forKey: .style) ?? .ink
        note = try values.decodeIfPresent(String.self, forKey: .note)
    }
}

private struct Tree: Codable {
    var name: String
    var children: [Tree]
}

private struct Enlarge: TypedFeature {
    struct Params: Codable {
        var image: String
        var scale: Int
        var style: Style?
        var quality: Double?
    }

    let descriptor = FeatureDescriptor(
        id: "enlarge",
        title: "Enlarges",
        params: Params.self,
        [
            "image": .file("The picture"), "scale": .init("Times", default: 2, values: [2, 4]),
            "quality": .init(in: 0...1), "style": .schema(["title": "How"]),
        ]
    )

    func process(_ params: Params, _ context: FeatureContext) async throws -> TaskResult {
        try TaskResult(encoding: params)
    }
}

@Suite("A typed feature")
struct TypedFeatureTests {
    private func schema<Params: Decodable>(_ type: Params.Type) -> JSONValue {
        FeatureDescriptor(id: "x", title: "x", params: type).paramsSchema
    }

    @Test("has the schema of its type: kinds, what must be given, choices, lists, maps and structures")
    func everything() {
        let point: JSONValue = [
            "type": "object", "properties": ["x": ["type": "number"], "y": ["type": "number"]],
            "required": ["x"],
        ]
        let expected: JSONValue = [
            "type": "object",
            "properties": [
                "text": ["type": "string"], "count": ["type": "integer"],
                "size": ["type": "integer", "minimum": 0],
                "ratio": ["type": "number"], "flag": ["type": "boolean"], "style": ["enum": ["oil", "ink"]],
                "scale": ["enum": [2, 4]], "words": ["type": "array", "items": ["type": "string"]],
                "points": ["type": "array", "items": point],
                "names": ["type": "object", "additionalProperties": ["type": "integer"]], "at": point,
            ],
            "required": ["text", "count", "size", "ratio", "flag", "style", "words", "names", "at"],
            "additionalProperties": false,
        ]
        #expect(schema(Everything.self).prettyText == expected.prettyText)
    }

    @Test("takes the defaults that its type gives itself")
    func ownDefaults() {
        let properties = schema(WithDefaults.self)["properties"]
        #expect(properties?["times"] == ["type": "integer", "default": 3])
        #expect(properties?["style"] == ["enum": ["oil", "ink"], "default": "ink"])
        #expect(properties?["note"] == ["type": "string"])
        #expect(schema(WithDefaults.self)["required"] == nil)
    }

    @Test("ends where a type holds itself")
    func recursion() { #expect(schema(Tree.self)["properties"]?["children"]?["items"]?["type"] == "object") }

    @Test("lays what is said of a property over what its type says")
    func fields() {
        let schema = Enlarge().descriptor.paramsSchema
        #expect(
            schema["properties"]?["image"] == [
                "type": "string", "description": "The picture", "format": "file",
            ]
        )
        #expect(
            schema["properties"]?["scale"]
                == ["type": "integer", "description": "Times", "default": 2, "enum": [2, 4]]
        )
        #expect(schema["properties"]?["style"] == ["enum": ["oil", "ink"], "title": "How"])
        #expect(schema["required"] == ["image"])
    }

    @Test("fills in defaults, resolves paths where the submitter stood, and leaves references alone")
    func accepts() throws {
        let context = SubmissionContext(workingDirectory: "/home/ada")
        #expect(
            try Enlarge().accept(["image": "a.png"], from: context) == [
                "image": "/home/ada/a.png", "scale": 2,
            ]
        )
        let reference: JSONValue = ["image": "${task.result.path}", "scale": "${task.result.value.scale}"]
        #expect(try Enlarge().accept(reference, from: context) == reference)
    }

    @Test(
        "refuses params that are not of its type, and points at the one that is wrong",
        arguments: [
            (["scale": 2], "/image", "missing"), (["image": 1], "/image", "a string"),
            (["image": "a", "scale": 3], "/scale", "2, 4"), (["image": "a", "scale": "2"], "/scale", "2, 4"),
            (["image": "a", "quality": 1.5], "/quality", "at most 1"),
            (["image": "a", "quality": -1], "/quality", "at least 0"),
            (["image": "a", "style": "pen"], "/style", "oil, ink"),
            (["image": "a", "scales": 2], "/scales", "did you mean 'scale'?"), ([], "/", "an object"),
        ] as [(JSONValue, String, String)]
    )
    func refuses(_ params: JSONValue, pointer: String, words: String) {
        let error = #expect(throws: BelfryError.self) { try Enlarge().accept(params, from: nil) }
        #expect(error?.code == .invalidParams)
        #expect(error?.pointer == pointer)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test("reads arguments as typed by their kinds, and gives its value as JSON")
    func arguments() async throws {
        let params = try Enlarge().params(from: [("image", "42"), ("scale", "4")])
        #expect(params == ["image": "42", "scale": 4])
        let context = FeatureContext(
            taskID: IDGenerator().taskID(at: SystemWallClock().now),
            featureID: "enlarge",
            attempt: 1,
            fence: 1,
            outputDirectory: "/tmp"
        )
        let result = try await Enlarge().process(params, context)
        #expect(result.value == ["image": "42", "scale": 4])
    }
}
