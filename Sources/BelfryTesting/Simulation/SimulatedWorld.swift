// The world that a seed makes: the store, the clocks, everyone who acts, and who acts next.

import BelfryCore
import BelfryService
import Synchronization

/// Everything that one simulated life is made of.
final class SimulatedWorld {
    var random: SimulationRandom
    let engine: Simulation.Engine
    let fixture: StoreFixture
    var store: any TaskStore
    let ids: IDGenerator
    var ledger = Ledger()
    var tally = Simulation.Tally()
    private(set) var trace: [String] = []
    private(set) var steps = 0

    /// The time of day.
    var now = Timestamp(milliseconds: 1_767_225_600_000)
    var leaseNow = Duration.seconds(1000)
    var boots = 1
    var bootID: String { "boot-\(boots)" }

    let fairness: Fairness
    var sent: [Submission] = []
    var workers: [SimulatedWorker] = []
    var workersMade = 0
    /// Claims of workers that died, were paused or were given up: they may still write.
    var ghosts: [Claim] = []
    var schedules: [String: SimulatedSchedule] = [:]
    var planned: [PlannedFiring] = []
    var readers: [SimulatedReader] = []

    init(seed: UInt64, engine: Simulation.Engine) async throws {
        random = SimulationRandom(seed: seed)
        self.engine = engine
        fairness = random.pick(Fairness.allCases) ?? .none
        ids = StoreBench.makeIDs()
        fixture = try await engine.open(StoreOptions(ids: ids) {})
        store = fixture.store
        ledger.epoch = try await store.status().epoch
        for _ in 0..<random.number(1...3) { workers.append(makeWorker()) }
        for index in 0...1 { readers.append(SimulatedReader(name: "reader-\(index)")) }
    }

    func close() async throws {
        try await store.close()
        try await fixture.cleanUp()
    }

    /// One step, and a look at what came of it.
    func step() async throws {
        let kind = StepKind.draw(&random)
        begin(kind.rawValue)
        try await take(kind)
    }

    /// Notes that a step of this kind begins.
    func begin(_ kind: String) {
        steps += 1
        tally.steps += 1
        tally.kinds[kind, default: 0] += 1
        trace.append("\(steps) \(now) \(kind)")
        if trace.count > 60 { trace.removeFirst(20) }
    }

    /// Adds to the line of this step.
    func tell(_ text: @autoclosure () -> String) {
        guard let last = trace.indices.last else { return }
        trace[last] += "; " + text()
    }

    private func take(_ kind: StepKind) async throws {
        switch kind {
        case .add, .addMany, .sendAgain, .sendOther: try await submit(kind)
        case .claim, .settle, .progress, .checkpoint, .heartbeat, .rescue, .expire: try await work(kind)
        case .workerDies, .workerSleeps, .ghostWrites, .restart, .reboot: try await fail(kind)
        case .cancel, .retry, .edit, .moveToFront, .stash, .release, .setGroup, .clear:
            try await actAsPerson(kind)
        case .addSchedule, .planFiring, .fire, .pauseSchedule, .removeSchedule: try await keepSchedules(kind)
        case .timePasses, .suspend, .clockIsSet: turnClocks(kind)
        case .read, .prune: try await readEvents(kind)
        }
    }

    // MARK: Refusals

    /// Asks for what the store must refuse.
    func refused<Value>(
        _ name: String,
        _ isExpected: (TaskStoreError) -> Bool,
        _ work: () async throws -> Value
    ) async throws {
        do {
            let answer = try await work()
            throw Broken("\(name) was not refused: \(answer)")
        } catch let error as TaskStoreError where isExpected(error) {
            tell("refused: \(name)")
            tally.refusals[name, default: 0] += 1
        }
        try await look(.nothing)
    }
}

/// What may come next, and how often it does.
enum StepKind: String, CaseIterable {
    case add, addMany, sendAgain, sendOther
    case claim, settle, progress, checkpoint, heartbeat, rescue, expire
    case workerDies, workerSleeps, ghostWrites, restart, reboot
    case cancel, retry, edit, moveToFront, stash, release, setGroup, clear
    case addSchedule, planFiring, fire, pauseSchedule, removeSchedule
    case timePasses, suspend, clockIsSet
    case read, prune

    private var weight: Int {
        switch self {
        case .claim, .settle: 22
        case .add, .timePasses: 12
        case .addMany, .retry, .read, .fire, .planFiring: 6
        case .cancel, .edit, .ghostWrites, .progress, .addSchedule: 4
        case .checkpoint, .heartbeat, .rescue, .expire, .sendAgain, .stash, .release, .clear, .setGroup: 3
        case .workerDies, .workerSleeps, .restart, .moveToFront, .suspend, .clockIsSet: 2
        case .sendOther, .reboot, .pauseSchedule, .removeSchedule, .prune: 1
        }
    }

    private static let urn = allCases.flatMap { Array(repeating: $0, count: $0.weight) }

    static func draw(_ random: inout SimulationRandom) -> StepKind { random.pick(urn) ?? .timePasses }
}
