// Everything that makes features out of plugins, behind one door: whoever scans the disk hands in what it found
// and gets what tasks can ask for. What runs behind a feature, a process for each task or one that stays, is
// nobody's business outside.

public import BelfryCore
import Synchronization

/// Makes the features of plugins, and keeps the servers behind them.
public final class PluginFeatures: Sendable {
    public struct Configuration: Sendable {
        /// The path of belfry-launch.
        public var launcher: String
        /// What plugins' environments are chosen from: what every plugin gets, and what one asks for by name.
        public var environment: [String: String]
        /// What plugins can ask for by name.
        public var secrets: PluginSecrets
        /// Keeps a plugin's files where they are while something runs them.
        public var hold: @Sendable (InstalledPlugin) -> PluginHold?
        /// Where the lists of servers' tools are kept.
        public var toolCache: String
        public var clocks: Clocks
        /// Told of what belongs into the logs of plugins whose servers stay. Defaults to nobody.
        public var onNote: @Sendable (_ pluginID: String, PluginNote) -> Void = { _, _ in }

        public init(
            launcher: String,
            environment: [String: String],
            secrets: PluginSecrets = PluginSecrets(),
            hold: @escaping @Sendable (InstalledPlugin) -> PluginHold? = { _ in nil },
            toolCache: String,
            clocks: Clocks = Clocks()
        ) {
            self.secrets = secrets
            self.hold = hold
            self.launcher = launcher
            self.environment = environment
            self.toolCache = toolCache
            self.clocks = clocks
        }
    }

    /// What plugins serve.
    public struct Offer: Sendable {
        public var features: [any Feature] = []
        /// Features that would be there, and why they are not.
        public var unavailable: [String: PluginSnapshot.Problem] = [:]
        /// Plugins that serve nothing, by their ids, and why: nobody may know which features they would have.
        public var unavailablePlugins: [String: PluginSnapshot.Problem] = [:]
    }

    private typealias Job = @Sendable () async -> Void

    private struct State {
        var hosts: [String: MCPHost] = [:]
        /// Of plugins that are being added.
        var learning: [MCPHost] = []
        var endsAsking = false
        /// Why a server's tools are not known.
        var silent: [String: TaskFailure] = [:]
        /// Plugins whose servers were asked once.
        var asked: Set<InstalledPlugin> = []
        var onChange: @Sendable () -> Void = {}
    }

    private let configuration: Configuration
    private let cache: ToolCache
    private let onRemark: @Sendable (_ pluginID: String, _ remark: String) -> Void
    private let jobs: AsyncStream<Job>
    private let addJob: AsyncStream<Job>.Continuation
    private let state = Mutex(State())

    /// - Parameter onRemark: told of what is odd about a plugin, as a sentence without its subject.
    public init(
        _ configuration: Configuration,
        onRemark: @escaping @Sendable (_ pluginID: String, _ remark: String) -> Void = { _, _ in }
    ) {
        self.configuration = configuration
        self.onRemark = onRemark
        cache = ToolCache(directory: configuration.toolCache)
        (jobs, addJob) = AsyncStream.makeStream()
    }

    /// What to do when plugins have come to serve something else: look again. Set once, before ``run()``.
    public func setOnChange(_ onChange: @escaping @Sendable () -> Void) {
        state.withLock { $0.onChange = onChange }
    }

    // MARK: What there is

    /// The features of a scan's plugins. Servers of plugins that have gone or changed finish what they have.
    public func offer(of snapshot: PluginSnapshot) -> Offer {
        var offer = Offer(
            unavailable: snapshot.unavailableFeatures,
            unavailablePlugins: snapshot.unavailablePlugins
        )
        keepHosts(snapshot.ready.filter { $0.manifest.runner.wire == .mcp })
        for plugin in snapshot.ready {
            switch plugin.manifest.runner.wire {
            case .exec: addExec(plugin, to: &offer)
            case .mcp: addServer(plugin, to: &offer)
            case .observer: break
            }
        }
        return offer
    }

