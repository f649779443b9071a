// The composition root: the one place that knows every part.

import BelfryAPI
import BelfryCore
import BelfryDesktop
import BelfryFileSink
import BelfryMetrics
import BelfryPlugins
import BelfrySQLite
import BelfryService
import BelfryStdoutSink
import FoundationEssentials
import Glibc
import Logging

/// Builds a hub's parts in the order of their needs.
struct Assembly {
    let places: Places
    let configuration: Configuration
    let warnings: [String]
    let logger: Logger

    /// Opens the store, scans the plugins and puts everything together. Nothing runs yet.
    ///
    /// - Throws: ``BelfryError`` for everything that keeps a hub from running, with its fix.
    func makeHub(stdout: StdoutForm?) async throws -> Hub {
        let clocks = Clocks()
        let registry = HubMetrics.makeRegistry()
        let metrics = ServiceMetrics(factory: registry)
        let committed = CommitSignal()
        var storeConfiguration = SQLiteTaskStore.Configuration(path: places.store)
        storeConfiguration.didCommitEvents = { committed.fire($0) }
        storeConfiguration.didCommit = { metrics.storeCommitted(requests: $0, in: $1) }
        let store = try await SQLiteTaskStore.open(storeConfiguration)
        let bus = ObserverBus(store: store, clocks: clocks, metrics: metrics, logger: logger)
        committed.connect { bus.committed($0) }
        try await bus.start()

        let features = FeatureRegistry()
        features.register(try ShellFeature(launcher: launcher))
        let plugins = makePlugins(features, clocks: clocks)
        let files = try TaskFiles(directory: places.state)
        let worker = TaskWorker(
            id: workerID(),
            store: store,
            features: features,
            bus: bus,
            files: files,
            configuration: try await workerConfiguration(),
            clocks: clocks,
            alarm: WallAlarm(),
            instruments: Instruments(metrics: metrics),
            logger: logger
        )
        let service = BackgroundTaskService(
            store: store,
            features: features,
            worker: worker,
            files: files,
            fairness: configuration.fairness,
            clocks: clocks,
            metrics: metrics
        )
        try await worker.groups.load()
        let desktop = makeDesktopSink(service, clocks: clocks)
        let eventLog = configuration.isFileSinkEnabled ? FileSink(configuration.fileSink(places)) : nil
        let health = StoreHealth(logger: logger)
        let sinks = SinkSet(
            makeSinks(eventLog, stdout) + (desktop.map { [$0] } ?? []),
            bus: bus,
            store: store,
            clocks: clocks,
            logger: logger
        )
        await sinks.follow { plugins.observers(clocks) }
        return Hub(
            Hub.Parts(
                places: places,
                configuration: configuration,
                warnings: warnings + strangeSettings(plugins),
                store: store,
                bus: bus,
                service: service,
                worker: worker,
                scheduler: Scheduler(service, logger: logger),
                sinks: sinks,
                eventLog: eventLog,
                desktop: desktop,
                plugins: plugins,
                health: health,
                integrityCheck: IntegrityCheck(store: store, health: health, logger: logger),
                metrics: HubMetrics(
                    registry: registry,
                    gauges: HubGauges.Parts(
                        store: store,
                        bus: bus,
                        worker: worker,
                        sinks: sinks,
                        clocks: clocks
                    )
                ),
                clocks: clocks
            )
        )
    }

    var launcher: String {
        let programs = HubStarter.programsDirectory(environment: ProcessInfo.processInfo.environment)
        return HubStarter.program("belfry-launch", in: programs) ?? programs + "/belfry-launch"
    }

    private func workerID() -> WorkerID {
        WorkerID("\(IDGenerator().epoch())-\(getpid())")
    }

    private func workerConfiguration() async throws -> TaskWorker.Configuration {
        var worker = TaskWorker.Configuration()
        worker.concurrency = configuration.concurrency
        worker.drainTime = configuration.drainTime
        worker.diskReserve = configuration.diskReserve
        worker.capacity = await MachineCapacity(launcher: launcher, logger: logger).found(
            configuration.resources
        )
        return worker
    }

