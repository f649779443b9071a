// Keeps a program on the bus: buses end, sessions begin later than programs do.

/// Connects again and again, with growing pauses, one epoch a connection.
public struct DBusReconnector: Sendable {
    private static let shortest = 0.1
    private static let longest = 30.0
    /// A connection that lived this long begins again with the shortest pause.
    private static let settled = Duration.seconds(10)

    private let address: @Sendable () -> DBusAddress?
    private let sleep: @Sendable (Duration) async throws -> Void
    private let random: @Sendable () -> Double

    /// - Parameters:
    ///   - address: asked before each try; nil: there is no bus now.
    ///   - sleep: waits; throws when the task is cancelled. Defaults to `Task.sleep`.
    ///   - random: from 0 up to 1, to spread the pauses. Defaults to the system's.
    public init(
        _ address: @escaping @Sendable () -> DBusAddress?,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.address = address
        self.sleep = sleep
        self.random = random
    }

    /// Runs `body` with each connection until that is lost. Returns when the task is cancelled, and only then.
    ///
    /// When the connection is lost, the body's task is cancelled and its end awaited. A body that returns
    /// earlier leaves the connection as it is until it is lost; one that throws has it closed, which counts
    /// as a failed try unless the error is the loss. Pauses are 0.1 s, doubled up to 30 s, and of each a
    /// random part between half and all.
    /// - Parameters:
    ///   - whenDown: told of each failed try: its error and how many there were in a row, from 1.
    ///   - body: gets the connection and its epoch, counted from 1.
    public func run(
        whenDown: @Sendable (DBusError, Int) async -> Void = { _, _ in },
        _ body: @escaping @Sendable (DBusConnection, Int) async throws -> Void
    ) async {
        var epoch = 0
        var failures = 0
        var pauses = 0
        while !Task.isCancelled {
            var started: ContinuousClock.Instant?
            do {
                let connection = try await connect()
                started = .now
                epoch += 1
                failures = 0
                try await hold(connection, epoch, body)
            } catch {
                if Task.isCancelled { return }
                let error = Self.named(error)
                if started == nil || !error.isDisconnect {
                    failures += 1
                    await whenDown(error, failures)
                }
            }
            if let started, .now - started >= Self.settled { pauses = 0 }
            guard (try? await sleep(pause(pauses))) != nil else { return }
            pauses += 1
        }
    }

    private func connect() async throws -> DBusConnection {
        guard let address = address() else {
            throw DBusError(name: DBusError.noServer, message: "There is no bus now.")
        }
        return try await DBusConnection.open(address)
    }

    /// Returns when the connection is lost.
    private func hold(
        _ connection: DBusConnection,
        _ epoch: Int,
        _ body: @escaping @Sendable (DBusConnection, Int) async throws -> Void
    ) async throws {
        let failure = await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask {
                do { try await body(connection, epoch) } catch {
                    // What a body says after the loss of its connection is only that.
                    if connection.isOpen { return error }
                }
                await connection.untilClosed()
                return nil
            }
            group.addTask {
                await connection.untilClosed()
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        await connection.close()
        if let failure { throw failure }
    }

    /// - Parameter count: pauses before this one.
    private func pause(_ count: Int) -> Duration {
        let full = min(Self.longest, Self.shortest * Double(1 << min(count, 16)))
        return .seconds(full * (0.5 + 0.5 * random()))
    }

    private static func named(_ error: any Error) -> DBusError {
        error as? DBusError ?? DBusError(name: DBusError.failed, message: "\(error)")
    }
}
