// Some thousand lives of a hub, and that a seed is a whole life: the same again, and another than its neighbour's.

import BelfryCore
import BelfryTesting
import Foundation
import Testing

@Suite("The simulation")
struct SimulationTests {
    /// In a debug build 1,500 seeds take some 36 s of one core; `make simulate` runs 100,000.
    @Test("finds nothing that must not be, whoever dies and however clocks jump")
    func finds() async {
        var run = SimulationRun(environment: ProcessInfo.processInfo.environment, count: 1500)
        run.width = ProcessInfo.processInfo.activeProcessorCount
        let report = await run.run(on: .memory)
        #expect(report.failures.isEmpty, "\(report)")
    }

    @Test("does everything that it can do, and is refused whatever must be")
    func isBusy() async {
        let report = await SimulationRun(seeds: 1...150).run(on: .memory)
        for kind in [
            "attempts", "rescued attempts", "expired tasks", "cleared tasks", "ticks", "restart", "reboot",
            "clockIsSet", "suspend", "prune", "moveToFront", "setGroup", "unique: keep", "last round",
        ] { #expect(report.tally.kinds[kind, default: 0] > 0, "\(kind)") }
        for refusal in [
            "late outcome", "late progress", "late checkpoint", "late heartbeat", "firing that is old",
            "dependency",
            "unique: reject", "retry after one that failed", "another task by the same name",
            "repeat of a task that was edited", "change of a schedule that has changed",
        ] { #expect(report.tally.refusals[refusal, default: 0] > 0, "\(refusal)") }
    }

    @Test("lives the same life again from the same seed, and another from the next")
    func isRepeatable() async throws {
        let first = try await Simulation(seed: 7, engine: .memory).run()
        #expect(try await Simulation(seed: 7, engine: .memory).run() == first)
        #expect(try await Simulation(seed: 8, engine: .memory).run().digest != first.digest)
    }

    @Test("names its seed and its last steps when a store forgets a task")
    func reportsFailures() async throws {
        var forgetful = Simulation.Engine { options in
            let store = InMemoryTaskStore(ids: options.ids)
            return StoreFixture(store: store) { InMemoryTaskStore(ids: options.ids) }
        }
        forgetful.maySkipClosing = false
        let report = await SimulationRun(seeds: 1...3).run(on: forgetful)
        let failure = try #require(report.failures.first)
        #expect("\(failure)".contains("seed 1, step"))
        #expect("\(failure)".contains("BELFRY_SIMULATION_SEED=1"))
        #expect(
            failure.trace.last?.contains("restart") == true || failure.trace.last?.contains("end") == true
        )
    }
}
