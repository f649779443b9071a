// The plugin's program.

import BelfryPluginKit
import TextToImage

await PluginMain.serve(TextToImageFeature())
