// Reconnecting: epochs, pauses, and who is told what. Time is injected: sleeping is where a test acts.

import BusTesting
import DBus
import Synchronization
import Testing

@Suite("Reconnecting", .timeLimit(.minutes(1)))
struct ReconnectorTests {
    @Test("each time the bus comes back, the body runs with a new connection and the next epoch")
    func epochs() async throws {
        let bus = try await PrivateBus()
        let (epochs, names) = (Inbox<Int>(), Inbox<String>())
        let reconnector = DBusReconnector({ bus.address }, sleep: { _ in try await bus.restart() })
        await runUntilCancelled { stop in
            await reconnector.run { connection, epoch in
                epochs.put(epoch)
                names.put(connection.uniqueName)
                if epoch == 3 { return stop.open() }
                bus.kill()
                // Ends with the connection, since its task is cancelled.
                await Gate().wait()
            }
        }
        #expect(epochs.all == [1, 2, 3])
        #expect(names.all.count == 3)
    }

    @Test("pauses double from 0.1 s to 30 s, half of each by chance; each failed try is told")
    func pauses() async throws {
        let (pauses, failures) = (Inbox<Duration>(), Inbox<Int>())
        let random = Mutex(0.0)
        await runUntilCancelled { stop in
            let reconnector = DBusReconnector(
                { nil },
                sleep: { pause in
                    pauses.put(pause)
                    guard pauses.all.count == 12 else { return }
                    stop.open()
                    await Gate().wait()
                    try Task.checkCancellation()
                },
                random: { random.withLock { $0 } }
            )
            await reconnector.run(
                whenDown: { error, count in
                    #expect(error.name == DBusError.noServer)
                    failures.put(count)
                    if count == 11 { random.withLock { $0 = 1 } }
                },
                { _, _ in }
            )
        }
        let halves = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15, 30, 30]
        #expect(Array(pauses.all.prefix(12)) == halves.map { .seconds($0) })
        #expect(Array(failures.all.prefix(12)) == Array(1...12))
    }

    @Test("a body that fails has its connection closed and counts as a failed try; a loss does not")
    func failingBody() async throws {
        let bus = try await PrivateBus()
        let told = Inbox<DBusError>()
        let lost = Mutex(false)
        let reconnector = DBusReconnector({ bus.address }, sleep: { _ in try await bus.restart() })
        await runUntilCancelled { stop in
            await reconnector.run(whenDown: { error, _ in told.put(error) }) { connection, epoch in
                switch epoch {
                case 1: throw DBusError(name: DBusError.accessDenied, message: "Not for you.")
                case 2:
                    bus.kill()
                    await connection.untilClosed()
                    lost.withLock { $0 = true }
                    _ = try await connection.owner(of: "a.b")
                default: stop.open()
                }
            }
        }
        #expect(told.all.map(\.name) == [DBusError.accessDenied])
        #expect(lost.withLock { $0 })
    }

    @Test("cancelling ends the body and closes the connection")
    func cancellation() async throws {
        let bus = try await PrivateBus()
        let held = Mutex<DBusConnection?>(nil)
        await runUntilCancelled { stop in
            await DBusReconnector({ bus.address }).run { connection, _ in
                held.withLock { $0 = connection }
                stop.open()
                await Gate().wait()
            }
        }
        let connection = try #require(held.withLock { $0 })
        await connection.untilClosed()
        #expect(!connection.isOpen)
    }

    /// Runs `body` and cancels it when it opens the gate it gets.
    private func runUntilCancelled(_ body: @escaping @Sendable (Gate) async -> Void) async {
        let stop = Gate()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await body(stop) }
            await stop.wait()
            group.cancelAll()
        }
    }
}
