// One run of a program that stays: lines in, lines out, until it ends or is asked to. What is said in the lines
// is its owner's business; how much of it is kept, and that nothing of its tree is left, is decided here.

import BelfryCore
import Subprocess
import Synchronization

/// A plugin's process that serves many tasks, or hears many events.
struct PluginProcess: Sendable {
    /// How the program ended.
    struct End: Sendable {
        var status: TerminationStatus
        /// The end of its stderr, at most 8 KiB.
        var errorTail: String
        /// Lines that were longer than the limit and thrown away.
        var discardedLines: Int
    }

    let launch: Launch
    /// The longest line that is read, in bytes. Defaults to 16 MiB.
    var maxLineBytes = 16 << 20
    /// Sleeps; injected, so that a test's graces need no time.
    var sleep: @Sendable (Duration) async throws -> Void = { try await ContinuousClock().sleep(for: $0) }
    /// Sees each line of stdin and stdout. Defaults to nobody.
    var trace: PluginTrace?

    /// Runs the program until it has ended, and everything that it started with it.
    ///
    /// Told to stop politely (``PluginChannel/stop(_:)``), it sees the end of its input; after the grace it gets
    /// TERM, after another one KILL, and its whole tree with it.
    ///
    /// - Parameters:
    ///   - channel: what goes to the program's stdin; of this run alone.
    ///   - onLine: gets each line of stdout in order, without its newline. Nothing more is read until it returns:
    ///     so a program that talks faster than it is heard has to wait.
    ///   - onError: gets stderr as it comes; the program never waits for it.
    ///   - onDiscard: told of each line that was too long.
    /// - Throws: `CancellationError` when cancelled, after TERM, grace and KILL of the tree; ``TaskFailure``
    ///   `cannot_start` when there is no belfry-launch.
    func run(
        _ channel: PluginChannel,
        onLine: @escaping @Sendable (String) async -> Void,
        onError: @escaping @Sendable ([UInt8]) -> Void = { _ in },
        onDiscard: @escaping @Sendable () -> Void = {}
    ) async throws -> End {
        defer { channel.end() }
        let kept = Kept()
        let status = try await launch.run(sleep: sleep) { execution in
            try await attend(execution, channel, kept, (onLine, onError, onDiscard))
        }
        return End(
            status: status,
            errorTail: kept.errors.withLock { $0.text },
            discardedLines: kept.discarded.load(ordering: .relaxed)
        )
    }

    /// What outlives the streams.
    private final class Kept: Sendable {
        let errors = Mutex(ByteRing(limit: 8192))
        let discarded = Atomic<Int>(0)
    }

    private typealias Hearers = (
        onLine: @Sendable (String) async -> Void, onError: @Sendable ([UInt8]) -> Void,
        onDiscard: @Sendable () -> Void
    )

    private func attend(
        _ execution: Launch.Running,
        _ channel: PluginChannel,
        _ kept: Kept,
        _ hear: Hearers
    ) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                await write(channel, to: execution.standardInputWriter)
                return false
            }
            group.addTask {
                await end(execution, when: channel)
                return false
            }
            group.addTask {
                for try await part in execution.standardError {
                    let bytes = part.withUnsafeBytes { Array($0) }
                    hear.onError(bytes)
                    kept.errors.withLock { $0.append(bytes) }
                }
                return true
            }
            group.addTask {
                try await read(execution.standardOutput, kept, hear)
                return true
            }
            // The launcher has the whole tree gone before it ends, so both streams do end.
            var open = 2
            while open > 0, let isStream = try await group.next() { open -= isStream ? 1 : 0 }
            group.cancelAll()
        }
    }

    private func write(_ channel: PluginChannel, to input: StandardInputWriter) async {
        while let (id, line) = await channel.next() {
            trace?(.sent, String(decoding: line.dropLast(), as: UTF8.self))
            // Fewer bytes are written when the program ends meanwhile.
            guard let count = try? await input.write(line), count == line.count else {
                channel.inputEnded()
                break
            }
            channel.wasWritten(id)
        }
        try? await input.finish()
    }

    private func end(_ execution: Launch.Running, when channel: PluginChannel) async {
        guard let stop = await channel.stopped() else { return }
        if stop == .politely {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await sleep(launch.cancelGrace) }
                group.addTask { _ = await channel.stopped(atOnce: true) }
                await group.next()
                group.cancelAll()
            }
        }
        guard !Task.isCancelled else { return }
        try? execution.send(signal: .terminate)
    }

    private func read(_ output: SubprocessOutputSequence, _ kept: Kept, _ hear: Hearers) async throws {
        var splitter = LineSplitter(limit: maxLineBytes)
        func tell(_ lines: [String]) async {
            let before = kept.discarded.exchange(splitter.discarded, ordering: .relaxed)
            for _ in before..<splitter.discarded { hear.onDiscard() }
            for line in lines {
                trace?(.received, line)
                await hear.onLine(line)
            }
        }
        for try await part in output {
            var lines: [String] = []
            splitter.feed(part.withUnsafeBytes { Array($0) }) { lines.append($0) }
            await tell(lines)
        }
        var last: [String] = []
        splitter.finish { last.append($0) }
        await tell(last)
    }
}
