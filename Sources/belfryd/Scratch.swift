// A directory for what a plugin makes while its author tries it. It goes also when a signal ends the trial; only what
// the plugin writes in the moment between that and its own end may stay.

import BelfryCore
import FoundationEssentials
import Glibc
import UnixSignals

/// A new directory below the system's for temporary files.
struct Scratch: Sendable {
    let path: String

    /// - Throws: ``BelfryError`` `not_writable`.
    init() throws {
        let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        // The six letters are mkdtemp's to replace.
        var template = Array("\(base)/belfry-plugin-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw BelfryError(
                .notWritable,
                "No directory can be made in \(base): \(String(cString: strerror(errno))).",
                fix: "Set TMPDIR to a directory that you may write to."
            )
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Whether there is a file in it, however deep.
    var hasFiles: Bool {
        (try? FileManager.default.subpathsOfDirectory(atPath: path))?.contains { name in
            var info = stat()
            return lstat("\(path)/\(name)", &info) == 0 && info.st_mode & S_IFMT != S_IFDIR
        } ?? false
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var present = sigaction()
        sigaction(number, nil, &present)
        return unsafeBitCast(present.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Ends this process, and with it what runs of the plugin.
    private static func end(by number: Int32) {
        signal(number, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        // The threads that tasks run on hold signals back.
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(number)
    }

    /// Does something, and removes the directory when a signal ends the process meanwhile.
    func whileItLasts<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Under nohup the trial outlives its terminal.
            let hangup: [UnixSignal] = Self.isIgnored(SIGHUP) ? [] : [.sighup]
            let signals = await UnixSignalsSequence(trapping: [.sigint, .sigterm] + hangup)
            group.addTask {
                for await signal in signals {
                    remove()
                    Self.end(by: signal.rawValue)
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }
}
