// Many seeds, side by side, and what came of them.

/// A run of many simulations.
///
/// ```swift
/// let report = await SimulationRun(seeds: 1...3000).run(on: .memory)
/// ```
public struct SimulationRun: Sendable {
    public var seeds: ClosedRange<UInt64>
    /// Simulations that go on at once. At least 1. Defaults to 2.
    public var width = 2
    /// After so many failures no new seed is begun. Defaults to 3.
    public var maxFailures = 3

    public init(seeds: ClosedRange<UInt64>) { self.seeds = seeds }

    /// The seeds that the environment asks for: `BELFRY_SIMULATION_SEED` names one, `BELFRY_SIMULATION_SEEDS` says how
    /// many, from 1 on.
    ///
    /// - Parameter count: how many when it says nothing.
    public init(environment: [String: String], count: UInt64) {
        if let seed = environment[Simulation.seedVariable].flatMap({ UInt64($0) }) {
            self.init(seeds: seed...seed)
        } else {
            self.init(
                seeds: 1...max(1, environment[Simulation.countVariable].flatMap { UInt64($0) } ?? count)
            )
        }
    }

    /// What a run came to.
    public struct Report: Sendable {
        public internal(set) var seeds: UInt64 = 0
        public internal(set) var tally = Simulation.Tally()
        /// By seed, lowest first.
        public internal(set) var failures: [Simulation.Failure] = []
    }

    /// Runs every seed, each in a world of its own.
    public func run(on engine: Simulation.Engine) async -> Report {
        let count = UInt64(max(1, width))
        let reports = await withTaskGroup { group in
            for start in 0..<count { group.addTask { await runEach(count, from: start, on: engine) } }
            return await group.reduce(into: [Report]()) { $0.append($1) }
        }
        var report = Report()
        for part in reports {
            report.seeds += part.seeds
            report.tally.add(part.tally)
            report.failures += part.failures
        }
        report.failures.sort { $0.seed < $1.seed }
        return report
    }

    private func runEach(_ step: UInt64, from start: UInt64, on engine: Simulation.Engine) async -> Report {
        var report = Report()
        for seed in seeds where (seed - seeds.lowerBound) % step == start {
            if report.failures.count >= maxFailures || Task.isCancelled { break }
            report.seeds += 1
            // A store in memory never waits, and others may have something to do.
            await Task.yield()
            do { report.tally.add(try await Simulation(seed: seed, engine: engine).run()) } catch {
                report.failures.append(
                    error as? Simulation.Failure
                        ?? Simulation.Failure(seed: seed, step: 0, reason: "\(error)", trace: [])
                )
            }
        }
        return report
    }
}

extension Simulation {
    static let seedVariable = "BELFRY_SIMULATION_SEED"
    static let countVariable = "BELFRY_SIMULATION_SEEDS"
}

extension SimulationRun.Report: CustomStringConvertible {
    /// What happened how often, then the failures.
    public var description: String {
        var lines = ["\(seeds) seeds, \(tally.steps) steps, digest \(String(tally.digest, radix: 16))"]
        lines.append("what happened: " + Self.list(tally.kinds))
        lines.append("what was refused: " + Self.list(tally.refusals))
        return (lines + failures.map(\.description)).joined(separator: "\n")
    }

    private static func list(_ counts: [String: Int]) -> String {
        counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
            .joined(separator: ", ")
    }
}
