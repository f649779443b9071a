// Ends an autostarted hub that nobody needs: no task that is not final, no schedule,
// and nobody watching.

import BelfryCore
import BelfryService
import Logging
import ServiceLifecycle

/// Looks now and then whether the hub is still of use.
struct IdleWatch: Service {
    let hub: Hub
    let idleTime: Duration
    let logger: Logger

    func run() async {
        await cancelWhenGracefulShutdown {
            var last = hub.newestEvent
            while (try? await hub.parts.clocks.sleep(idleTime)) != nil {
                let newest = hub.newestEvent
                if newest == last, await isIdle() {
                    logger.info("nothing to do and nobody watches: the hub ends")
                    hub.stop()
                    // A service that ends while others shut down is taken for one that failed.
                    try? await gracefulShutdown()
                    return
                }
                last = newest
            }
        }
    }

    private func isIdle() async -> Bool {
        guard let counts = try? await hub.parts.service.storeStatus().counts else { return false }
        // A hub with a schedule stays: nobody else would start it at the next tick.
        guard let schedules = try? await hub.schedules(), schedules.allSatisfy(\.isPaused) else {
            return false
        }
        let open = (counts[.pending] ?? 0) + (counts[.processing] ?? 0)
        return open == 0 && hub.parts.bus.readerCount <= hub.parts.sinks.runners.count
    }
}
