// The loop that claims tasks and runs attempts. It sleeps until something can be done: a slot is
// free and a task is due. It decides nothing about states: it reports how attempts ended, and the
// transitions in Core say what that means.

public import BelfryCore
public import Logging
public import ServiceLifecycle
import Synchronization

/// Claims due tasks and runs their attempts, a bounded number at once.
public final class TaskWorker: Service {
    public struct Configuration: Sendable {
        /// Attempts run at once. At least 1. Defaults to 2.
        public var concurrency = 2
        /// How long a claim holds without word from its worker. Defaults to 60 seconds.
        public var leaseTime = Duration.seconds(60)
        /// What a shutdown leaves for attempts to end by themselves. Defaults to 10 seconds.
        public var drainTime = Duration.seconds(10)
        /// What there is beside slots. Defaults to one `gpu` and no devices.
        public var capacity = Capacity()
        /// Free space, in bytes, that must be left where results go; below it nothing new starts. Defaults to 0.
        public var diskReserve: Int64 = 0

        public init() {}
    }

    /// Why an attempt is told to stop.
    enum StopReason: Sendable, Equatable {
        case cancelled, shutdown, leaseLost
        case timedOut(TaskFailure)
    }

    struct State {
        var running: [TaskID: RunningAttempt] = [:]
        /// Cancelled while a claim is under way, which may have taken them; nil while none is.
        var cancelledEarly: Set<TaskID>?
        var lanes: Set<Lane> = []
        var devices: DevicePool
        /// Tasks may wait for a time or have a deadline: the store is to be asked when.
        var mayBeTimed = true
        /// The time for which a wake-up is set.
        var armedFor: Timestamp?
        /// Nothing new starts: what is free where results go, in bytes, when last looked at.
        var freeBelowReserve: Int64?
        var keepsLeases = false
        var isDraining = false
    }

    public let id: WorkerID
    let store: any TaskStore
    let features: FeatureRegistry
    let files: TaskFiles
    let configuration: Configuration
    let clocks: Clocks
    let alarm: any Alarm
    let instruments: Instruments
    let logger: Logger
    let progress: ProgressHub
    let checkpoints: CheckpointKeeper
    /// The groups that were set.
    public let groups: GroupBook
    let state: Mutex<State>
    let signals: AsyncStream<Void>
    let signal: AsyncStream<Void>.Continuation
    private let timerRequests: AsyncStream<@Sendable () async -> Void>
    let timers: AsyncStream<@Sendable () async -> Void>.Continuation

    /// - Parameter alarm: wakes for tasks that wait for a time of day. Defaults to counting the span.
    public init(
        id: WorkerID,
        store: any TaskStore,
        features: FeatureRegistry,
        bus: ObserverBus,
        files: TaskFiles,
        configuration: Configuration = Configuration(),
        clocks: Clocks = Clocks(),
        alarm: (any Alarm)? = nil,
        instruments: Instruments = Instruments(),
        logger: Logger
    ) {
        self.id = id
        self.store = store
        self.features = features
        self.files = files
        self.configuration = configuration
        self.clocks = clocks
        self.alarm = alarm ?? SleepingAlarm(clocks)
        self.instruments = instruments
        self.logger = logger
        progress = ProgressHub(store: store, bus: bus, clocks: clocks, logger: logger)
        checkpoints = CheckpointKeeper(store: store, logger: logger)
        groups = GroupBook(store: store)
        state = Mutex(State(devices: DevicePool(configuration.capacity)))
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (timerRequests, timers) = AsyncStream.makeStream()
    }

    /// The tasks that run now.
    public var runningTasks: Int { state.withLock { $0.running.count } }

    /// Says that tasks may be due in `lanes`. Cheap; call it after each change that makes one pending.
    ///
    /// - Parameter isTimed: one of them may wait for a time or have a deadline.
    public func wake(
        _ lanes: some Sequence<Lane> & Sendable = EmptyCollection<Lane>(),
        isTimed: Bool = false
    ) {
        state.withLock { state in
            state.lanes.formUnion(lanes)
            if isTimed { state.mayBeTimed = true }
        }
        signal.yield()
    }

    /// Says that anything may have changed: every lane is looked at again.
    public func wakeAll() async throws {
        wake(try await store.pendingWork().lanes, isTimed: true)
    }

    /// Stops the attempt that runs on `id`, if this worker has one or is just getting it.
    public func cancel(_ id: TaskID) {
        let attempt = state.withLock { state in
            if state.running[id] == nil { state.cancelledEarly?.insert(id) }
            return state.running[id]
        }
        attempt?.stop.stop(.cancelled)
    }

    /// Works until shutdown; then lets attempts end for a while and gives back the rest.
    public func run() async throws {
        try await groups.load()
        try await rescue()
        try await wakeAll()
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.progress.run() }
                group.addTask { await self.checkpoints.run() }
                group.addTask { await self.runTimers() }
                group.addTask { await self.claimAndRun() }
                // Only the claim loop ends by itself: at shutdown, when its attempts are over.
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.state.withLock { $0.isDraining = true }
            self.signal.yield()
        }
    }

    /// Gives back what another run of this hub left behind. A store that fails at start ends the hub.
    private func rescue() async throws {
        let rescue = Rescue(
            alive: [id],
            bootID: clocks.lease.bootID,
            leaseTime: clocks.lease.now,
            isSoleOwner: true
        )
        let tasks = try await store.rescue(rescue, at: clocks.wall.now)
        if !tasks.isEmpty {
            logger.info("rescued interrupted attempts", metadata: ["tasks": "\(tasks.count)"])
        }
    }

    private func claimAndRun() async {
        await withDiscardingTaskGroup { group in
            for await _ in signals {
                if state.withLock({ $0.isDraining }) { break }
                await claimWhileFree(in: &group)
            }
            await drain()
        }  // Leaving the group waits for the attempts still running.
    }

    /// Extends the leases of running attempts and stops those that were lost, for as long as
    /// anything runs.
    func keepLeases() async {
        while (try? await clocks.sleep(configuration.leaseTime / 3)) != nil {
            let claims = state.withLock { state in
                state.keepsLeases = !state.running.isEmpty
                return state.running.values.map(\.claimed.claim)
            }
            if claims.isEmpty { return }
            let lease = Lease(
                bootID: clocks.lease.bootID,
                expiresAt: clocks.lease.now + configuration.leaseTime
            )
            guard let lost = try? await store.extendLeases(claims, to: lease) else { continue }
            for claim in lost { state.withLock { $0.running[claim.taskID]?.stop }?.stop(.leaseLost) }
        }
    }

    /// Runs what waits for a time, beside the attempts, so that shutdown can cut it short.
    private func runTimers() async {
        await withDiscardingTaskGroup { group in
            for await timer in timerRequests { group.addTask { await timer() } }
        }
    }

    /// Waits for the running attempts; what is left at the deadline is stopped and given back.
    private func drain() async {
        await withTaskGroup { group in
            group.addTask { await self.waitUntilIdle() }
            group.addTask { try? await self.clocks.sleep(self.configuration.drainTime) }
            await group.next()
            group.cancelAll()
        }
        for running in state.withLock({ Array($0.running.values) }) { running.stop.stop(.shutdown) }
    }

    private func waitUntilIdle() async {
        if runningTasks == 0 { return }
        for await _ in signals where runningTasks == 0 { return }
    }
}