    /// Where plugins are looked for.
    var registry: PluginRegistry {
        let environment = ProcessInfo.processInfo.environment
        let programs = HubStarter.programsDirectory(environment: environment)
        let bundled = environment["BELFRY_PLUGIN_DIR"] ?? programs + "/../share/belfry/plugins"
        return PluginRegistry(
            places: PluginRegistry.Places(
                bundled: [bundled],
                system: places.systemPlugins + configuration.pluginDirectories,
                user: places.userPlugins,
                searchPath: environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
            ),
            reservedFeatureIDs: ["shell"],
            settings: configuration.pluginSettings,
            configurationFile: places.configFile,
            secrets: configuration.secrets
        )
    }

    private func makePlugins(_ features: FeatureRegistry, clocks: Clocks) -> PluginManager {
        let registry = registry
        let environment = ProcessInfo.processInfo.environment.merging(configuration.environment) { _, own in
            own
        }
        let journal = PluginJournal(directory: places.pluginLogs, logger: logger)
        var runners = PluginFeatures.Configuration(
            launcher: launcher,
            environment: environment,
            secrets: configuration.secrets,
            hold: { registry.versions.hold($0) },
            toolCache: places.state + "/tools",
            clocks: clocks
        )
        runners.onNote = { journal.note($1, of: $0) }
        let manager = PluginManager(
            registry: registry,
            features: features,
            launcher: launcher,
            environment: environment,
            secrets: configuration.secrets,
            runners: PluginFeatures(
                runners,
                onRemark: { [logger] id, remark in
                    logger.warning(
                        "a plugin misbehaves",
                        metadata: ["plugin": "\(id)", "remark": "\(remark)"]
                    )
                }
            ),
            journal: journal,
            logger: logger
        )
        manager.scan()
        return manager
    }

    /// What is set for plugins that are not there: a slip of the pen, as a rule.
    private func strangeSettings(_ plugins: PluginManager) -> [String] {
        let known = plugins.registry.scan().plugins.map(\.id)
        let strange = configuration.pluginSettings.keys.filter { !known.contains($0) }.sorted()
        return strange.map { id in
            let hint = NameSuggestion.closest(to: id, among: known).map { "; did you mean [plugins.\($0)]?" }
            let warning =
                "\(places.configFile): [plugins.\(id)] is for no plugin that is there\(hint ?? "")"
            logger.warning("\(warning)")
            return warning
        }
    }

    private func makeDesktopSink(_ service: BackgroundTaskService, clocks: Clocks) -> DesktopSink? {
        guard configuration.isDesktopSinkEnabled else { return nil }
        let environment = ProcessInfo.processInfo.environment
        var desktop = configuration.desktop
        desktop.resultsDirectory = places.state + "/results"
        // By its path, so that it is found wherever Belfry is installed.
        let programs = HubStarter.programsDirectory(environment: environment)
        let icon = programs + "/../share/icons/hicolor/128x128/apps/belfry.png"
        if let path = realpath(icon, nil) {
            desktop.icon = String(cString: path)
            free(path)
        }
        var parts = DesktopSink.Parts(
            configuration: desktop,
            control: service,
            opener: XDGOpener(launcher: launcher, environment: environment),
            environment: environment,
            clocks: clocks,
            logger: logger
        )
        parts.leftoversPath = places.state + "/popups"
        return DesktopSink(parts)
    }

    private func makeSinks(_ eventLog: FileSink?, _ stdout: StdoutForm?) -> [any Sink] {
        var sinks: [any Sink] = []
        if let eventLog { sinks.append(eventLog) }
        if let stdout { sinks.append(StdoutSink(form: stdout == .json ? .json : .human(EventFormatter()))) }
        return sinks
    }
}