    private func addExec(_ plugin: InstalledPlugin, to offer: inout Offer) {
        let hold = configuration.hold(plugin)
        for entry in plugin.manifest.features {
            do {
                offer.features.append(
                    try ExecFeature(
                        plugin: plugin,
                        entry: entry,
                        launcher: configuration.launcher,
                        environment: configuration.environment,
                        secrets: configuration.secrets,
                        hold: hold
                    )
                )
            } catch {
                offer.unavailable[entry.id] = PluginSnapshot.Problem("\(error)")
            }
        }
    }

    private func addServer(_ plugin: InstalledPlugin, to offer: inout Offer) {
        guard let host = state.withLock({ $0.hosts[plugin.manifest.id] }) else { return }
        let tools = cache.tools(of: plugin)
        if tools == nil { askOnce(host) }
        let (features, missing) = MCPOffer(host: host, tools: tools).features()
        let status = host.status
        guard status.condition != .quarantined else {
            let problem = PluginSnapshot.Problem(status.reason ?? "it crashed", fix: status.fix)
            for feature in features { offer.unavailable[feature.descriptor.id] = problem }
            return
        }
        offer.features += features
        offer.unavailable.merge(missing) { first, _ in first }
    }

    /// A plugin's JSON, with how its server is.
    public func json(of plugin: PluginSnapshot.Plugin, _ json: JSONValue) -> JSONValue {
        var object = json.object ?? [:]
        guard case .ready(let installed) = plugin.state,
            let (host, silent) = state.withLock({ state in
                state.hosts[plugin.id].map { ($0, state.silent[plugin.id]) }
            })
        else { return .object(object) }
        let (features, missing) = MCPOffer(host: host, tools: cache.tools(of: installed)).features()
        let ids = features.map(\.descriptor.id) + missing.keys.sorted()
        object["features"] = .array(ids.map { .string($0) })
        let status = host.status
        object["process"] = status.json
        if status.condition != .stopped { object["state"] = .string(status.condition.rawValue) }
        object.set("reason", (status.reason ?? silent?.message).map { .string($0) })
        object.set("fix", (status.reason == nil ? silent?.fix : status.fix).map { .string($0) })
        return .object(object)
    }

    // MARK: What servers can do

    /// Asks a plugin's server for its tools, and keeps the answer.
    ///
    /// - Throws: ``BelfryError`` `invalid_plugin` with what the server said instead.
    public func learn(_ plugin: InstalledPlugin) async throws {
        guard plugin.manifest.runner.wire == .mcp else { return }
        do { try await fetchTools(of: plugin) } catch let failure as TaskFailure {
            let said =
                failure.logTail.map { $0.isEmpty ? "" : "\nIts last words:\n\($0.truncated(toUTF8: 2000))" }
                ?? ""
            throw BelfryError(.invalidPlugin, failure.message + said, fix: failure.fix)
        }
    }

    /// Asks a plugin's server for its tools unless they are known or it was asked before. Why it does not tell is
    /// shown with the plugin.
    public func learnIfNew(_ plugin: InstalledPlugin) async {
        guard plugin.manifest.runner.wire == .mcp, cache.tools(of: plugin) == nil,
            state.withLock({ $0.asked.insert(plugin).inserted })
        else { return }
        do { try await fetchTools(of: plugin) } catch { isSilent(plugin, error) }
    }

    private func fetchTools(of plugin: InstalledPlugin) async throws {
        let id = plugin.manifest.id
        // What it was before an update may still run, and knows nothing of the new tools.
        let present = state.withLock { $0.hosts[id] }.flatMap { $0.plugin == plugin ? $0 : nil }
        let host = present ?? makeHost(plugin)
        let isEnding = state.withLock { state in
            state.learning.append(host)
            return state.endsAsking
        }
        defer { state.withLock { $0.learning.removeAll { $0 === host } } }
        guard !isEnding else { throw CancellationError() }
        _ = cache.keep(try await host.listTools(), of: plugin)
        state.withLock { $0.silent[id] = nil }
    }

