// The hub as the API sees it: everything the routes ask for, answered by the parts.

import BelfryAPI
import BelfryCore
import BelfryDesktop
import BelfryPlugins
import BelfryServer
import BelfryService
import Glibc
import Logging
import Synchronization

/// The parts of a hub, and the backend of its API.
final class Hub: HubBackend {
    struct Parts: Sendable {
        var places: Places
        var configuration: Configuration
        var warnings: [String]
        var store: any TaskStore
        var bus: ObserverBus
        var service: BackgroundTaskService
        var worker: TaskWorker
        var sinks: [SinkRunner]
        /// Nil when popups are switched off.
        var desktop: DesktopSink?
        var plugins: PluginManager
        var metrics: HubMetrics
        var clocks: Clocks
    }

    let parts: Parts
    private let startedAt: Timestamp
    private let onStop = Mutex<(@Sendable () -> Void)?>(nil)

    init(_ parts: Parts) {
        self.parts = parts
        startedAt = parts.clocks.wall.now
    }

    /// What ``stop()`` does. Set once, before requests are answered.
    func setStop(_ stop: @escaping @Sendable () -> Void) { onStop.withLock { $0 = stop } }

    func stop() {
        parts.service.closeIntake()
        onStop.withLock { $0 }?()
    }

    // MARK: Tasks

    func add(_ task: NewTask) async throws -> AddedTask { try await parts.service.addTask(task) }

    func addBatch(_ tasks: [NewTask], title: String) async throws -> (batch: TaskBatch, tasks: [AddedTask]) {
        try await parts.service.addBatch(tasks, title: title)
    }

    func params(of featureID: String, from arguments: [(key: String, value: String)]) throws -> JSONValue {
        do { return try parts.service.features.feature(featureID).params(from: arguments) } catch var error
            as BelfryError
        {
            if error.code == .invalidParams { error.pointer = error.pointer.map { "/params\($0)" } }
            throw error
        }
    }

    func task(_ id: TaskID) async throws -> BackgroundTask? { try await parts.service.task(id) }
    func task(number: Int64) async throws -> BackgroundTask? { try await parts.service.task(number: number) }
    func tasks(_ query: TaskQuery) async throws -> TaskPage { try await parts.service.tasks(query) }
    func batch(_ id: BatchID) async throws -> TaskBatch? { try await parts.service.batch(id) }
    func attempts(of id: TaskID) async throws -> [Attempt] { try await parts.service.attempts(of: id) }

    func events(of id: TaskID, limit: Int) async throws -> [EventRecord] {
        try await parts.service.events(of: id, limit: limit)
    }

    func logPath(of id: TaskID, attempt: Int) -> String {
        parts.service.files.logPath(of: id, attempt: attempt)
    }
    func logSignals(of id: TaskID) -> AsyncStream<Void> { parts.service.files.logSignals(of: id) }
    func clear(_ filter: ClearFilter) async throws -> Int { try await parts.service.clear(filter) }
    func cancel(_ id: TaskID) async throws -> BackgroundTask { try await parts.service.cancel(id) }

    func retry(_ id: TaskID, context: SubmissionContext?) async throws -> BackgroundTask {
        try await parts.service.retry(id, context: context)
    }

    func cancel(batch: BatchID) async throws -> Int { try await parts.service.cancel(batch: batch) }
    func retryFailed(batch: BatchID) async throws -> Int { try await parts.service.retryFailed(batch: batch) }

    // MARK: Events

    var newestEvent: EventCursor { parts.bus.newest }

    func reader(after cursor: EventCursor?, wantsProgress: Bool) -> any EventSource {
        BusSource(reader: parts.bus.reader(after: cursor, wantsProgress: wantsProgress))
    }

    func sinks() -> JSONValue { .array(parts.sinks.map(\.status.json)) }

    func testSink(_ name: String) async throws -> JSONValue {
        if let desktop = parts.desktop, desktop.name == name { return try await desktop.test().json }
        let isThere = parts.sinks.contains { $0.status.name == name }
        throw BelfryError(
            .notFound,
            isThere ? "The sink '\(name)' has nothing to show." : "There is no sink '\(name)'.",
            fix: name == "desktop"
                ? "Switch popups on: enabled = true below [sinks.desktop] in the configuration."
                : "See: belfry sink list"
        )
    }

    // MARK: Features and plugins

