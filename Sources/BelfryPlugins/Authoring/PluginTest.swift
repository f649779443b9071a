// Tries a plugin the way the hub will use it, before anybody else does: every example to its end, and one
// that is cancelled.

import BelfryCore
import Glibc

/// Tests one plugin, without a hub.
public struct PluginTest: Sendable {
    public typealias Case = PluginTestReport.Case

    public struct Configuration: Sendable {
        /// belfry-launch.
        public var launcher: String
        /// What the plugin's environment is chosen from.
        public var environment: [String: String]
        /// What the plugin's own secrets are chosen from. Defaults to none.
        public var secrets = PluginSecrets()
        /// An existing directory for what the attempts leave.
        public var scratch: String
        /// How long one attempt may take. Defaults to 60 seconds.
        public var timeout = Duration.seconds(60)

        public init(launcher: String, environment: [String: String], scratch: String) {
            self.launcher = launcher
            self.environment = environment
            self.scratch = scratch
        }
    }

    /// How long a feature that says nothing is left alone before it is cancelled.
    static let silence = Duration.milliseconds(500)

    let plugin: InstalledPlugin
    let configuration: Configuration
    var clocks = Clocks()

    public init(_ plugin: InstalledPlugin, _ configuration: Configuration) {
        self.plugin = plugin
        self.configuration = configuration
    }

    /// Runs every case, one after the other.
    ///
    /// - Parameter onCase: told of each as it ends.
    public func run(onCase: (Case) -> Void = { _ in }) async -> PluginTestReport {
        var report = PluginTestReport(pluginID: plugin.manifest.id)
        func tell(_ found: Case) {
            report.cases.append(found)
            onCase(found)
        }
        switch plugin.manifest.runner.wire {
        case .exec:
            for entry in plugin.manifest.features { for found in await cases(of: entry) { tell(found) } }
        case .mcp: await testServer(tell)
        case .observer: await testObserver(tell)
        }
        return report
    }

    private func cases(of entry: PluginManifest.FeatureEntry) async -> [Case] {
        guard let first = entry.trials.first else {
            let why = "it has no examples"
            return [Case(entry.id, "does what its examples say", .skipped(why))]
        }
        var cases: [Case] = []
        var firstEnd = NaturalEnd.none
        for (index, example) in entry.trials.enumerated() {
            let title = example.title.isEmpty ? "example \(index + 1)" : example.title
            let found = await completion(entry, example, title: title, number: index + 1)
            cases += found.cases
            if index == 0 { firstEnd = found.end }
        }
        return cases + [await cancellation(entry, first, otherwise: firstEnd)]
    }

    /// How an example ends when nobody cancels it.
    enum NaturalEnd: Sendable {
        case result
        case failure
        /// Not within the time that it was given.
        case none
    }

    func trial(_ entry: PluginManifest.FeatureEntry, _ name: String) throws -> Trial {
        try Trial(
            plugin,
            featureID: entry.id,
            launcher: configuration.launcher,
            environment: configuration.environment,
            secrets: configuration.secrets,
            workingDirectory: plugin.directory,
            outputDirectory: "\(configuration.scratch)/\(entry.id.replacing("/", with: "-"))-\(name)"
        )
    }

    // MARK: An example

    private func completion(
        _ entry: PluginManifest.FeatureEntry,
        _ example: PluginManifest.Example,
        title: String,
        number: Int
    ) async -> (cases: [Case], end: NaturalEnd) {
        let name = "completes (\(title))"
        do {
            let trial = try trial(entry, "\(number)")
            let start = clocks.lease.now
            guard let seen = await bounded({ await trial.observe(example.params) }) else {
                let why = "it did not end within \(configuration.timeout.seconds) s"
                let fix = "Give it more time: --timeout SECONDS"
                return ([Case(entry.id, name, .failed(why, fix: fix))], .none)
            }
            let seconds = (clocks.lease.now - start).seconds
            let outcome = outcome(seen)
            let cases = [
                Case(entry.id, name, outcome, seconds: seconds),
                Case(entry.id, "says only lines of the protocol on stdout (\(title))", cleanness(seen)),
            ]
            let end: NaturalEnd = outcome == .passed ? .result : .failure
            return (cases + progress(entry, seen, title), end)
        } catch {
            return ([Case(entry.id, name, failed(error))], .failure)
        }
    }

    /// - Returns: nil when it took too long.
    func bounded<Value: Sendable>(_ work: @escaping @Sendable () async -> Value) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await work() }
            group.addTask {
                try? await clocks.sleep(configuration.timeout)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    private func outcome(_ seen: Trial.Observation) -> Case.Outcome {
        switch seen.end {
        case .success: .passed
        case .failure(let error): failed(error)
        }
    }

    func failed(_ error: any Error) -> Case.Outcome {
        switch error {
        case let failure as TaskFailure: .failed("\(failure.code): \(failure.message)", fix: failure.fix)
        case let snooze as TaskSnooze:
            .failed("it snoozed: \(snooze.message ?? "")", fix: "Give an example that can run at once.")
        case let error as BelfryError: .failed(error.message, fix: error.fix)
        default: .failed("\(error)", fix: nil)
        }
    }

    private func cleanness(_ seen: Trial.Observation) -> Case.Outcome {
        if seen.discardedLines > 0 {
            return .failed(
                "lines longer than max_line_bytes: \(seen.discardedLines)",
                fix: "Hand files over as artifacts."
            )
        }
        return cleanness(seen.garbage)
    }

    func cleanness(_ garbage: (count: Int, first: String?)) -> Case.Outcome {
        guard let first = garbage.first else { return .passed }
        let count = garbage.count
        return .failed(
            "\(count == 1 ? "a line means" : "\(count) lines mean") nothing, the first is: \(first)",
            fix: "Print to stderr what is for the log."
        )
    }

    private func progress(
        _ entry: PluginManifest.FeatureEntry,
        _ seen: Trial.Observation,
        _ title: String
    ) -> [Case] {
        guard !seen.percents.isEmpty else { return [] }
        let name = "says progress that only rises, from 0 to 100 (\(title))"
        if let wild = seen.percents.first(where: { !(0...100).contains($0) }) {
            return [Case(entry.id, name, .failed("it said \(wild)", fix: "Percents are 0…100."))]
        }
        return [Case(entry.id, name, rising(seen.percents))]
    }

    func rising(_ values: [Double]) -> Case.Outcome {
        guard let fall = zip(values, values.dropFirst()).first(where: { $0 > $1 }) else { return .passed }
        return .failed("it fell from \(fall.0) to \(fall.1)", fix: "Say how far the whole work is.")
    }
}
