// belfryd: the hub. Reads the configuration, builds the parts, runs them until it is told to end.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryPlugins
import BelfrySQLite
import BelfryServer
import BelfryService
import FoundationEssentials
import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

@main
struct Belfryd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "belfryd",
        abstract: "The hub that runs Belfry's tasks, in the foreground.",
        discussion: """
            Nobody has to start it by hand: a submission does. In the foreground it is itself a stream:
            belfryd --stdout json | jq .type
            """,
        version: BelfryVersion.current,
        subcommands: [
            Serve.self, Answer.self, Restore.self, FetchPlugin.self, SetUpPlugin.self, PluginTool.self,
        ],
        defaultSubcommand: Serve.self
    )
}

enum StdoutForm: String, ExpressibleByArgument, CaseIterable {
    case human, json
}

/// Runs the hub.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Runs the hub.",
        shouldDisplay: false
    )

    @Option(help: "Print events as they happen: human or json.") var stdout: StdoutForm?
    @Flag(help: "Print the configuration file with every default and end.") var printConfig = false
    @Flag(help: ArgumentHelp("A submission started this hub.", visibility: .hidden)) var autostarted = false
    @Option(help: ArgumentHelp("Where to say 'ready'.", visibility: .hidden)) var readyFd: Int32?

    func run() async throws {
        if printConfig { return print(Configuration.template, terminator: "") }
        let ready = ReadyWord(descriptor: readyFd)
        do { try await serve(ready) } catch let error as BelfryError {
            throw refusal(error, ready)
        } catch TaskStoreError.unavailable(let error) {
            throw refusal(error, ready)
        } catch TaskStoreError.outcomeUnknown(let reason) {
            let fix = "Make sure that its disk is sound and not full, and start the hub again."
            let error = BelfryError(.storeUnavailable, "The store cannot be written: \(reason).", fix: fix)
            throw refusal(error, ready)
        }
    }

    private func refusal(_ error: BelfryError, _ ready: ReadyWord) -> ExitCode {
        ready.say(error.problem.text)
        FileHandleText.standardError("belfryd: \(error.description)")
        return ExitCode(error.code == .notWritable ? 77 : 1)
    }

    private func serve(_ ready: ReadyWord) async throws {
        Process.prepare()
        let places = Places(environment: ProcessInfo.processInfo.environment)
        try places.prepareRuntime()
        try places.prepareState()
        // A hub that is on its way out holds the lock until its tasks are safe.
        let lock = try InstanceLock(places, patience: autostarted ? .seconds(30) : .milliseconds(200))
        let (configuration, warnings) = try Configuration.load(places)
        var logger = Logger(label: "belfryd") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = configuration.logLevel
        for warning in warnings { logger.warning("\(warning)") }
        let assembly = Assembly(
            places: places,
            configuration: configuration,
            warnings: warnings,
            logger: logger
        )
        let hub = try await assembly.makeHub(stdout: stdout)
        try hub.prepareEventLog()
        try await run(hub, autostarted: autostarted, ready: ready, logger: logger)
        logger.info("the hub has ended")
        _ = consume lock
    }

    /// Runs the parts. They end in the reverse order of this list: first the API, then the worker,
    /// then the sinks, which deliver what the worker's last commits left, then the bus.
    private func run(_ hub: Hub, autostarted: Bool, ready: ReadyWord, logger: Logger) async throws {
        let server = HubServer(backend: hub, socketPath: hub.parts.places.socket, logger: logger) {
            logger.info(
                "the hub is ready",
                metadata: ["pid": "\(getpid())", "socket": "\(hub.parts.places.socket)"]
            )
            ready.say("ready\n")
        }
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [.init(service: hub.parts.bus)]
        // It keeps the connection until its runner has closed the sink.
        if let desktop = hub.parts.desktop { services.append(.init(service: desktop)) }
        services.append(.init(service: hub.parts.sinks, successTerminationBehavior: .ignore))
        // Ends after the worker, whose tasks it serves.
        services.append(.init(service: PluginService(hub: hub)))
        services.append(.init(service: hub.parts.worker))
        services.append(.init(service: hub.parts.scheduler))
        let janitor = Janitor(hub.parts.service, retention: hub.parts.configuration.retention, logger: logger)
        services.append(.init(service: janitor, successTerminationBehavior: .ignore))
        services.append(
            .init(service: hub.parts.integrityCheck, successTerminationBehavior: .ignore)
        )
        if autostarted, hub.parts.configuration.idleTime > .zero {
            let watch = IdleWatch(hub: hub, idleTime: hub.parts.configuration.idleTime, logger: logger)
            services.append(.init(service: watch, successTerminationBehavior: .ignore))
        }
        services.append(.init(service: server))
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: services, logger: quiet)
        )
        let (stops, stop) = AsyncStream.makeStream(of: Void.self)
        hub.setStop { stop.yield() }
        try await withThrowingTaskGroup { tasks in
            tasks.addTask {
                for await _ in stops { await end(hub, group) }
            }
            tasks.addTask { await endOnSignals(hub, group, logger: logger) }
            tasks.addTask { try await group.run() }
            defer { tasks.cancelAll() }
            // The watchers never end by themselves; the first to end is the group.
            try await tasks.next()
        }
        try await hub.parts.store.close()
    }

    private func end(_ hub: Hub, _ group: ServiceGroup) async {
        // Requests are answered to their end, and an answer may wait for a server that is being added.
        hub.parts.plugins.runners.stopAsking()
        await group.triggerGracefulShutdown()
    }

    /// The first signal ends the hub in order. With a second one the process ends at once, as by a crash,
    /// which loses nothing: running tasks are given back at the next start.
    private func endOnSignals(_ hub: Hub, _ group: ServiceGroup, logger: Logger) async {
        var isEnding = false
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            if isEnding {
                logger.warning("a second signal: the hub ends at once")
                _exit(128 + (signal == .sigint ? SIGINT : SIGTERM))
            }
            isEnding = true
            await end(hub, group)
        }
    }
}

