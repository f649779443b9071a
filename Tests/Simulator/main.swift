// `belfry-simulate`: many simulated lives of a hub, in a program of its own so that they run at full speed.
// BELFRY_SIMULATION_SEEDS says how many, BELFRY_SIMULATION_SEED names one.

import BelfryTesting
import Foundation

let process = ProcessInfo.processInfo
var run = SimulationRun(environment: process.environment, count: 100_000)
run.width = process.activeProcessorCount
print("seeds \(run.seeds.lowerBound)…\(run.seeds.upperBound), \(run.width) at once")
let start = ContinuousClock().now
let report = await run.run(on: .memory)
print(report)
print("took \((ContinuousClock().now - start).components.seconds) s")
exit(report.failures.isEmpty ? 0 : 1)
