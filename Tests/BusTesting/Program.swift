// Other people's D-Bus programs as the other side of a test: gdbus, busctl, Python.

import Dispatch
public import Glibc

/// What a program said and how it ended.
public struct ProgramResult: Sendable {
    public let output: String
    /// The exit status, or 128 and the signal that ended it.
    public let status: Int32
}

extension PrivateBus {
    /// Runs a program on this bus to its end.
    public func run(_ arguments: String...) async throws -> ProgramResult {
        let environment = ["DBUS_SESSION_BUS_ADDRESS": addressText, "LC_ALL": "C.UTF-8"]
        return try await withCheckedThrowingContinuation { continuation in
            // Reading blocks until the program ends, so not on a thread of Swift's own.
            DispatchQueue(label: "blocking").async {
                continuation.resume(with: Result { try Self.run(arguments, environment) })
            }
        }
    }

    private static func run(_ arguments: [String], _ environment: [String: String]) throws -> ProgramResult {
        let pipe = try Pipe()
        defer { close(pipe.reader) }
        let whole = BusTesting.environment(adding: environment)
        let pid = Result { try spawn(arguments, environment: whole, descriptor: pipe.writer) }
        close(pipe.writer)
        let child = try pid.get()
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = read(pipe.reader, &buffer, buffer.count), count != 0 {
            if count > 0 { bytes += buffer[..<count] } else if errno != EINTR { break }
        }
        let status = wait(for: child)
        let isExit = status & 0x7f == 0
        return ProgramResult(
            output: String(decoding: bytes, as: UTF8.self),
            status: isExit ? status >> 8 & 0xff : 128 + status & 0x7f
        )
    }
}

/// A program that serves something on a bus, killed when the last reference is gone.
public final class ServingProgram: Sendable {
    private let child: Child

    /// Starts a program and returns after its first line of output, by which it says that it is ready.
    public init(_ arguments: [String], on bus: PrivateBus) async throws {
        child = try await Child.start(
            arguments,
            log: bus.directory + "/programs",
            environment: ["DBUS_SESSION_BUS_ADDRESS": bus.addressText, "LC_ALL": "C.UTF-8"]
        )
    }

    /// The program's process.
    public var processID: pid_t { child.pid }

    deinit { child.kill() }
}
