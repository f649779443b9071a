// The plugin's program.

import BelfryCore
import BelfryPluginKit
import FoundationEssentials
import TextToImage

@main enum Main: Plugin {
    static let id = "text-to-image"
    static let version = "1.0.0"
    static let features: [any Feature] = [
        TextToImageFeature(environment: ProcessInfo.processInfo.environment)
    ]
}
