// Measures calls through the module DBus. Tests/Benchmarks/dbus runs it beside the same in C.
//
//     dbus-bench sync N           one call at a time
//     dbus-bench pipe N WINDOW    as many tasks at once as WINDOW says, each calling and waiting
//
// Prints: calls/s, median and 99th percentile of the time for an answer in µs, CPU µs a call.

import DBus
import Glibc
import Synchronization

@main
struct Bench {
    static func main() async throws {
        let words = CommandLine.arguments.dropFirst()
        switch (words.first, words.dropFirst().compactMap { Int($0) }) {
        case ("sync"?, let numbers) where numbers.count == 1: try await run(count: numbers[0], window: 1)
        case ("pipe"?, let numbers) where numbers.count == 2:
            try await run(count: numbers[0], window: numbers[1])
        default:
            print("usage: dbus-bench sync N | dbus-bench pipe N WINDOW")
            exit(2)
        }
    }

    /// Off the main actor, as everything hot is.
    @concurrent
    private static func run(count: Int, window: Int) async throws {
        let connection = try await DBusConnection.open()
        var id: UInt32 = 0
        for number in 0..<500 { id = try await notify(connection, number, replacing: id) }
        let start = microseconds()
        let cpu = cpuMicroseconds()
        let times = try await times(connection, count: count, window: window, id: id)
        let elapsed = microseconds() - start
        let used = cpuMicroseconds() - cpu
        let sorted = times.sorted()
        let figures = [
            Double(count) / elapsed * 1e6, sorted[count / 2], sorted[count * 99 / 100], used / Double(count),
        ]
        print(figures.map { "\(($0 * 100).rounded() / 100)" }.joined(separator: " "))
        await connection.close()
    }

    private static func times(_ connection: DBusConnection, count: Int, window: Int, id: UInt32) async throws
        -> [Double]
    {
        let next = Counter()
        return try await withThrowingTaskGroup(of: [Double].self) { group in
            for _ in 0..<window {
                group.addTask {
                    var times: [Double] = []
                    times.reserveCapacity(2 * count / window)
                    while case let number = next.take(), number < count {
                        let start = microseconds()
                        _ = try await notify(connection, number, replacing: id)
                        times.append(microseconds() - start)
                    }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private static func notify(_ connection: DBusConnection, _ number: Int, replacing id: UInt32) async throws
        -> UInt32
    {
        let answer = try await connection.call(notifyCall(number, replacing: id))
        guard let id = answer.first?.uint32Value else {
            throw DBusError(name: DBusError.failed, message: "The server gave no id.")
        }
        return id
    }
}

private final class Counter: Sendable {
    private let number = Atomic(0)
    func take() -> Int { number.add(1, ordering: .relaxed).oldValue }
}

private func microseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}

private func cpuMicroseconds() -> Double {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    let times = [usage.ru_utime, usage.ru_stime]
    return times.reduce(0) { $0 + Double($1.tv_sec) * 1e6 + Double($1.tv_usec) }
}
