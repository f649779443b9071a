// The parts that need no bus: waiting, child processes, the screen.

import DesktopTesting
import Foundation
import Glibc
import Testing

@Suite("Waiting for what servers are told", .timeLimit(.minutes(1)))
struct WaitingTests {
    @Test("a value that is there already is not waited for")
    func now() async throws {
        let watched = Watched([1, 2])
        #expect(try await watched.first("a two") { $0.first { $0 == 2 } } == 2)
    }

    @Test("every waiter goes on with the change that it waits for")
    func later() async throws {
        let watched = Watched<[Int]>([])
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<100 {
                group.addTask { try await watched.first("\(number)") { $0.first { $0 == number } } }
            }
            for number in 0..<100 { watched.update { $0.append(number) } }
            return try await group.reduce(0, +)
        }
        #expect(sum == 4950)
    }

    @Test("a wait in vain ends with what was there instead")
    func inVain() async throws {
        let watched = Watched(["a pear"])
        let error = await #expect(throws: WaitedInVain.self) {
            try await watched.first("an apple", within: .milliseconds(1)) { $0.first { $0 == "an apple" } }
        }
        #expect(error?.description == #"waited in vain for an apple; seen: ["a pear"]"#)
    }

    @Test("a cancelled waiter is let go")
    func cancelled() async throws {
        let watched = Watched(0)
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask { try await watched.first("a one") { $0 == 1 ? $0 : nil } }
                group.cancelAll()
                _ = try await group.next()
            }
        }
    }
}

@Suite("Programs beside a test", .timeLimit(.minutes(1)))
struct ChildProcessTests {
    @Test("what a program prints and how it ends are known")
    func output() async throws {
        let log = NSTemporaryDirectory() + "child-\(UUID().uuidString).log"
        defer { try? FileManager.default.removeItem(atPath: log) }
        let child = try await ChildProcess.start(
            ["/bin/sh", "-c", "echo $WHAT; exit 3"],
            environment: ["WHAT": "words"],
            log: log
        )
        #expect(try await child.untilEnded() == 3)
        #expect(child.output == "words\n")
        #expect(!child.isRunning)
    }

    @Test("a program that is not wanted any more ends, stopped or not")
    func ended() async throws {
        for stop in [false, true] {
            let child = try await ChildProcess.start(
                ["/bin/sleep", "600"],
                environment: [:],
                log: "/dev/null"
            )
            if stop { child.signal(SIGSTOP) }
            await child.end()
            #expect(!child.isRunning)
            #expect(kill(child.pid, 0) != 0)
        }
    }

    @Test("a program that ends too early is an error that has its words")
    func early() async throws {
        let log = NSTemporaryDirectory() + "child-\(UUID().uuidString).log"
        defer { try? FileManager.default.removeItem(atPath: log) }
        let child = try await ChildProcess.start(
            ["/bin/sh", "-c", "echo no screen; exit 1"],
            environment: [:],
            log: log
        )
        let error = await #expect(throws: DesktopFault.self) {
            try await child.until("a name") { try await Task.sleep(for: .seconds(600)) }
        }
        #expect(error?.description.hasSuffix("ended with 1, not a name: no screen\n") == true)
    }
}