/// Answers one request from the store while no hub runs.
struct Answer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "answer",
        abstract: "Answers one API request without running a hub.",
        shouldDisplay: false
    )

    @Argument var method: String
    @Argument var path: String

    func run() async throws {
        Process.prepare()
        var output: [UInt8] = []
        do { output = try await answer() } catch let error as BelfryError {
            output = Array("\(error.httpStatus)\n".utf8) + error.problem.encoded
        }
        FileHandleText.writeAll(output, to: 1)
    }

    private func answer() async throws -> [UInt8] {
        let places = Places(environment: ProcessInfo.processInfo.environment)
        try places.prepareRuntime()
        try places.prepareState()
        let lock = try InstanceLock(places, patience: .seconds(30), isBrief: true)
        let (configuration, warnings) = try Configuration.load(places)
        var logger = Logger(label: "belfryd") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        let assembly = Assembly(
            places: places,
            configuration: configuration,
            warnings: warnings,
            logger: logger
        )
        let hub = try await assembly.makeHub(stdout: nil)
        let input = method == "GET" ? [] : FileHandleText.readAll(0)
        let body = Collector()
        let status = try await HubServer.answer(method, path, body: input, from: hub, logger: logger) {
            body.append($0)
        }
        try await hub.parts.store.close()
        _ = consume lock
        return Array("\(status)\n".utf8) + body.bytes
    }
}

/// Puts a backup in the place of the store, while no hub runs.
struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Puts a backup in the place of the store.",
        shouldDisplay: false
    )

    @Argument var file: String

    func run() async throws {
        Process.prepare()
        var output: [UInt8] = []
        do { output = Array("200\n".utf8) + (try restore()).encoded } catch let error as BelfryError {
            output = Array("\(error.httpStatus)\n".utf8) + error.problem.encoded
        }
        FileHandleText.writeAll(output, to: 1)
    }

    private func restore() throws -> JSONValue {
        let places = Places(environment: ProcessInfo.processInfo.environment)
        try places.prepareRuntime()
        try places.prepareState()
        let lock = try InstanceLock(places, patience: .zero, isBrief: true)
        let kept = try SQLiteTaskStore.restore(file, to: places.store, at: SystemWallClock().now)
        _ = consume lock
        var answer: JSONObject = ["store": .string(places.store)]
        answer.set("kept", kept.map { .string($0) })
        return .object(answer)
    }
}
