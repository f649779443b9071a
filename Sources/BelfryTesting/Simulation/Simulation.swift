// Many lives of a hub in one process, without a disk, a clock or a thread: a seed decides who does what when,
// who dies and how clocks jump, and after every step the store is held against what must be true. A failure
// is its seed: the same seed does the same again.

import BelfryCore

/// One simulated life of a hub: some hundred steps of submitters, workers, people, schedules and faults on one
/// store, decided by a seed.
///
/// ```swift
/// let report = try await Simulation(seed: 7, engine: .memory).run()
/// ```
public struct Simulation: Sendable {
    /// Where the simulated hub keeps its tasks. Any ``TaskStore`` will do.
    public struct Engine: Sendable {
        /// Opens a new, empty store. Its ``StoreFixture/reopen`` is called again and again, and opens what the
        /// store that was open last has left.
        public var open: @Sendable (StoreOptions) async throws -> StoreFixture
        /// The store may be opened again without having been closed, as after a crash. Defaults to true.
        public var maySkipClosing = true

        public init(open: @escaping @Sendable (StoreOptions) async throws -> StoreFixture) {
            self.open = open
        }
    }

    public var seed: UInt64
    public var engine: Engine
    /// Steps before the faults stop and all is run to its end. Defaults to 100.
    public var steps = 100

    public init(seed: UInt64, engine: Engine) {
        self.seed = seed
        self.engine = engine
    }

    /// Lives the life.
    ///
    /// - Throws: ``Failure`` when something is not as it must be.
    public func run() async throws -> Tally {
        let world = try await SimulatedWorld(seed: seed, engine: engine)
        do {
            for _ in 0..<steps { try await world.step() }
            try await world.bringToAnEnd()
        } catch {
            try? await world.close()
            throw Failure(seed: seed, step: world.steps, reason: "\(error)", trace: world.trace)
        }
        try await world.close()
        return world.tally
    }
}

extension Simulation {
    /// Something that must not be.
    public struct Failure: Error, CustomStringConvertible {
        public var seed: UInt64
        /// Counted from 1.
        public var step: Int
        public var reason: String
        /// The last steps.
        public var trace: [String]

        public var description: String {
            """
            seed \(seed), step \(step): \(reason)
              \(trace.suffix(30).joined(separator: "\n  "))
            To see it again: \(Simulation.seedVariable)=\(seed) make simulate
            """
        }
    }

    /// How often what happened: a simulation in which nothing happens finds nothing.
    public struct Tally: Sendable, Equatable {
        public internal(set) var steps = 0
        /// By the name of the step.
        public internal(set) var kinds: [String: Int] = [:]
        /// Requests that the store had to refuse, and did.
        public internal(set) var refusals: [String: Int] = [:]
        /// Sums over everything that the steps did, so that two runs can be compared.
        public internal(set) var digest: UInt64 = 0

        public init() {}

        public mutating func add(_ other: Tally) {
            steps += other.steps
            kinds.merge(other.kinds, uniquingKeysWith: +)
            refusals.merge(other.refusals, uniquingKeysWith: +)
            digest ^= other.digest
        }
    }
}

extension Simulation.Engine {
    /// ``InMemoryTaskStore``, which dies and comes back with what it held.
    public static let memory = Simulation.Engine { options in
        let open = LastOpened(InMemoryTaskStore(ids: options.ids, didCommitEvents: options.didCommitEvents))
        return StoreFixture(store: open.store) { open.reopen() }
    }
}
