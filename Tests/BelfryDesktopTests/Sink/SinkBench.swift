// A whole desktop sink on a private bus: events go in as the hub delivers them, and what arrives at a
// notification server, at the tasks and at other programs can be waited for.

import BelfryCore
import BusTesting
import DBus
import DesktopTesting
import Logging
import Synchronization

@testable import BelfryDesktop

/// A running sink, its bus, and everything around it.
final class SinkBench: Sendable {
    let bus: PrivateBus
    let sink: DesktopSink
    let control = RecordingControl()
    let opener = RecordingOpener()
    let log = LineLog()
    private let tasks = Mutex(ExampleTasks())

    private init(
        bus: PrivateBus,
        environment: [String: String],
        timeout: Duration,
        isSandboxed: Bool,
        clocks: Clocks,
        leftovers: String?,
        _ configuration: DesktopConfiguration
    ) {
        self.bus = bus
        let log = log
        var parts = DesktopSink.Parts(
            configuration: configuration,
            control: control,
            opener: opener,
            environment: environment,
            clocks: clocks,
            logger: Logger(label: "test") { _ in LineHandler(log: log) }
        )
        parts.address = { .at(bus.addressText) }
        parts.timeout = timeout
        parts.isSandboxed = isSandboxed
        parts.leftoversPath = leftovers
        sink = DesktopSink(parts)
    }

    /// Runs a sink on a bus of its own until the body is done.
    ///
    /// - Parameters:
    ///   - bus: an existing one, else a new one that starts nothing by itself.
    ///   - timeout: how long the sink waits for an answer.
    ///   - clocks: the sink's time. Defaults to the system's.
    ///   - leftovers: the file in which the sink remembers what is on the screen.
    static func run(
        bus: PrivateBus? = nil,
        environment: [String: String] = [:],
        timeout: Duration = .seconds(10),
        isSandboxed: Bool = false,
        clocks: Clocks = Clocks(),
        leftovers: String? = nil,
        _ change: (inout DesktopConfiguration) -> Void = { _ in },
        _ body: (SinkBench) async throws -> Void
    ) async throws {
        var configuration = DesktopConfiguration()
        // Tests do not wait for three seconds to pass; the planner's own tests do, in a time of theirs.
        configuration.progressDelay = .zero
        change(&configuration)
        let bench = SinkBench(
            bus: try await existingOrNew(bus),
            environment: environment,
            timeout: timeout,
            isSandboxed: isSandboxed,
            clocks: clocks,
            leftovers: leftovers,
            configuration
        )
        let running = Task { await bench.sink.run() }  // Awaited below, whatever the body does.
        do { try await body(bench) } catch {
            running.cancel()
            await running.value
            throw error
        }
        running.cancel()
        await running.value
    }

    private static func existingOrNew(_ bus: PrivateBus?) async throws -> PrivateBus {
        if let bus { return bus }
        return try await PrivateBus()
    }

    /// Runs a sink with a server that is there before it.
    static func run(
        capabilities: [String] = FaultyNotificationServer.usualCapabilities,
        timeout: Duration = .seconds(10),
        clocks: Clocks = Clocks(),
        _ change: (inout DesktopConfiguration) -> Void = { _ in },
        _ body: (SinkBench, FaultyNotificationServer) async throws -> Void
    ) async throws {
        let bus = try await PrivateBus()
        let server = try await FaultyNotificationServer.open(on: bus.address, capabilities: capabilities)
        try await run(bus: bus, timeout: timeout, clocks: clocks, change) { bench in
            try await bench.connected()
            try await body(bench, server)
        }
        await server.vanish()
    }

    /// Returns when the sink knows of a server.
    func connected() async throws {
        try await eventually("a sink that is connected") {
            await self.sink.director.isServed ? true : nil
        }
    }

    // MARK: Tasks

    private var now: Timestamp { SystemWallClock().now }

    func run(_ title: String = "A lighthouse", _ change: (inout NewTask) -> Void = { _ in }) async throws
        -> TaskID
    {
        let (id, events) = tasks.withLock { tasks in
            let (id, added) = tasks.add(title, at: now, change)
            return (id, [added, tasks.start(id, at: now)])
        }
        try await deliver(events)
        return id
    }

    func progress(_ id: TaskID, _ percent: Double?, _ message: String? = nil) async throws {
        let update = tasks.withLock { $0.progress(id, percent, message, at: now) }
        try await sink.deliver(SinkBatch(progress: [update]))
    }

