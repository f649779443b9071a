// The plugin's program.

import BelfryPluginKit
import FoundationEssentials
import TextToImage

await PluginMain.serve(TextToImageFeature(environment: ProcessInfo.processInfo.environment))
