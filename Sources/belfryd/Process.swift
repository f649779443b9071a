// What the process is to the system: its signals and mask, its word to who started it, and
// plain reading and writing of descriptors.

import Glibc
import Synchronization

enum Process {
    /// A closed pipe or a file that hit its limit is an error to handle, not a death; what the hub
    /// makes is the user's alone.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        umask(0o077)
    }
}

/// Tells who started the hub that it answers, or why it does not. Says one word only.
final class ReadyWord: Sendable {
    private let descriptor: Mutex<Int32?>

    init(descriptor: Int32?) {
        if let descriptor { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        self.descriptor = Mutex(descriptor)
    }

    func say(_ word: String) {
        let open = descriptor.withLock { descriptor in
            defer { descriptor = nil }
            return descriptor
        }
        guard let open else { return }
        FileHandleText.writeAll(Array(word.utf8), to: open)
        close(open)
    }
}

enum FileHandleText {
    static func standardError(_ text: String) { writeAll(Array((text + "\n").utf8), to: 2) }

    static func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    static func readAll(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}

/// Bytes that come in parts, from any task.
final class Collector: Sendable {
    private let parts = Mutex<[UInt8]>([])

    func append(_ bytes: [UInt8]) { parts.withLock { $0 += bytes } }
    var bytes: [UInt8] { parts.withLock { $0 } }
}
