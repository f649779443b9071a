// An observer without a hub: handed events, one after the other, and seen to its end.

public import BelfryCore
import Synchronization

/// Runs an observer as the hub would, once.
public struct ObserverTrial: Sendable {
    /// What an observer said to an event.
    public enum Answer: Sendable, Hashable {
        case ack
        case reject(String)
        case retry(String)
        /// It gave no answer: why.
        case none(String)
    }

    let plugin: InstalledPlugin
    private let sink: ObserverPluginSink
    private let tap: ObserverTap
    private let clocks: Clocks

    public init(
        _ plugin: InstalledPlugin,
        launcher: String,
        environment: [String: String],
        secrets: PluginSecrets = PluginSecrets(),
        clocks: Clocks = Clocks(),
        trace: PluginTrace? = nil,
        onError: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.plugin = plugin
        self.clocks = clocks
        let tap = ObserverTap()
        self.tap = tap
        sink = ObserverPluginSink(
            plugin: plugin,
            launcher: launcher,
            environment: environment,
            secrets: secrets,
            clocks: clocks,
            trace: { frame, line in
                tap.take(frame, line)
                trace?(frame, line)
            },
            onNote: { if case .said(let line) = $0 { onError(line) } }
        )
    }

    /// Hands over lines of the event log, one after the other; or, without any, a sample of each kind of event that
    /// the plugin hears.
    ///
    /// - Parameter onAnswer: told of each event's type and position, and what was said to it.
    /// - Returns: whether all were answered.
    /// - Throws: ``BelfryError`` `invalid_request` for a line that is no event; nothing is handed over then.
    public func run(
        _ lines: [String],
        onAnswer: (_ type: String, _ position: Int64, Answer) -> Void
    ) async throws -> Bool {
        let records = lines.isEmpty ? samples : try lines.map(Self.record)
        let served = await serve { () async -> Bool in
            for record in records {
                let answer = await deliver(SinkBatch(events: [record]))
                onAnswer(record.kind.rawValue, record.position, answer)
                if case .none = answer { return false }
            }
            return true
        }
        return served.answer
    }

    /// Hands over one sample: of a task that is completed, or the first kind that the plugin hears.
    ///
    /// - Returns: nil when it hears nothing.
    public func tryOne() async -> (kind: TaskEvent.Kind, answer: Answer)? {
        guard let sample = samples.first(where: { $0.kind == .completed }) ?? samples.first else {
            return nil
        }
        let served = await serve { await deliver(SinkBatch(events: [sample])) }
        return (sample.kind, served.answer)
    }

    private static func record(_ line: String) throws -> EventRecord {
        do {
            let event = try TaskEvent(json: JSONValue(parsing: line))
            // As it is written, not as it would be written here.
            return EventRecord(
                cursor: event.cursor,
                kind: event.kind,
                taskID: event.task?.id,
                json: Array(line.utf8)
            )
        } catch {
            throw BelfryError(
                .invalidRequest,
                "This line is no event: \(line.truncated(toUTF8: 200))",
                fix: "Hand over lines of: belfry tail --json"
            )
        }
    }

    /// A sample of each kind of event that the plugin hears.
    var samples: [EventRecord] {
        let kinds = TaskEvent.Kind.allCases.filter(plugin.manifest.observation.filter.kinds.contains)
        let samples = SampleEvents()
        return kinds.enumerated().map { samples.record($1, at: Int64($0 + 1)) }
    }

    // MARK: For tests

    /// Lines on stdout that mean nothing.
    var garbage: (count: Int, first: String?) { tap.garbage }

    /// Hands over a batch and waits for the answer to its last event.
    func deliver(_ batch: SinkBatch) async -> Answer {
        tap.expect(batch.events.map(\.position))
        do {
            try await sink.deliver(batch)
            return .ack
        } catch SinkError.rejected(_, let reason) {
            return .reject(reason)
        } catch SinkError.unavailable(let reason, _) {
            return tap.hasRefused ? .retry(reason) : .none(reason)
        } catch SinkError.poisonous(_, let reason), SinkError.broken(let reason, _) {
            return .none(reason)
        } catch { return .none("\(error)") }
    }

    /// Does something with the observer, ends its input, and waits until it is gone.
    ///
    /// - Returns: also how long it took to end; nil when it had ended before.
    func serve<Value: Sendable>(_ body: () async -> Value) async -> (answer: Value, farewell: Duration?) {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [sink] in await sink.serve() }
            let answer = await body()
            let isThere = sink.condition == .ready || sink.condition == .busy
            let start = clocks.lease.now
            await sink.close()
            let farewell = clocks.lease.now - start
            await group.waitForAll()
            return (answer, isThere ? farewell : nil)
        }
    }
}

/// What an observer prints, as a test wants to know it.
private final class ObserverTap: Sendable {
    private struct State {
        var garbage: (count: Int, first: String?) = (0, nil)
        /// All that it was given.
        var given: Set<Int64> = []
        var isRefusal = false
    }

    private let state = Mutex(State())

    var garbage: (count: Int, first: String?) { state.withLock { $0.garbage } }
    /// Whether it has asked for one of the last events again.
    var hasRefused: Bool { state.withLock { $0.isRefusal } }

    func expect(_ positions: [Int64]) {
        state.withLock { state in
            state.given.formUnion(positions)
            state.isRefusal = false
        }
    }

    func take(_ frame: PluginFrame, _ line: String) {
        guard frame == .received else { return }
        state.withLock { state in
            switch ObserverAnswer(line) {
            case .status: return
            case .ack(let position) where state.given.contains(position): return
            case .reject(let position, _) where state.given.contains(position): return
            case .retry(let position, _, _) where state.given.contains(position): state.isRefusal = true
            default:
                state.garbage.first = state.garbage.first ?? line.truncated(toUTF8: 200)
                state.garbage.count += 1
            }
        }
    }
}
