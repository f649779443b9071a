// The server of one plugin over time: started when a tool is wanted, used by many tasks, ended when nobody wants
// one for a while, started again after a crash, and set aside after too many.

import BelfryCore
import Synchronization

/// Keeps the processes of one plugin that speaks MCP.
final class MCPHost: Sendable {
    struct Parts: Sendable {
        /// belfry-launch.
        var launcher: String
        /// The whole environment of the server.
        var environment: [String: String]
        var clocks: Clocks
        /// Runs something beside everything else.
        var spawn: @Sendable (@escaping @Sendable () async -> Void) -> Void
        /// Keeps the plugin's files for as long as a feature or a server is there.
        var hold: PluginHold?
        var onTools: @Sendable ([MCPTool]) -> Void = { _ in }
        /// Told when the plugin was set aside.
        var onQuarantine: @Sendable () -> Void = {}
        var onRemark: @Sendable (String) -> Void = { _ in }
        /// Told of what belongs into the plugin's log.
        var onNote: @Sendable (PluginNote) -> Void = { _ in }
        /// Sees each line that goes to a server and comes from it. Defaults to nobody.
        var trace: PluginTrace?
    }

    private struct State {
        /// The one that takes calls.
        var server: MCPServer?
        /// Those that finish what they have.
        var draining: [MCPServer] = []
        /// Those that are only asked for their tools.
        var probes: [MCPServer] = []
        var policy: RestartPolicy
        var notBefore: Duration?
        var quarantine: TaskFailure?
        var lastCrash: TaskFailure?
        var isClosed = false
        var garbage = 0
    }

    let plugin: InstalledPlugin
    private let parts: Parts
    private let slots: SlotQueue
    private let state: Mutex<State>

    init(plugin: InstalledPlugin, parts: Parts) {
        self.plugin = plugin
        self.parts = parts
        slots = SlotQueue(plugin.manifest.limits.concurrency)
        state = Mutex(State(policy: RestartPolicy(plugin.manifest.restart)))
    }

    // MARK: Use

    /// Calls a tool, once there is a slot and a server.
    ///
    /// - Throws: ``TaskFailure``; `CancellationError` at once when cancelled.
    func call(_ tool: String, _ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        try await slots.take()
        let server: MCPServer
        do { server = try await readyServer() } catch {
            slots.give()
            throw error
        }
        return try await server.call(tool, params, context) { [slots] in slots.give() }
    }

    private func readyServer() async throws -> MCPServer {
        while true {
            switch try step() {
            case .use(let server):
                if try await server.takesCalls() { return server }
            case .wait(let delay): try await parts.clocks.sleep(delay)
            }
        }
    }

    private enum Step {
        case use(MCPServer)
        case wait(Duration)
    }

    private func step() throws -> Step {
        let now = parts.clocks.lease.now
        let (step, new): (Step, MCPServer?) = try state.withLock { state in
            if let quarantine = state.quarantine { throw quarantine }
            if let server = state.server { return (.use(server), nil) }
            guard !state.isClosed else {
                throw TaskFailure(
                    "plugin_gone",
                    "The plugin '\(plugin.manifest.id)' was removed, changed or switched off.",
                    fix: "Retry the task.",
                    isRetryable: true
                )
            }
            if let time = state.notBefore, time > now { return (.wait(time - now), nil) }
            state.notBefore = nil
            let server = makeServer()
            state.server = server
            return (.use(server), server)
        }
        if let new { parts.spawn { [self] in await run(new) } }
        return step
    }

    // MARK: Its processes

    private func makeServer() -> MCPServer {
        var configuration = Self.configuration(of: plugin, parts)
        configuration.onTools = parts.onTools
        configuration.onRemark = parts.onRemark
        let retired = Retired()
        configuration.onRetired = { [weak self] in retired.take().map { self?.setAside($0) } }
        let server = MCPServer(configuration)
        retired.set(server)
        return server
    }

    static func configuration(of plugin: InstalledPlugin, _ parts: Parts) -> MCPServer.Configuration {
        let manifest = plugin.manifest
        let launch = Launch(
            launcher: parts.launcher,
            executable: plugin.executable,
            arguments: plugin.arguments,
            environment: parts.environment,
            workingDirectory: plugin.workingDirectory,
            umask: 0o022,
            addressSpaceMB: manifest.limits.addressSpaceMB,
            memoryMB: manifest.limits.memoryMB,
            cancelGrace: manifest.limits.cancelGrace,
            pins: plugin.pins
        )
        var process = PluginProcess(
            launch: launch,
            maxLineBytes: manifest.limits.maxLineBytes,
            sleep: parts.clocks.sleep
        )
        process.trace = parts.trace
        var configuration = MCPServer.Configuration(process: process, name: manifest.id)
        let lines = Mutex(LineSplitter(limit: PluginNote.longest))
        configuration.onError = { bytes in lines.withLock { $0.feed(bytes) { parts.onNote(.said($0)) } } }
        configuration.stopsWhenCancelled = manifest.runner.stopsWhenCancelled
        return configuration
    }

