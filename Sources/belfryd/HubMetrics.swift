// The hub's metrics: one registry that the parts write to, and the page that is made of it.

import BelfryMetrics
import BelfryService

/// What the hub measures of itself.
struct HubMetrics: Sendable {
    private let registry: MetricsRegistry
    private let gauges: HubGauges

    /// - Parameter registry: the one that `service`'s metrics were made by.
    init(registry: MetricsRegistry, gauges: HubGauges.Parts) {
        self.registry = registry
        self.gauges = HubGauges(gauges, factory: registry)
    }

    /// A registry that knows what Belfry's metrics mean.
    static func makeRegistry() -> MetricsRegistry {
        var configuration = MetricsRegistry.Configuration()
        for metric in MetricDefinition.all {
            configuration.help[metric.name] = metric.help
            configuration.bounds[metric.name] = metric.bounds
        }
        return MetricsRegistry(configuration)
    }

    /// Everything as it is now.
    func page() async -> String {
        await gauges.refresh()
        return registry.page()
    }
}
