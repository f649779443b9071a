// The hub as the API sees it: everything the routes ask for, answered by the parts.

import BelfryAPI
import BelfryCore
import BelfryDesktop
import BelfryFileSink
import BelfryPlugins
import BelfrySQLite
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
        var store: SQLiteTaskStore
        var bus: ObserverBus
        var service: BackgroundTaskService
        var worker: TaskWorker
        var scheduler: Scheduler
        var sinks: SinkSet
        /// Nil when there is none.
        var eventLog: FileSink?
        /// Nil when popups are switched off.
        var desktop: DesktopSink?
        var plugins: PluginManager
        var health: StoreHealth
        var integrityCheck: IntegrityCheck
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
    func countClearable(_ filter: ClearFilter) async throws -> Int {
        try await parts.service.countClearable(filter)
    }
    func dependencies(of ids: [TaskID]) async throws -> [TaskID: [TaskDependency]] {
        try await parts.service.dependencies(of: ids)
    }
    func waitReasons(of tasks: [BackgroundTask]) async throws -> [TaskID: JSONValue] {
        try await parts.service.waitReasons(of: tasks).mapValues(\.json)
    }
    func edit(_ id: TaskID, _ edit: TaskEdit, context: SubmissionContext?) async throws -> BackgroundTask {
        try await parts.service.edit(id, edit, context: context)
    }
    func setStashed(_ isStashed: Bool, _ id: TaskID) async throws -> BackgroundTask {
        try await parts.service.setStashed(isStashed, id)
    }
    func moveToFront(_ id: TaskID) async throws -> BackgroundTask { try await parts.service.moveToFront(id) }
    func setGroup(_ name: String, slots: Int??, state: TaskGroup.State?) async throws -> TaskGroup {
        try await parts.service.setGroup(name, slots: slots, state: state)
    }

    func removeGroup(_ name: String) async throws { try await parts.service.removeGroup(name) }

    func groups() async throws -> JSONValue {
        let used = parts.service.usedSlots
        let set = parts.service.groups
        let others = try await parts.service.groupNames().subtracting(set.map(\.name))
        let all = (set + others.map(TaskGroup.init(name:))).sorted { $0.name < $1.name }
        return .array(
            all.map { group in
                var object = group.json.object ?? [:]
                object["used"] = .int(
                    Int64(group.name == TaskGroup.all ? used.values.reduce(0, +) : used[group.name] ?? 0)
                )
                return .object(object)
            }
        )
    }

    func clear(_ filter: ClearFilter) async throws -> Int { try await parts.service.clear(filter) }
    func cancel(_ id: TaskID) async throws -> BackgroundTask { try await parts.service.cancel(id) }

    func retry(_ id: TaskID, context: SubmissionContext?) async throws -> BackgroundTask {
        try await parts.service.retry(id, context: context)
    }

    func cancel(batch: BatchID) async throws -> Int { try await parts.service.cancel(batch: batch) }
    func retryFailed(batch: BatchID) async throws -> Int { try await parts.service.retryFailed(batch: batch) }

    // MARK: Schedules

    func schedules() async throws -> [Schedule] { try await parts.service.schedules() }
    func schedule(_ name: String) async throws -> Schedule { try await parts.service.schedule(name) }

    func json(of schedule: Schedule) throws -> JSONValue {
        var task = schedule.task
        task.context?.environment = nil
        task.params = SecretParams.masked(task.params)
        var object: JSONObject = [
            "name": .string(schedule.name), "rule": .string(schedule.rule), "zone": .string(schedule.zone),
            "catchUp": .string(schedule.catchUp.rawValue), "paused": .bool(schedule.isPaused),
            "task": task.json, "made": .int(schedule.made), "missed": .int(schedule.missed),
            "createdAt": .string(schedule.createdAt.description),
        ]
        let next = try parts.service.nextTicks(of: schedule, count: 3)
        object["next"] = .array(next.map { .string($0.description) })
        object.set("lastTick", schedule.lastTick.map { .string($0.description) })
        object.set("lastTask", schedule.lastTask.map { .string($0.rawValue) })
        return .object(object)
    }

    func addSchedule(_ name: String, rule: String, zone: String, catchUp: CatchUp, task: NewTask) async throws
        -> Schedule
    {
        defer { parts.scheduler.wake() }
        return try await parts.service.addSchedule(name, rule: rule, zone: zone, catchUp: catchUp, task: task)
    }

    func setPaused(_ isPaused: Bool, schedule: String) async throws -> Schedule {
        defer { parts.scheduler.wake() }
        return try await parts.service.setPaused(isPaused, schedule: schedule)
    }

    func runNow(schedule: String) async throws -> BackgroundTask {
        try await parts.service.runNow(schedule: schedule)
    }

    func removeSchedule(_ name: String) async throws { try await parts.service.removeSchedule(name) }

    // MARK: Events

    var newestEvent: EventCursor { parts.bus.newest }

    func reader(after cursor: EventCursor?, wantsProgress: Bool) -> any EventSource {
        BusSource(reader: parts.bus.reader(after: cursor, wantsProgress: wantsProgress))
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

    func plugin(_ id: String) throws -> JSONValue { try parts.plugins.details(of: id) }
    func inspectPlugin(directory: String) throws -> JSONValue { try parts.plugins.inspect(directory) }

    func addPlugin(_ request: PluginFiles) async throws -> JSONValue {
        let added = try await parts.plugins.add(try addition(request))
        try await followPlugins()
        return added
    }

    func comparePlugin(_ id: String, directory: String) throws -> JSONValue {
        try parts.plugins.compare(id, with: directory)
    }

    func updatePlugin(_ id: String, _ request: PluginFiles) async throws -> JSONValue {
        let updated = try await parts.plugins.update(id, try addition(request))
        try await followPlugins()
        return updated
    }

    private func addition(_ request: PluginFiles) throws -> PluginRegistry.Addition {
        var addition = PluginRegistry.Addition(directory: request.directory)
        addition.isLinked = request.isLinked
        addition.digest = request.digest
        addition.origin = try request.origin.map(PluginOrigin.init(json:))
        return addition
    }

    func setPlugin(_ id: String, isEnabled: Bool, isConfirmed: Bool) async throws -> JSONValue {
        try await parts.plugins.setEnabled(isEnabled, id, isConfirmed: isConfirmed)
        // Enabling what is enabled lets it begin anew: that lifts a quarantine.
        try await followPlugins(restarting: isEnabled ? [id] : [])
        return try parts.plugins.details(of: id)
    }

    func scanPlugins() async throws -> JSONValue {
        await parts.plugins.scanFully()
        try await followPlugins()
        return plugins()
    }

    /// Makes the sinks of observers those that are on disk now, and wakes tasks that waited for a plugin.
    func followPlugins(restarting: Set<String> = []) async throws {
        let (plugins, clocks) = (parts.plugins, parts.clocks)
        await parts.sinks.follow(restarting: restarting) { plugins.observers(clocks) }
        parts.worker.wake(try await parts.store.pendingWork().lanes)
    }

    /// Plugins have come to serve something else.
    func rescanPlugins() async {
        parts.plugins.scan()
        // Should the store not answer now, the next submission wakes the worker.
        try? await followPlugins()
    }

    func removePlugin(_ id: String) async throws -> JSONValue {
        let isObserver = parts.plugins.isObserver(id)
        try parts.plugins.remove(id)
        try await followPlugins()
        // One that is added again begins as a new one.
        if isObserver { try await parts.store.forgetSink(id) }
        return ["removed": .string(id)]
    }

    // MARK: The hub itself

    func version() -> JSONValue {
        ["version": .string(BelfryVersion.current), "api": 1, "pid": .int(Int64(getpid()))]
    }

    func backUp(to path: String) async throws { try await parts.store.backUp(to: path) }
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
                "oldest": .int(store.oldest), "newest": .int(store.newest), "problems": parts.health.json,
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
        if !needs.isDefault { object["needs"] = needs.json }
        object.set("attemptTimeoutSeconds", timeouts.attempt.map { .double($0.seconds) })
        object.set("idleTimeoutSeconds", timeouts.idle.map { .double($0.seconds) })
        if retry.maxAttempts > 1 { object["retry"] = retry.json }
        object.set("concurrency", concurrency.map { .int(Int64($0)) })
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