    /// Runs one server to its end, and ends it when nobody has wanted it for a while.
    private func run(_ server: MCPServer) async {
        parts.onNote(.happened("started"))
        let end = await withTaskGroup(of: MCPServer.End?.self) { group in
            group.addTask { await server.run() }
            group.addTask { [self] in
                await stopWhenIdle(server)
                return nil
            }
            defer { group.cancelAll() }
            for await end in group { if let end { return end } }
            return MCPServer.End.stopped
        }
        ended(server, end)
    }

    private func stopWhenIdle(_ server: MCPServer) async {
        guard let idle = plugin.manifest.runner.idleStop else { return }
        var seen = -1
        // Looked at once in each span: one that idles is ended after one to two of them.
        while (try? await parts.clocks.sleep(idle)) != nil {
            let begun = server.begun
            if begun == seen, server.busy == 0, server.isReady { return server.retire() }
            seen = begun
        }
    }

    private func setAside(_ server: MCPServer) {
        state.withLock { state in
            guard state.server === server else { return }
            state.server = nil
            state.draining.append(server)
        }
    }

    private func ended(_ server: MCPServer, _ end: MCPServer.End) {
        let now = parts.clocks.lease.now
        let (failure, isQuarantined): (TaskFailure?, Bool) = state.withLock { state in
            if state.server === server { state.server = nil }
            state.draining.removeAll { $0 === server }
            state.garbage += server.garbage
            guard case .crashed(let failure) = end else { return (nil, false) }
            state.lastCrash = failure
            switch state.policy.crashed(at: now) {
            case .restart(let time): state.notBefore = time
            case .quarantine: state.quarantine = quarantine(after: failure)
            }
            return (failure, state.quarantine != nil)
        }
        guard let failure else { return parts.onNote(.happened("ended")) }
        parts.onRemark("crashed: \(failure.message)")
        guard isQuarantined else { return }
        parts.onNote(.quarantined(plugin.manifest.id))
        parts.onQuarantine()
    }

    private func quarantine(after failure: TaskFailure) -> TaskFailure {
        let restart = plugin.manifest.restart
        return TaskFailure(
            "quarantined",
            "it crashed \(max(restart.max, 1)) times within \(restart.window), the last time so: \(failure.message)",
            fix: "Mend it, then: belfry plugin enable \(plugin.manifest.id)",
            logTail: failure.logTail
        )
    }

    // MARK: What its owner does

    /// Lifts the quarantine and forgets the crashes.
    func forgive() {
        state.withLock { state in
            state.policy.forgive()
            state.quarantine = nil
            state.notBefore = nil
        }
    }

    /// Takes no more calls, and ends the servers when they have done what they have.
    func drain() {
        let server = state.withLock { state in
            state.isClosed = true
            return state.server
        }
        server?.retire()
    }

    /// Ends the servers, whatever they do.
    func stop() {
        let servers = state.withLock { state in
            state.isClosed = true
            return state.probes + state.draining + (state.server.map { [$0] } ?? [])
        }
        for server in servers { server.stop(.politely) }
    }

    /// Ends the servers that are only asked for their tools, at once: nobody waits for the answer any more.
    func stopAsking() {
        for server in state.withLock({ $0.probes }) { server.stop(.now) }
    }

    /// Starts a server only to ask for its tools.
    ///
    /// - Throws: ``TaskFailure`` that says why it does not tell.
    func listTools() async throws -> [MCPTool] {
        let server = MCPServer(Self.configuration(of: plugin, parts))
        parts.onNote(.happened("started, to list its tools"))
        state.withLock { $0.probes.append(server) }
        defer { state.withLock { $0.probes.removeAll { $0 === server } } }
        return try await withThrowingTaskGroup(of: [MCPTool]?.self) { group in
            group.addTask {
                _ = await server.run()
                return nil
            }
            group.addTask {
                let tools = try await server.ready().tools
                server.stop(.politely)
                return tools
            }
            var tools: [MCPTool] = []
            for try await answer in group { tools = answer ?? tools }
            return tools
        }
    }

    /// How it stands, for people.
    var status: PluginProcessStatus {
        let now = parts.clocks.lease.now
        return state.withLock { state in
            let servers = state.draining + (state.server.map { [$0] } ?? [])
            var status = PluginProcessStatus(condition: .stopped)
            status.running = servers.reduce(0) { $0 + $1.busy }
            status.crashes = state.policy.recentCrashes(at: now)
            status.garbage = state.garbage + servers.reduce(0) { $0 + $1.garbage }
            if let quarantine = state.quarantine {
                status.condition = .quarantined
                status.reason = quarantine.message
                status.fix = quarantine.fix
            } else if let server = state.server {
                status.condition = !server.isReady ? .starting : server.busy > 0 ? .busy : .ready
            } else if !state.draining.isEmpty {
                status.condition = .draining
            } else if !state.probes.isEmpty {
                status.condition = .starting
            } else if let time = state.notBefore, time > now {
                status.condition = .backoff
                status.reason = state.lastCrash?.message
            }
            return status
        }
    }
}

/// The server that a callback of its own is about.
private final class Retired: Sendable {
    private struct Box { weak var server: MCPServer? }
    private let box = Mutex(Box())

    func set(_ server: MCPServer) { box.withLock { $0.server = server } }
    func take() -> MCPServer? { box.withLock { $0.server } }
}
