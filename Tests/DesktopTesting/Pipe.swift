// How Xvfb says that it is ready: it writes its number into a pipe.

import Dispatch
import Glibc
import Synchronization

/// A pipe of which one line is read.
final class Pipe: Sendable {
    let reading: Int32
    let writing: Int32
    private let isWritingOpen = Mutex(true)

    init() throws {
        var ends: [Int32] = [0, 0]
        // Closed on exec from the first moment on, as `pipe2` would, which Glibc's module does not have.
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw DesktopFault("no pipe: \(String(cString: strerror(errno)))")
        }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        closeWriting()
        Glibc.close(reading)
    }

    /// Without this the reader never sees the end.
    func closeWriting() {
        isWritingOpen.withLock { isOpen in
            if isOpen { Glibc.close(writing) }
            isOpen = false
        }
    }

    /// The first line, without its end.
    ///
    /// - Throws: ``DesktopFault`` when the other end closes before a whole line, or after ``patience``.
    func line() async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "pipe").async {
                continuation.resume(with: Result { try self.blockingLine() })
            }
        }
    }

    private func blockingLine() throws -> String {
        var text = ""
        while true {
            var waiting = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, Int32(patience.components.seconds) * 1000) > 0 else { break }
            var byte: UInt8 = 0
            guard read(reading, &byte, 1) == 1 else { break }
            if byte == UInt8(ascii: "\n") { return text }
            text.unicodeScalars.append(Unicode.Scalar(byte))
        }
        throw DesktopFault("the pipe ended after '\(text)'")
    }
}
