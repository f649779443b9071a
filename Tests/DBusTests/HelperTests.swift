// What tests start beside themselves must not outlive them: a leftover holds its starter's output open, and
// whoever reads that waits for ever.

import BusTesting
import FoundationEssentials
import Glibc
import Testing

@Suite("Programs beside a test", .timeLimit(.minutes(1)))
struct HelperTests {
    @Test("they end with the test's process, also when it is killed, and hold none of its output open")
    func killed() async throws {
        // That both outputs come to an end is half of the test.
        let result = await #expect(
            processExitsWith: .signal(SIGKILL),
            observing: [\.standardOutputContent, \.standardErrorContent]
        ) {
            let bus = try await PrivateBus()
            let program = try await ServingProgram(["sh", "-c", "echo ready; exec sleep 1000"], on: bus)
            let daemon = try #require(bus.processID)
            let line = "pids \(daemon) \(program.processID) \(bus.directory)\n"
            _ = write(1, line, line.utf8.count)
            kill(getpid(), SIGKILL)
        }
        let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
        let line = try #require(output.split(separator: "\n").first { $0.hasPrefix("pids ") })
        // The killed process could not tidy up.
        if let directory = line.split(separator: " ").last {
            try FileManager.default.removeItem(atPath: String(directory))
        }
        let pids = line.split(separator: " ").compactMap { pid_t($0) }
        #expect(pids.count == 2)
        // The signal is sent while the killed process ends, so hardly anything is to be waited for.
        for pid in pids { while isRunning(pid) { await Task.yield() } }
    }

    @Test("one that ends before it is ready is an error with what it said")
    func failed() async throws {
        let bus = try await PrivateBus()
        let error = await #expect(throws: BusTestingFailure.self) {
            _ = try await ServingProgram(["sh", "-c", "echo no such luck >&2; exit 3"], on: bus)
        }
        #expect(error?.description.contains("no such luck") == true)
    }

    /// A process that nobody has waited for yet is a zombie, and does not run.
    private func isRunning(_ pid: pid_t) -> Bool {
        guard let file = fopen("/proc/\(pid)/stat", "re") else { return false }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 500)
        guard fgets(&line, 500, file) != nil else { return false }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return !text.contains(") Z ")
    }
}
