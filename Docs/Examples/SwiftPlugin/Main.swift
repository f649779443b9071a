// A plugin of one type: its parameters, what it does, and nothing else.

import BelfryCore
import BelfryPluginKit

struct WordCount: TypedFeature {
    struct Params: Codable {
        var text: String
        var unit: Unit
        var longest: Int?
    }

    enum Unit: String, Codable, CaseIterable { case words, lines }

    let descriptor = FeatureDescriptor(
        id: "word-count",
        title: "Counts words or lines",
        params: Params.self,
        [
            "text": .init("What is counted"),
            "unit": .init("What counts", default: "words"),
            "longest": .init("Longer words are left out", in: 1...1000),
        ]
    )

    func process(_ params: Params, _ context: FeatureContext) async throws -> TaskResult {
        let pieces = params.text.split { params.unit == .words ? $0.isWhitespace : $0.isNewline }
        // What an earlier attempt came to.
        var count = context.checkpoint?["count"]?.int ?? 0
        let start = context.checkpoint?["next"]?.int ?? 0
        for (index, piece) in pieces.enumerated().dropFirst(Int(start)) {
            try Task.checkCancellation()
            if piece.count <= params.longest ?? .max { count += 1 }
            context.progress(Double(100 * (index + 1) / pieces.count), String(piece))
            context.saveCheckpoint(["count": .int(count), "next": .int(Int64(index + 1))])
        }
        context.log(Array("counted \(pieces.count) \(params.unit.rawValue)\n".utf8))
        guard count > 0 else {
            throw TaskFailure("nothing", "There is nothing to count.", fix: "Give some text.")
        }
        return TaskResult(value: ["count": .int(count)])
    }
}

@main enum Main: Plugin {
    static let id = "word-count"
    static let version = "1.0.0"
    static let features: [any Feature] = [WordCount()]
    // What `belfry plugin test` tries.
    static let manifest: JSONObject = [
        "features": [
            ["id": "word-count", "examples": [["title": "Words", "params": ["text": "to be or not to be"]]]]
        ]
    ]
}