    func features() -> JSONValue {
        let ready = parts.service.features.all.map { $0.descriptor.json(state: "ready", reason: nil) }
        let missing = parts.service.features.unavailable.sorted { $0.key < $1.key }.map { id, why in
            FeatureDescriptor(id: id, title: "").json(state: "unavailable", reason: why.reason)
        }
        return ["features": .array(ready + missing)]
    }

    func feature(_ id: String) throws -> JSONValue {
        var json =
            try parts.service.features.feature(id).descriptor.json(state: "ready", reason: nil).object ?? [:]
        json["params"] = try parts.service.features.feature(id).descriptor.paramsSchema
        return .object(json)
    }

    func plugins() -> JSONValue { parts.plugins.json }

    func addPlugin(directory: String, link: Bool) async throws -> JSONValue {
        let added = try parts.plugins.add(directory: directory, link: link)
        // Tasks may have waited for this plugin.
        parts.worker.wake(try await parts.store.pendingWork().lanes)
        return added
    }

    func setPlugin(_ id: String, isEnabled: Bool) async throws -> JSONValue {
        try parts.plugins.setEnabled(isEnabled, id)
        parts.worker.wake(try await parts.store.pendingWork().lanes)
        return ["id": .string(id), "enabled": .bool(isEnabled)]
    }

    func removePlugin(_ id: String) async throws -> JSONValue {
        try parts.plugins.remove(id)
        return ["removed": .string(id)]
    }

    // MARK: The hub itself

    func version() -> JSONValue {
        ["version": .string(BelfryVersion.current), "api": 1, "pid": .int(Int64(getpid()))]
    }

    func metrics() async throws -> String { await parts.metrics.page() }

    func status() async throws -> JSONValue {
        let store = try await parts.service.storeStatus()
        var tasks = JSONObject()
        for status in TaskStatus.allCases { tasks[status.rawValue] = .int(Int64(store.counts[status] ?? 0)) }
        return [
            "version": .string(BelfryVersion.current), "pid": .int(Int64(getpid())),
            "startedAt": .string(startedAt.description), "tasks": .object(tasks),
            "worker": [
                "running": .int(Int64(parts.worker.runningTasks)),
                "concurrency": .int(Int64(parts.configuration.concurrency)),
            ],
            "store": [
                "engine": .string(store.engine), "path": .string(parts.places.store),
                "epoch": .string(store.epoch),
                "oldest": .int(store.oldest), "newest": .int(store.newest),
            ],
            "sinks": sinks(), "warnings": .array(parts.warnings.map { .string($0) }),
        ]
    }
}

/// The bus's reader as the API's routes want it.
private struct BusSource: EventSource {
    let reader: EventReader

    func next(limit: Int) async throws -> SinkBatch? { try await reader.next(limit: limit) }
    func available(limit: Int) async throws -> SinkBatch? { try await reader.available(limit: limit) }
}

extension FeatureDescriptor {
    func json(state: String, reason: String?) -> JSONValue {
        var object: JSONObject = ["id": .string(id), "title": .string(title), "summary": .string(summary)]
        object.set("plugin", pluginID.map { .string($0) })
        object["state"] = .string(state)
        object.set("reason", reason.map { .string($0) })
        object["onInterrupt"] = .string(onInterrupt.rawValue)
        object["maxAttempts"] = .int(Int64(retry.maxAttempts))
        object.set("concurrency", concurrency.map { .int(Int64($0)) })
        return .object(object)
    }
}

extension SinkStatus {
    var json: JSONValue {
        var object: JSONObject = ["name": .string(name), "condition": .string(condition.rawValue)]
        object.set("cursor", cursor.map { .string($0.description) })
        object["lag"] = .int(lag)
        object["parked"] = .int(Int64(parked))
        object.set("lastError", lastError.map { .string($0) })
        object.set("remark", remark.map { .string($0) })
        return .object(object)
    }
}

extension DesktopReport {
    /// `{"server":{…},"shown":[…],"abilities":[{"what":…,"has":…}]}`
    var json: JSONValue {
        [
            "server": [
                "name": .string(server.name), "vendor": .string(server.vendor),
                "version": .string(server.version),
                "specification": .string(server.specification),
                "capabilities": .array(server.capabilities.sorted().map { .string($0) }),
            ],
            "shown": .array(shown.map { .string($0) }),
            "abilities": .array(abilities.map { ["what": .string($0.what), "has": .bool($0.has)] }),
        ]
    }
}
