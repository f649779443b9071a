// Runs the servers of plugins that stay, and follows what changes of plugins, as one of the hub's services.

import BelfryCore
import BelfryPlugins
import ServiceLifecycle

/// Keeps the plugins' servers as long as the hub runs.
struct PluginService: Service {
    let hub: Hub

    func run() async {
        let plugins = hub.parts.plugins
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        plugins.runners.setOnChange { changed.yield() }
        plugins.registry.setOnPinsBroken { changed.yield() }
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in changes { await hub.rescanPlugins() } }
                group.addTask { for await _ in plugins.watch.changes { await hub.rescanPlugins() } }
                await plugins.runners.run()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            plugins.runners.stop()
        }
    }
}
