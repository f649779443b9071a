// Where buses are, without the autolaunching that libdbus would do by itself.

import Glibc

/// Where a bus is.
public enum DBusAddress: Sendable, Hashable {
    /// The user's bus: `$DBUS_SESSION_BUS_ADDRESS`, else `$XDG_RUNTIME_DIR/bus` when that exists. Never
    /// starts one.
    case session
    /// The machine's bus: `$DBUS_SYSTEM_BUS_ADDRESS`, else `/run/dbus/system_bus_socket`.
    case system
    /// An address as in the D-Bus specification, such as `unix:path=/run/user/1000/bus`. Several, with
    /// semicolons between them, are tried in order.
    case at(String)
}

extension DBusAddress {
    /// The address as text.
    ///
    /// - Throws: ``DBusError`` with the name ``DBusError/noServer`` when nothing says where the bus is.
    func resolved() throws -> String {
        switch self {
        case .at(let address): return address
        case .system:
            return Self.variable("DBUS_SYSTEM_BUS_ADDRESS") ?? "unix:path=/run/dbus/system_bus_socket"
        case .session:
            if let address = Self.variable("DBUS_SESSION_BUS_ADDRESS") { return address }
            if let directory = Self.variable("XDG_RUNTIME_DIR"), access(directory + "/bus", F_OK) == 0 {
                return "unix:path=" + Self.escaped(directory + "/bus")
            }
            throw DBusError(
                name: DBusError.noServer,
                message: "There is no session bus: DBUS_SESSION_BUS_ADDRESS is not set and there is no "
                    + "socket $XDG_RUNTIME_DIR/bus."
            )
        }
    }

    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// Bytes that an address cannot hold as they are become `%` and two hexadecimal digits.
    static func escaped(_ path: String) -> String {
        var escaped = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "\\"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16)
                escaped += byte < 16 ? "%0" + digits : "%" + digits
            }
        }
        return escaped
    }
}
