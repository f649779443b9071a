// The hub in the foreground as a stream: `belfryd --stdout json | jq`.

public import BelfryCore
import Dispatch
import Glibc
import Synchronization

/// Writes events to a descriptor, for people or as JSON lines.
///
/// A reader that is slow holds up this sink alone. One that goes away ends it: from then on events
/// count as delivered, since nobody is left to read them.
public final class StdoutSink: Sink {
    public enum Form: Sendable {
        case human(EventFormatter)
        case json
    }

    public let name = "stdout"
    public let start = SinkStart.now
    public let cursorKeeper = CursorKeeper.nobody
    public let wantsProgress: Bool
    private let form: Form
    private let descriptor: Int32
    private let isClosed = Atomic<Bool>(false)
    /// Writing may block for as long as the reader likes, so it does so on a thread of its own.
    private let queue = DispatchQueue(label: "belfry.stdout")
    private let onClosed: @Sendable () -> Void

    /// - Parameters:
    ///   - descriptor: where to write; defaults to the standard output.
    ///   - onClosed: called once when the reader has gone.
    public init(
        form: Form,
        descriptor: Int32 = 1,
        wantsProgress: Bool = false,
        onClosed: @escaping @Sendable () -> Void = {}
    ) {
        self.form = form
        self.descriptor = descriptor
        self.wantsProgress = wantsProgress
        self.onClosed = onClosed
    }

    public func deliver(_ batch: SinkBatch) async throws {
        guard !isClosed.load(ordering: .relaxed) else { return }
        let bytes = try encode(batch)
        let code = await withCheckedContinuation { continuation in
            queue.async { [descriptor] in continuation.resume(returning: Self.write(bytes, to: descriptor)) }
        }
        switch code {
        case 0: break
        case EPIPE:
            if !isClosed.exchange(true, ordering: .relaxed) { onClosed() }
        default:
            throw SinkError.unavailable(
                "Cannot write to the standard output: \(String(cString: strerror(code)))."
            )
        }
    }

    private func encode(_ batch: SinkBatch) throws -> [UInt8] {
        var bytes: [UInt8] = []
        func line(_ text: String) { bytes += (text + "\n").utf8 }
        switch form {
        case .json:
            if let gap = batch.gap { line(gap.json.text) }
            for record in batch.events { bytes += record.json + [0x0A] }
        case .human(let formatter):
            if let gap = batch.gap { line(formatter.line(gap)) }
            for record in batch.events { line(formatter.line(try record.event())) }
            for update in batch.progress { line(formatter.line(update)) }
        }
        return bytes
    }

    /// - Returns: 0, or the error's number.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written >= 0 {
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN {
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}
