// What a long-running process must not lose: descriptors, memory, sleep. In processes of their own, since
// other tests open and close at the same time.

import BusTesting
import Glibc
import Testing

@testable import DBus

@Suite("Resources", .timeLimit(.minutes(1)))
struct ResourceTests {
    @Test("200 connections leave no descriptor behind")
    func descriptors() async {
        await #expect(processExitsWith: .success) {
            let bus = try await PrivateBus()
            try await DBusConnection.open(bus.address).close()
            let before = openDescriptors()
            for number in 0..<200 {
                let connection = try await DBusConnection.open(bus.address)
                _ = try await connection.owner(of: "a.b")
                // Each second one is only let go.
                if number % 2 == 0 { await connection.close() }
            }
            bus.kill()
            // Dispatch closes a little later; a leak would be hundreds.
            let after = openDescriptors()
            #expect(after - before < 50, "\(before) before, \(after) after")
        }
    }

    @Test("100,000 calls, cancelled ones and signals leave no memory behind")
    func memory() async {
        await #expect(processExitsWith: .success) {
            let pair = try await Pair()
            try pair.serve([.echo("s")])
            let signals = try await pair.client.signals(DBusSignalRule(member: "Tick"), limit: 16)
            func load(_ count: Int) async throws {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<16 {
                        group.addTask {
                            for number in 0..<count / 16 {
                                if number % 4 == 0 { try pair.server.emit(.example("Tick")) }
                                let timeout = number % 8 == 0 ? Duration.zero : .seconds(50)
                                _ = try? await pair.call(
                                    "Echo",
                                    [.string("a text that is not small")],
                                    timeout: timeout
                                )
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            try await load(20_000)
            let before = residentBytes()
            try await load(80_000)
            let growth = residentBytes() - before
            #expect(growth < 8 << 20, "grew by \(growth) bytes")
            #expect(signals.dropped > 1000)
        }
    }

    @Test("when nothing is in flight no timer runs")
    func idle() async throws {
        let pair = try await Pair()
        try pair.serve([.echo("s")])
        _ = try await pair.call("Echo", [.string("x")])
        let deadline = await withCheckedContinuation { continuation in
            try? pair.client.link.submit(.run { continuation.resume(returning: $0.timer?.deadline) })
        }
        #expect(deadline == nil)
    }
}

private func openDescriptors() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
}

private func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "re") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 200)
    guard fgets(&line, 200, file) != nil else { return 0 }
    let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
        separator: " "
    )
    return (Int(words[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
}
