// The call that is measured: a progress popup as the desktop sink sends it.

import DBus

/// Keep equal to the call in DBusPeers/client.c.
func notifyCall(_ number: Int, replacing id: UInt32) -> DBusMethodCall {
    DBusMethodCall(
        destination: "org.freedesktop.Notifications",
        path: "/org/freedesktop/Notifications",
        interface: "org.freedesktop.Notifications",
        member: "Notify",
        arguments: [
            .string("belfry"), .uint32(id), .string(""), .string("Encoding video.mp4"),
            .string("Frame 1203 of 2400, about two minutes to go; 48 MiB written"),
            .strings(["open", "Open result", "cancel", "Cancel"]),
            .properties([
                ("urgency", .byte(0)), ("value", .int32(Int32(number % 101))),
                ("category", .string("transfer")),
            ]),
            .int32(-1),
        ]
    )
}