    /// Once for each plugin, beside everything else: what is not known is not offered.
    private func askOnce(_ host: MCPHost) {
        guard state.withLock({ $0.asked.insert(host.plugin).inserted }) else { return }
        addJob.yield { [self] in
            do {
                if cache.keep(try await host.listTools(), of: host.plugin) { changed() }
            } catch { isSilent(host.plugin, error) }
        }
    }

    private func isSilent(_ plugin: InstalledPlugin, _ error: any Error) {
        // Anything else is the end of the hub.
        guard let failure = error as? TaskFailure else { return }
        state.withLock { $0.silent[plugin.manifest.id] = failure }
        remark(plugin.manifest.id, "does not tell its tools: \(failure.message)")
    }

    private func remark(_ id: String, _ remark: String) {
        configuration.onNote(id, .happened(remark))
        onRemark(id, remark)
    }

    private func changed() { state.withLock { $0.onChange }() }

    // MARK: Servers

    private func keepHosts(_ plugins: [InstalledPlugin]) {
        let wanted = Dictionary(plugins.map { ($0.manifest.id, $0) }) { first, _ in first }
        let gone: [MCPHost] = state.withLock { state in
            let gone = state.hosts.values.filter { wanted[$0.plugin.manifest.id] != $0.plugin }
            for host in gone {
                state.hosts[host.plugin.manifest.id] = nil
                state.silent[host.plugin.manifest.id] = nil
                state.asked.remove(host.plugin)
            }
            for (id, plugin) in wanted where state.hosts[id] == nil { state.hosts[id] = makeHost(plugin) }
            return gone
        }
        for host in gone { host.drain() }
    }

    private func makeHost(_ plugin: InstalledPlugin) -> MCPHost {
        let id = plugin.manifest.id
        var parts = MCPHost.Parts(
            launcher: configuration.launcher,
            environment: ExecEnvironment.ofProcess(
                of: plugin,
                from: configuration.environment,
                secrets: configuration.secrets
            ),
            clocks: configuration.clocks,
            spawn: { [addJob] job in addJob.yield(job) }
        )
        parts.onTools = { [weak self] tools in
            guard let self else { return }
            state.withLock { $0.silent[id] = nil }
            if cache.keep(tools, of: plugin) { changed() }
        }
        parts.hold = configuration.hold(plugin)
        parts.onQuarantine = { [weak self] in self?.changed() }
        parts.onNote = { [configuration] in configuration.onNote(id, $0) }
        parts.onRemark = { [weak self] in self?.remark(id, $0) }
        return MCPHost(plugin: plugin, parts: parts)
    }

    /// Lifts the quarantine of a plugin, and asks it again for its tools if it did not tell them.
    public func forgive(_ id: String) {
        let host = state.withLock { state in
            state.silent[id] = nil
            if let host = state.hosts[id] { state.asked.remove(host.plugin) }
            return state.hosts[id]
        }
        host?.forgive()
    }

    /// Runs the servers that are wanted, until ``stop()``.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for await job in jobs { group.addTask { await job() } }
            // Whatever was started between the last scan and the end.
            stop()
        }
    }

    /// The hub is about to end: no server is waited for that only tells its tools.
    public func stopAsking() {
        let hosts = state.withLock { state in
            state.endsAsking = true
            return state.learning + state.hosts.values
        }
        for host in hosts { host.stopAsking() }
    }

    /// Ends all servers: end of input, TERM after the grace, KILL after another. Tasks must have ended before.
    public func stop() {
        addJob.finish()
        for host in state.withLock({ Array($0.hosts.values) }) { host.stop() }
    }
}