    func complete(_ id: TaskID, _ files: [String] = []) async throws {
        try await deliver([tasks.withLock { $0.complete(id, files, at: now) }])
    }

    func fail(_ id: TaskID, _ error: TaskFailure = TaskFailure("x", "The disk is full.")) async throws {
        try await deliver([tasks.withLock { $0.fail(id, error, at: now) }])
    }

    func event(_ kind: TaskEvent.Kind, of id: TaskID) async throws {
        try await deliver([tasks.withLock { $0.record(kind, of: id, at: now) }])
    }

    private func deliver(_ events: [EventRecord]) async throws {
        control.set(tasks.withLock { $0.tasks })
        try await sink.deliver(SinkBatch(events: events))
    }
}

extension PopupDirector {
    /// Whether there is a server to show popups.
    var isServed: Bool { planner.board.server.isConnected && planner.board.server.isPresent }
}

extension DesktopSink {
    /// Returns when the planner is in a state that no message tells of.
    func heard(_ isThere: @escaping @Sendable (PopupPlanner) -> Bool) async throws {
        try await eventually("the planner's state") { isThere(await self.director.planner) ? true : nil }
    }
}

/// Takes down what popups' buttons ask for.
final class RecordingControl: TaskControl {
    enum Call: Hashable, Sendable {
        case cancel(TaskID)
        case retry(TaskID)
        case cancelBatch(BatchID)
        case retryFailed(BatchID)
    }

    private let state = Watched(
        (calls: [Call](), tasks: [TaskID: BackgroundTask](), batches: [BatchID: TaskBatch]())
    )

    var calls: [Call] { state.value.calls }
    func calls(count: Int) async throws -> [Call] {
        try await state.first("\(count) calls") { $0.calls.count >= count ? $0.calls : nil }
    }
    func set(_ tasks: [TaskID: BackgroundTask]) { state.update { $0.tasks = tasks } }
    func set(_ batch: TaskBatch) { state.update { $0.batches[batch.id] = batch } }

    func task(_ id: TaskID) async throws -> BackgroundTask? { state.value.tasks[id] }
    func batch(_ id: BatchID) async throws -> TaskBatch? { state.value.batches[id] }

    func cancel(_ id: TaskID) async throws -> BackgroundTask { try note(.cancel(id), id) }
    func retry(_ id: TaskID, context: SubmissionContext?) async throws -> BackgroundTask {
        try note(.retry(id), id)
    }
    func cancel(batch: BatchID) async throws -> Int {
        state.update { $0.calls.append(.cancelBatch(batch)) }
        return 0
    }
    func retryFailed(batch: BatchID) async throws -> Int {
        state.update { $0.calls.append(.retryFailed(batch)) }
        return 0
    }

    private func note(_ call: Call, _ id: TaskID) throws -> BackgroundTask {
        state.update { $0.calls.append(call) }
        guard let task = state.value.tasks[id] else {
            throw BelfryError(.notFound, "There is no task \(id).")
        }
        return task
    }
}

/// Takes down what is to be opened.
final class RecordingOpener: DesktopOpener {
    struct Opened: Hashable, Sendable {
        var what: String
        var token: String?
    }

    private let state = Watched((opened: [Opened](), error: BelfryError?.none))

    var error: BelfryError? {
        get { state.value.error }
        set { state.update { $0.error = newValue } }
    }
    func opened(count: Int) async throws -> [Opened] {
        try await state.first("\(count) things opened") { $0.opened.count >= count ? $0.opened : nil }
    }

    func open(_ uri: String, token: String?) async throws { try note(uri, token) }
    func launch(_ desktopID: String, token: String?) async throws { try note(desktopID, token) }

    private func note(_ what: String, _ token: String?) throws {
        if let error = state.value.error { throw error }
        state.update { $0.opened.append(Opened(what: what, token: token)) }
    }
}

/// The log's lines from `notice` upwards.
final class LineLog: Sendable {
    private let watched = Watched([String]())

    var lines: [String] { watched.value }
    func add(_ line: String) { watched.update { $0.append(line) } }
    func line(_ words: String) async throws {
        try await watched.first("a line with '\(words)'") { $0.contains { $0.contains(words) } ? () : nil }
    }
}

struct LineHandler: LogHandler {
    let log: LineLog
    var logLevel = Logger.Level.notice
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { log.add("\(event.message)") }
}
