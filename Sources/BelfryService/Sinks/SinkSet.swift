// The sinks of a hub. Some are there from its start to its end; others come and go while it runs, because
// plugins do.

public import BelfryCore
public import Logging
public import ServiceLifecycle
import Synchronization

/// Runs sinks, each with a runner of its own.
///
/// Shutting down flushes all of them at once.
public final class SinkSet: Service {
    /// A sink that is wanted.
    public struct Plan: Sendable {
        public var name: String
        /// What the sink is made of: one with another key takes the place of the one that runs.
        public var key: any Hashable & Sendable
        public var make: @Sendable () -> any Sink

        public init(
            name: String,
            key: any Hashable & Sendable,
            make: @escaping @Sendable () -> any Sink
        ) {
            self.name = name
            self.key = key
            self.make = make
        }
    }

    private struct Member: Sendable {
        var runner: SinkRunner
        /// Nil for those that stay.
        var key: (any Hashable & Sendable)?
        /// The one of the same name that must have ended first.
        var predecessor: SinkRunner?

        func isMade(of other: any Hashable & Sendable) -> Bool {
            key.map { AnyHashable($0) == AnyHashable(other) } ?? false
        }
    }

    private enum Phase { case waiting, running, over }

    private struct State {
        var phase = Phase.waiting
        /// By name. One that was stopped is not among them.
        var members: [String: Member] = [:]
        /// Stopped, and not known to have ended.
        var leaving: [String: SinkRunner] = [:]
    }

    private let bus: ObserverBus
    private let store: any TaskStore
    private let configuration: SinkRunner.Configuration
    private let clocks: Clocks
    private let logger: Logger
    private let state = Mutex(State())
    private let turns = Turns()
    private let comers: AsyncStream<Member>
    private let comer: AsyncStream<Member>.Continuation

    /// Made after the bus has learned where the log ends.
    ///
    /// - Parameter sinks: those that stay.
    public init(
        _ sinks: [any Sink] = [],
        bus: ObserverBus,
        store: any TaskStore,
        configuration: SinkRunner.Configuration = SinkRunner.Configuration(),
        clocks: Clocks = Clocks(),
        logger: Logger
    ) {
        self.bus = bus
        self.store = store
        self.configuration = configuration
        self.clocks = clocks
        self.logger = logger
        (comers, comer) = AsyncStream.makeStream()
        for sink in sinks { admit(Member(runner: runner(of: sink))) }
    }

    /// The sinks that are there, by name.
    public var runners: [SinkRunner] {
        state.withLock { $0.members.values.map(\.runner) }.sorted { $0.status.name < $1.status.name }
    }

    public subscript(name: String) -> SinkRunner? { state.withLock { $0.members[name]?.runner } }

    /// Makes the sinks that come and go those of `plans`: what is the same goes on, what is gone or another
    /// is stopped, what is new begins. Returns when those that left have ended and those that came have their
    /// place in the log; at once while the set does not run.
    ///
    /// - Parameters:
    ///   - restarting: names of sinks that begin anew even so.
    ///   - plans: asked when those who came before are done, so that the last one's word counts.
    public func follow(restarting: Set<String> = [], _ plans: @Sendable () -> [Plan]) async {
        await turns.withTurn { await follow(plans(), restarting: restarting) }
    }

    private func follow(_ plans: [Plan], restarting: Set<String>) async {
        let wanted = Dictionary(plans.map { ($0.name, $0) }) { first, _ in first }
        let leaving = stop { name, member in
            guard member.key != nil else { return false }
            guard let plan = wanted[name], !restarting.contains(name) else { return true }
            return !member.isMade(of: plan.key)
        }
        var arriving: [SinkRunner] = []
        for plan in plans where self[plan.name] == nil {
            let runner = runner(of: plan.make())
            let predecessor = state.withLock { $0.leaving[plan.name] }
            admit(Member(runner: runner, key: plan.key, predecessor: predecessor))
            arriving.append(runner)
        }
        guard state.withLock({ $0.phase == .running }) else { return }
        for runner in leaving { await runner.end() }
        for runner in arriving { await runner.opening() }
    }

    private func stop(where isToLeave: (String, Member) -> Bool) -> [SinkRunner] {
        let leaving = state.withLock { state in
            let leaving = state.members.filter { isToLeave($0.key, $0.value) }
            for (name, member) in leaving {
                state.members[name] = nil
                state.leaving[name] = member.runner
            }
            return leaving.values.map(\.runner)
        }
        for runner in leaving { runner.stop() }
        return leaving
    }

    private func runner(of sink: any Sink) -> SinkRunner {
        SinkRunner(
            sink: sink,
            bus: bus,
            store: store,
            configuration: configuration,
            clocks: clocks,
            logger: logger
        )
    }

    private func admit(_ member: Member) {
        state.withLock { $0.members[member.runner.sink.name] = member }
        comer.yield(member)
    }

    public func run() async {
        state.withLock { $0.phase = .running }
        await withDiscardingTaskGroup { group in
            for await member in comers.cancelOnGracefulShutdown() {
                group.addTask {
                    await member.predecessor?.end()
                    await member.runner.run()
                    self.state.withLock { state in
                        let name = member.runner.sink.name
                        if state.leaving[name] === member.runner { state.leaving[name] = nil }
                    }
                }
            }
        }
        let rest = state.withLock { state in
            state.phase = .over
            return state.members.values.map(\.runner) + state.leaving.values
        }
        // Those that came too late to begin: nobody shall wait for them.
        for runner in rest { runner.noteEnd() }
    }
}
