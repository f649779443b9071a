// The simplest client there is: what goes in here is what must come out of each server's record.

import DBus
import DesktopTesting

/// A `Notify` with no thought put into it.
struct PlainCall: Sendable {
    var appName = "Belfry"
    var replacesID: UInt32 = 0
    var icon = ""
    var summary = "A title"
    var body = "A body"
    var actions: [String] = []
    var hints: [(String, DBusValue)] = []
    var timeout: Int32 = 0

    /// The call as it goes over the bus.
    var call: DBusMethodCall {
        DBusMethodCall(
            destination: FaultyNotificationServer.name,
            path: FaultyNotificationServer.path,
            interface: FaultyNotificationServer.name,
            member: "Notify",
            arguments: [
                .string(appName), .uint32(replacesID), .string(icon), .string(summary), .string(body),
                .strings(actions), .properties(hints), .int32(timeout),
            ]
        )
    }
}

extension DBusConnection {
    /// Shows it.
    ///
    /// - Returns: the id.
    @discardableResult
    func notify(_ call: PlainCall) async throws -> UInt32 {
        try await self.call(call.call).first?.uint32Value ?? 0
    }

    /// Calls another method of the server.
    @discardableResult
    func server(_ member: String, _ arguments: [DBusValue] = []) async throws -> [DBusValue] {
        try await call(
            DBusMethodCall(
                destination: FaultyNotificationServer.name,
                path: FaultyNotificationServer.path,
                interface: FaultyNotificationServer.name,
                member: member,
                arguments: arguments
            )
        )
    }

    /// The signals of whoever owns the name.
    func serverSignals() async throws -> DBusSignals {
        try await signals(
            DBusSignalRule(sender: FaultyNotificationServer.name, interface: FaultyNotificationServer.name)
        )
    }
}

extension DBusSignals {
    /// The next signals as text; a signal that does not come is an error.
    func next(_ count: Int) async throws -> [String] {
        try await withDeadline(patience, WaitedInVain("\(count) signals", seen: "fewer")) {
            var texts: [String] = []
            for await signal in self {
                let arguments = signal.arguments.map {
                    $0.stringValue ?? $0.uint32Value.map(String.init) ?? "?"
                }
                texts.append("\(signal.member)(\(arguments.joined(separator: ", ")))")
                if texts.count == count { break }
            }
            return texts
        }
    }

    func next() async throws -> String? { try await next(1).first }
}
