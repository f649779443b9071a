// What `belfry plugin new --lang swift` writes: a package with one typed feature. Its program is the example of
// Docs/WritingAPlugin.md, which is built and run with Belfry itself.

import BelfryCore

extension PluginScaffold {
    /// - Parameter belfry: a checkout of Belfry, whose library the package is built with.
    /// - Throws: ``BelfryError`` `invalid_request` when it is none.
    static func swift(_ id: String, belfry: String?) throws -> [File] {
        guard let belfry else {
            throw BelfryError(
                .invalidRequest,
                "A plugin in Swift is built with Belfry's library, which is fetched from nowhere.",
                fix: "Name a checkout of Belfry: --belfry DIR"
            )
        }
        guard let checkout = FileSystem.real(belfry),
            FileSystem.entry(checkout + "/Sources/BelfryPluginKit", following: true) != nil
        else {
            throw BelfryError(
                .invalidRequest,
                "\(belfry) is no checkout of Belfry: it has no Sources/BelfryPluginKit.",
                fix: "Name another directory: --belfry DIR"
            )
        }
        return [
            package(id, checkout), File(path: "Sources/Main.swift", text: program(id)),
            File(path: ".gitignore", text: "/.build/\n"),
            readme(id, first: swiftBuild(id) + "   # makes plugin.json too"),
        ]
    }

    /// The command that builds it, and prints its manifest.
    static func swiftBuild(_ id: String) -> String {
        "swift build -c release && .build/release/\(id) --exec --manifest > plugin.json"
    }

    private static func package(_ id: String, _ checkout: String) -> File {
        let text = """
            // swift-tools-version: 6.2
            import PackageDescription

            let package = Package(
                name: "\(id)",
                dependencies: [.package(name: "belfry", path: \(literal(checkout)))],
                targets: [
                    .executableTarget(
                        name: "\(id)",
                        dependencies: [
                            .product(name: "BelfryCore", package: "belfry"),
                            .product(name: "BelfryPluginKit", package: "belfry"),
                        ],
                        path: "Sources"
                    )
                ]
            )

            """
        return File(path: "Package.swift", text: text)
    }

    /// Text as Swift writes it.
    private static func literal(_ text: String) -> String {
        let escaped = text.flatMap { character -> String in
            switch character {
            case "\\", "\"": "\\\(character)"
            case "\n": "\\n"
            default: String(character)
            }
        }
        return "\"\(String(escaped))\""
    }

    private static func program(_ id: String) -> String {
        #"""
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
                id: "\#(id)",
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
            static let id = "\#(id)"
            static let version = "1.0.0"
            static let features: [any Feature] = [WordCount()]
            // What `belfry plugin test` tries.
            static let manifest: JSONObject = [
                "features": [
                    ["id": "\#(id)", "examples": [["title": "Words", "params": ["text": "to be or not to be"]]]]
                ]
            ]
        }

        """#
    }
}
