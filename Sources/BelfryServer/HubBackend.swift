// What the HTTP layer asks of the hub. It keeps this module free of the service, the store and
// the plugins: routes translate, the backend does.

public import BelfryCore

/// The hub behind the API.
public protocol HubBackend: TaskControl {
    func add(_ task: NewTask) async throws -> AddedTask
    func addBatch(_ tasks: [NewTask], title: String) async throws -> (batch: TaskBatch, tasks: [AddedTask])
    /// Params made of command-line arguments by the feature's schema.
    func params(of featureID: String, from arguments: [(key: String, value: String)]) throws -> JSONValue

    func task(number: Int64) async throws -> BackgroundTask?
    func tasks(_ query: TaskQuery) async throws -> TaskPage
    func attempts(of id: TaskID) async throws -> [Attempt]
    func events(of id: TaskID, limit: Int) async throws -> [EventRecord]
    /// Where the log of an attempt is, and a signal whenever it may have grown or ended.
    func logPath(of id: TaskID, attempt: Int) -> String
    func logSignals(of id: TaskID) -> AsyncStream<Void>
    func clear(_ filter: ClearFilter) async throws -> Int
    func countClearable(_ filter: ClearFilter) async throws -> Int
    func dependencies(of ids: [TaskID]) async throws -> [TaskID: [TaskDependency]]
    /// Why each pending one waits: `{"for":…,"text":…}`.
    func waitReasons(of tasks: [BackgroundTask]) async throws -> [TaskID: JSONValue]
    func edit(_ id: TaskID, _ edit: TaskEdit, context: SubmissionContext?) async throws -> BackgroundTask
    func setStashed(_ isStashed: Bool, _ id: TaskID) async throws -> BackgroundTask
    func moveToFront(_ id: TaskID) async throws -> BackgroundTask
    /// The groups that were set or have tasks that wait or run.
    func groups() async throws -> JSONValue
    func setGroup(_ name: String, slots: Int??, state: TaskGroup.State?) async throws -> TaskGroup
    func removeGroup(_ name: String) async throws

    func schedules() async throws -> [Schedule]
    func schedule(_ name: String) async throws -> Schedule
    /// A schedule with its next times; never the submitter's environment.
    func json(of schedule: Schedule) throws -> JSONValue
    func addSchedule(_ name: String, rule: String, zone: String, catchUp: CatchUp, task: NewTask) async throws
        -> Schedule
    func setPaused(_ isPaused: Bool, schedule: String) async throws -> Schedule
    func runNow(schedule: String) async throws -> BackgroundTask
    func removeSchedule(_ name: String) async throws

    /// The newest event; taken before a task is read, it is a place to subscribe from without a gap.
    var newestEvent: EventCursor { get }
    func reader(after cursor: EventCursor?, wantsProgress: Bool) -> any EventSource

    func features() -> JSONValue
    func feature(_ id: String) throws -> JSONValue
    func plugins() -> JSONValue
    /// Everything about one plugin.
    func plugin(_ id: String) throws -> JSONValue
    /// What the plugin in a directory is, before it is added.
    func inspectPlugin(directory: String) throws -> JSONValue
    func addPlugin(_ files: PluginFiles) async throws -> JSONValue
    /// What an update from a directory would change.
    func comparePlugin(_ id: String, directory: String) throws -> JSONValue
    func updatePlugin(_ id: String, _ files: PluginFiles) async throws -> JSONValue
    func removePlugin(_ id: String) async throws -> JSONValue
    /// Switches a plugin on or off; a download is switched on only when somebody has confirmed it.
    func setPlugin(_ id: String, isEnabled: Bool, isConfirmed: Bool) async throws -> JSONValue
    /// Looks at all plugins anew.
    func scanPlugins() async throws -> JSONValue
    func sinks() -> JSONValue
    /// Has a sink show what it can do, and tells what that was.
    ///
    /// - Throws: ``BelfryError`` `not_found` for a sink that is not there or has nothing to show.
    func testSink(_ name: String) async throws -> JSONValue
    /// The events that a sink put aside, each with its reason: `{"position":…,"reason":…,"time":…,"event":{…}}`,
    /// the event only while the log has it.
    func parkedEvents(of sink: String) async throws -> JSONValue
    /// Delivers events that were put aside once more; nil means all of them. Tells what became of each:
    /// `{"delivered":[…],"rejected":[…],"gone":[…],"stopped":"why"}`.
    func replayParked(_ positions: [Int64]?, of sink: String) async throws -> JSONValue
    /// Forgets events that were put aside; nil means all of them.
    func dropParked(_ positions: [Int64]?, of sink: String) async throws -> [Int64]
    /// Writes a copy of the store to a file that is not there yet.
    func backUp(to path: String) async throws
    func status() async throws -> JSONValue
    func version() -> JSONValue
    /// Every metric as it is now, in Prometheus' text format.
    func metrics() async throws -> String
    /// Begins a graceful shutdown.
    func stop()
}

/// Files that are to become a plugin.
public struct PluginFiles: Sendable {
    public var directory: String
    public var isLinked: Bool
    /// Of the files that somebody has looked at.
    public var digest: String?
    /// Where they are from, when that is not the directory.
    public var origin: JSONValue?
}

/// One reader's place in the event stream.
public protocol EventSource: Sendable {
    /// The next events; waits for them. Nil at the end of the stream.
    func next(limit: Int) async throws -> SinkBatch?
    /// What is there without waiting; nil when that is nothing.
    func available(limit: Int) async throws -> SinkBatch?
}
