// One attempt of the feature in a directory of its own, as the hub gives it.

import BelfryCore
import FoundationEssentials
import ProceduralRenderer
import Synchronization

@testable import TextToImage

/// What was said of an attempt's progress.
final class Progress: Sendable {
    private let all = Mutex<[(percent: Double?, words: String)]>([])
    private let onWords: @Sendable (String) -> Void

    init(_ onWords: @escaping @Sendable (String) -> Void = { _ in }) { self.onWords = onWords }

    var percents: [Double] { all.withLock { $0.compactMap(\.percent) } }
    var words: [String] { all.withLock { $0.map(\.words) } }

    func report(_ percent: Double?, _ words: String?) {
        all.withLock { $0.append((percent, words ?? "")) }
        onWords(words ?? "")
    }
}

enum Attempt {
    static func context(_ directory: String = "/", _ progress: Progress = Progress()) -> FeatureContext {
        FeatureContext(
            taskID: IDGenerator().taskID(at: Timestamp(milliseconds: 0)),
            featureID: "text-to-image",
            attempt: 1,
            fence: 1,
            outputDirectory: directory,
            onProgress: progress.report
        )
    }

    /// A real PNG.
    static func png(_ seed: UInt64 = 1) throws -> [UInt8] {
        let picture = try render(PictureRequest(prompt: "sea", style: nil, width: 16, height: 16, seed: seed))
        { _ in }
        return Array(
            PNGEncoder.encode(
                width: picture.width,
                height: picture.height,
                rgb: picture.pixels,
                text: picture.metadata
            )
        )
    }

    /// The failure that `body` ends in.
    static func failure(_ body: () async throws -> Void) async throws -> TaskFailure {
        do { try await body() } catch let failure as TaskFailure { return failure }
        return TaskFailure("none", "It did not fail.")
    }
}
