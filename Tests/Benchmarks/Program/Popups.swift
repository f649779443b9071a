// What popups cost a hub that is full of tasks which report their progress.

import BelfryCore
import BelfryDesktop
import FoundationEssentials
import Logging
import ServiceLifecycle

extension Bench {
    /// What popups cost when 1,000 tasks run and each reports its progress 100 times a second.
    func popups() async throws {
        let alone = try await reporting("alone", popups: false)
        let shown = try await reporting("shown", popups: true)
        let note = "1,000 running tasks, 100 reports a second each"
        Self.report("hub without popups, CPU", alone.cpu * 100, "% core", note)
        Self.report("popups, CPU", (shown.cpu - alone.cpu) * 100, "% core", "what the desktop sink adds")
        Self.report(
            "popups, memory",
            Double(shown.memory - alone.memory) / 1024,
            "MiB",
            "RssAnon, more than without"
        )
    }

    /// - Returns: the share of a core, and KiB of anonymous memory at the end.
    private func reporting(_ name: String, popups: Bool) async throws -> (cpu: Double, memory: Int) {
        let path = try makeDirectory(name)
        let sinks: (any TaskControl, Logger) -> [any Sink & Service] = {
            popups ? [Self.desktop($0, $1)] : []
        }
        return try await BenchHub.run(path, concurrency: 1000, sinks: sinks) { hub in
            try await hub.hold(1000)
            // Until they are old enough to be shown.
            try await hub.report(rounds: 400)
            let (cpu, start) = (Self.cpuTime(), ContinuousClock.now)
            try await hub.report(rounds: 1000)
            let share = (Self.cpuTime() - cpu) / Self.seconds(ContinuousClock.now - start)
            let memory = Self.anonymousMemory()
            hub.letGo()
            return (share, memory)
        }
    }

    private static func anonymousMemory() -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

    private static func desktop(_ control: any TaskControl, _ logger: Logger) -> DesktopSink {
        let parts = DesktopSink.Parts(
            configuration: DesktopConfiguration(),
            control: control,
            opener: NoOpener(),
            environment: ProcessInfo.processInfo.environment,
            logger: logger
        )
        return DesktopSink(parts)
    }
}

/// Nobody clicks in a benchmark.
struct NoOpener: DesktopOpener {
    func open(_ uri: String, token: String?) async throws {}
    func launch(_ desktopID: String, token: String?) async throws {}
}
