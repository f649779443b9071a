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

        public init() {}
    }

    /// Why an attempt is told to stop.
    enum StopReason: Sendable { case cancelled, shutdown, leaseLost }

    struct Running {
        var claimed: ClaimedTask
        var stop: AsyncStream<StopReason>.Continuation
    }

    struct State {
        var running: [TaskID: Running] = [:]
        var lanes: Set<Lane> = []
        /// The time for which a wake-up is set.
        var armedFor: Timestamp?
        var keepsLeases = false
        var isDraining = false
    }

    public let id: WorkerID
    let store: any TaskStore
    let features: FeatureRegistry
    let files: TaskFiles
    let configuration: Configuration
    let clocks: Clocks
    let instruments: Instruments
    let logger: Logger
    let progress: ProgressHub
    let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let timerRequests: AsyncStream<@Sendable () async -> Void>
    private let timers: AsyncStream<@Sendable () async -> Void>.Continuation

    public init(
        id: WorkerID,
        store: any TaskStore,
        features: FeatureRegistry,
        bus: ObserverBus,
        files: TaskFiles,
        configuration: Configuration = Configuration(),
        clocks: Clocks = Clocks(),
        instruments: Instruments = Instruments(),
        logger: Logger
    ) {
        self.id = id
        self.store = store
        self.features = features
        self.files = files
        self.configuration = configuration
        self.clocks = clocks
        self.instruments = instruments
        self.logger = logger
        progress = ProgressHub(store: store, bus: bus, clocks: clocks, logger: logger)
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (timerRequests, timers) = AsyncStream.makeStream()
    }

    /// The tasks that run now.
    public var runningTasks: Int { state.withLock { $0.running.count } }

    /// Says that tasks may be due in `lanes`. Cheap; call it after each change that makes one pending.
    public func wake(_ lanes: some Sequence<Lane> & Sendable = EmptyCollection<Lane>()) {
        state.withLock { $0.lanes.formUnion(lanes) }
        signal.yield()
    }

    /// Stops the attempt that runs on `id`, if this worker has one.
    public func cancel(_ id: TaskID) {
        state.withLock { $0.running[id]?.stop }?.yield(.cancelled)
    }

    /// Works until shutdown; then lets attempts end for a while and gives back the rest.
    public func run() async throws {
        try await rescue()
        wake(try await store.pendingWork().lanes)
        await withGracefulShutdownHandler {
            await withTaskGroup { group in
                group.addTask { await self.progress.run() }
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

    private func claimWhileFree(in group: inout DiscardingTaskGroup) async {
        var failures = 0
        while let request = claimRequest() {
            do {
                let claimed = try await instruments.claim(request) {
                    try await store.claim(request, at: clocks.wall.now)
                }
                for task in claimed { start(task, in: &group) }
                if claimed.count < request.slots {
                    try await wakeWhenNextIsDue()
                    return
                }
                failures = 0
            } catch {
                failures += 1
                if failures == 1 {
                    logger.error("cannot claim tasks; trying again", metadata: ["error": "\(error)"])
                }
                try? await clocks.sleep(Backoff.delay(failures, upTo: .seconds(5)))
            }
        }
    }

    /// What can be taken now; nil when there is no free slot.
    private func claimRequest() -> ClaimRequest? {
        state.withLock { state in
            let slots = max(1, configuration.concurrency) - state.running.count
            guard slots > 0, !state.isDraining, !Task.isCancelled else { return nil }
            var free: [String: Int] = [:]
            for running in state.running.values { free[running.claimed.task.featureID, default: 0] -= 1 }
            var lanes: [Lane: Int] = [:]
            // In random order, so that lanes that share a feature's limit all get their turn.
            for lane in state.lanes.shuffled() {
                guard let feature = features[lane.featureID] else { continue }
                let limit = feature.descriptor.concurrency ?? .max / 2
                let share = min(slots, limit + free[lane.featureID, default: 0])
                guard share > 0 else { continue }
                lanes[lane] = share
                free[lane.featureID, default: 0] -= share
            }
            let lease = Lease(
                bootID: clocks.lease.bootID,
                expiresAt: clocks.lease.now + configuration.leaseTime
            )
            return lanes.isEmpty ? nil : ClaimRequest(worker: id, lease: lease, slots: slots, lanes: lanes)
        }
    }

    private func start(_ claimed: ClaimedTask, in group: inout DiscardingTaskGroup) {
        let (stops, stop) = AsyncStream.makeStream(of: StopReason.self, bufferingPolicy: .bufferingNewest(1))
        let keepsLeases = state.withLock { state in
            state.running[claimed.task.id] = Running(claimed: claimed, stop: stop)
            defer { state.keepsLeases = true }
            return state.keepsLeases
        }
        if !keepsLeases { timers.yield { await self.keepLeases() } }
        progress.begin(claimed)
        group.addTask {
            await self.runAttempt(claimed, stops: stops)
            self.state.withLock { _ = $0.running.removeValue(forKey: claimed.task.id) }
            self.signal.yield()
        }
    }

    /// Runs what waits for a time, beside the attempts, so that shutdown can cut it short.
    private func runTimers() async {
        await withDiscardingTaskGroup { group in
            for await timer in timerRequests { group.addTask { await timer() } }
        }
    }

    /// Wakes the claim loop when the next waiting task becomes due.
    private func wakeWhenNextIsDue() async throws {
        guard let due = try await store.pendingWork().nextDue else { return }
        let isSooner = state.withLock { state in
            if let armed = state.armedFor, armed <= due { return false }
            state.armedFor = due
            return true
        }
        guard isSooner else { return }
        timers.yield {
            // A millisecond more: a timer that fires early would find nothing due.
            try? await self.clocks.sleep(max(.zero, due.since(self.clocks.wall.now)) + .milliseconds(1))
            self.state.withLock { if $0.armedFor == due { $0.armedFor = nil } }
            self.signal.yield()
        }
    }

    /// Extends the leases of running attempts and stops those that were lost, for as long as
    /// anything runs.
    private func keepLeases() async {
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
            for claim in lost { state.withLock { $0.running[claim.taskID]?.stop }?.yield(.leaseLost) }
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
        for running in state.withLock({ Array($0.running.values) }) { running.stop.yield(.shutdown) }
    }

    private func waitUntilIdle() async {
        if runningTasks == 0 { return }
        for await _ in signals where runningTasks == 0 { return }
    }
}
