// The two streams of a server over stdio: lines in, within a bound, and lines out, whole ones only.

import Glibc
import Synchronization

/// Lines from a descriptor.
public final class LineInput: Sendable {
    public enum Line: Sendable, Equatable {
        case line([UInt8])
        /// It was longer than the limit and is thrown away.
        case tooLong
    }

    private struct State {
        var buffer: ArraySlice<UInt8> = []
        var line: [UInt8] = []
        var isDiscarding = false
        var isAtEnd = false
    }

    private let descriptor: Int32
    private let limit: Int
    private let state = Mutex(State())
    /// Readable when the input was stopped.
    private let stopEnd: Int32
    private let stopSignal: Int32

    /// - Parameters:
    ///   - descriptor: stays the caller's. Defaults to the standard input.
    ///   - limit: the longest line, in bytes. Defaults to 16 MiB.
    public init(descriptor: Int32 = 0, limit: Int = 16 << 20) {
        self.descriptor = descriptor
        self.limit = limit
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (stopEnd, stopSignal) = (ends[0], ends[1])
    }

    deinit {
        close(stopEnd)
        close(stopSignal)
    }

    /// Ends the input here, also for a read that waits.
    public func stop() { LineOutput.writeAll([1], to: stopSignal) }

    /// The next line without its newline; nil at the end. For one caller at a time.
    public func next() async -> Line? {
        while true {
            if let line = state.withLock({ takeLine(&$0) }) { return line }
            if state.withLock({ $0.isAtEnd }) { return state.withLock { takeRest(&$0) } }
            let bytes = (try? await BlockingThread.run { [self] in read() }) ?? []
            state.withLock { state in
                state.buffer = bytes[...]
                state.isAtEnd = bytes.isEmpty
            }
        }
    }

    private func takeLine(_ state: inout State) -> Line? {
        let newline = state.buffer.firstIndex(of: 0x0A)
        let part = state.buffer[..<(newline ?? state.buffer.endIndex)]
        if state.line.count + part.count > limit {
            state.isDiscarding = true
            state.line = []
        }
        if !state.isDiscarding { state.line += part }
        state.buffer = newline.map { state.buffer[($0 + 1)...] } ?? []
        return newline == nil ? nil : end(&state)
    }

    /// A last line without a newline.
    private func takeRest(_ state: inout State) -> Line? {
        state.line.isEmpty && !state.isDiscarding ? nil : end(&state)
    }

    private func end(_ state: inout State) -> Line {
        defer {
            state.line = []
            state.isDiscarding = false
        }
        return state.isDiscarding ? .tooLong : .line(state.line)
    }

    /// - Returns: nothing at the end, when the input was stopped, and when reading fails.
    private func read() -> [UInt8] {
        while true {
            var watched = [descriptor, stopEnd].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            if poll(&watched, 2, -1) < 0, errno == EINTR { continue }
            if watched[1].revents != 0 { return [] }
            var code: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
                let received = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                code = received < 0 ? errno : 0
                count = max(0, received)
            }
            if code != EINTR { return bytes }
        }
    }
}

/// Lines to a descriptor, each of them whole.
public final class LineOutput: Sendable {
    private let descriptor: Int32
    private let isWriting = Mutex(())

    public init(descriptor: Int32) { self.descriptor = descriptor }

    /// Takes the standard output for a protocol alone: from here on, what anything in the program prints goes to
    /// the standard error. A reader that goes away ends nothing.
    public static func takingStandardOutput() -> LineOutput {
        signal(SIGPIPE, SIG_IGN)
        fflush(nil)
        let own = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        dup2(STDERR_FILENO, STDOUT_FILENO)
        return LineOutput(descriptor: own)
    }

    /// Writes one line, its newline included.
    public func write(_ line: [UInt8]) { isWriting.withLock { _ in Self.writeAll(line, to: descriptor) } }

    /// Writes everything, or as much as the reader took before it went away.
    public static func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}
