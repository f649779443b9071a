// Runs one program for one attempt, through belfry-launch, and bounds everything about it: the length
// of its lines, what is kept of its errors, how long it may be silent and how long it may take.

import BelfryCore
import Glibc
import Subprocess
import Synchronization

/// One run of a program.
struct ExecHost: Sendable {
    struct Configuration: Sendable {
        /// belfry-launch.
        var launcher: String
        var executable: String
        var arguments: [String]
        /// The whole environment that the program gets.
        var environment: [String: String]
        var workingDirectory: String
        var umask: UInt32?
        var addressSpaceMB: Int?
        /// Of the whole tree.
        var memoryMB: Int?
        var cancelGrace = Duration.seconds(5)
        var idleTimeout: Duration?
        var totalTimeout: Duration?
        /// Whether whatever the program prints is a sign of life, and not only lines that are understood.
        /// Defaults to false.
        var livesByOutput = false
        var maxLineBytes = 1 << 20
        /// What the plugin's files must be. Defaults to whatever they are.
        var pins: PinnedFiles?
        /// What the program reads on stdin.
        var input: [UInt8] = []
    }

    /// How the program ended.
    struct End: Sendable {
        enum Timeout: Sendable { case idle, total }

        var status: TerminationStatus
        var timeout: Timeout?
        /// The end of its stderr.
        var errorTail: String
        /// Lines that were longer than the limit.
        var discardedLines: Int
    }

    let configuration: Configuration
    /// Sleeps; injected, so that a test's timeouts need no time.
    var sleep: @Sendable (Duration) async throws -> Void = { try await ContinuousClock().sleep(for: $0) }

    /// Runs the program to its end, and everything that it started with it.
    ///
    /// - Parameters:
    ///   - onLine: gets each line of stdout; returns whether it was understood, which is what counts
    ///     as a sign of life.
    ///   - onError: gets what comes on stderr.
    ///   - onOutput: gets stdout as it is, before it is cut into lines.
    /// - Throws: `CancellationError` when cancelled, after the program's whole tree is gone;
    ///   ``TaskFailure`` `cannot_start`, `plugin_changed`.
    func run(
        onLine: @escaping @Sendable (String) -> Bool,
        onError: @escaping @Sendable ([UInt8]) -> Void,
        onOutput: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) async throws -> End {
        let signs = Signs()
        let shared = Shared(tail: Mutex(ByteRing(limit: 8192)), discarded: Atomic<Int>(0))
        let status = try await launch.run(sleep: sleep) { execution in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    // A program that does not read its input is no error: its outcome tells.
                    _ = try? await execution.standardInputWriter.write(configuration.input)
                    try? await execution.standardInputWriter.finish()
                    return false
                }
                group.addTask {
                    for try await part in execution.standardError {
                        let bytes = part.withUnsafeBytes { Array($0) }
                        if configuration.livesByOutput { signs.show() }
                        onError(bytes)
                        shared.tail.withLock { $0.append(bytes) }
                    }
                    return true
                }
                group.addTask {
                    var splitter = LineSplitter(limit: configuration.maxLineBytes)
                    for try await part in execution.standardOutput {
                        let bytes = part.withUnsafeBytes { Array($0) }
                        if configuration.livesByOutput { signs.show() }
                        onOutput(bytes)
                        splitter.feed(bytes) { if onLine($0) { signs.show() } }
                    }
                    splitter.finish { _ = onLine($0) }
                    shared.discarded.store(splitter.discarded, ordering: .relaxed)
                    return true
                }
                group.addTask {
                    if let timeout = await waitForTimeout(signs) {
                        signs.end(timeout)
                        try? execution.send(signal: .terminate)
                    }
                    return false
                }
                // The launcher has the whole tree gone before it ends, so both streams do end.
                var open = 2
                while open > 0, let isStream = try await group.next() { open -= isStream ? 1 : 0 }
                group.cancelAll()
            }
        }
        return End(
            status: status,
            timeout: signs.timeout,
            errorTail: shared.tail.withLock { $0.text },
            discardedLines: shared.discarded.load(ordering: .relaxed)
        )
    }

    private final class Shared: Sendable {
        let tail: Mutex<ByteRing>
        let discarded: Atomic<Int>
        init(tail: consuming Mutex<ByteRing>, discarded: consuming Atomic<Int>) {
            self.tail = tail
            self.discarded = discarded
        }
    }

    private var launch: Launch {
        Launch(
            launcher: configuration.launcher,
            executable: configuration.executable,
            arguments: configuration.arguments,
            environment: configuration.environment,
            workingDirectory: configuration.workingDirectory,
            umask: configuration.umask,
            addressSpaceMB: configuration.addressSpaceMB,
            memoryMB: configuration.memoryMB,
            cancelGrace: configuration.cancelGrace,
            pins: configuration.pins
        )
    }

    /// Waits until the program was silent or ran for too long; nil when it may do so for ever.
    private func waitForTimeout(_ signs: Signs) async -> End.Timeout? {
        await withTaskGroup(of: End.Timeout?.self) { group in
            if let total = configuration.totalTimeout {
                group.addTask { (try? await sleep(total)) != nil ? .total : nil }
            }
            if let idle = configuration.idleTimeout {
                group.addTask {
                    var seen = signs.count
                    while (try? await sleep(idle)) != nil {
                        // Looked at once in each span: a silence is noticed after one to two of them.
                        let count = signs.count
                        if count == seen { return .idle }
                        seen = count
                    }
                    return nil
                }
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}

/// Signs of life of a program, and why it was stopped.
private final class Signs: Sendable {
    private let state = Mutex<(count: Int, timeout: ExecHost.End.Timeout?)>((0, nil))

    func show() { state.withLock { $0.count += 1 } }
    func end(_ timeout: ExecHost.End.Timeout) { state.withLock { $0.timeout = timeout } }
    var count: Int { state.withLock { $0.count } }
    var timeout: ExecHost.End.Timeout? { state.withLock { $0.timeout } }
}
