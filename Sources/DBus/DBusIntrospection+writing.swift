// Introspection data as XML: https://dbus.freedesktop.org/doc/dbus-specification.html#introspection-format

extension DBusIntrospection {
    /// The document that `Introspect` answers.
    public var xml: String {
        var lines = [
            #"<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN""#,
            #"  "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">"#, "<node>",
        ]
        for interface in interfaces { lines += Self.lines(interface) }
        for child in children { lines.append("  <node\(Self.attribute("name", child))/>") }
        return (lines + ["</node>", ""]).joined(separator: "\n")
    }

    private static func lines(_ interface: Interface) -> [String] {
        var lines = ["  <interface\(attribute("name", interface.name))>"]
        for method in interface.methods {
            let arguments =
                method.in.map { line($0, direction: "in") } + method.out.map { line($0, direction: "out") }
            lines += element("method", method.name, arguments)
        }
        for signal in interface.signals {
            lines += element("signal", signal.name, signal.arguments.map { line($0, direction: nil) })
        }
        for property in interface.properties {
            let type = attribute("type", property.signature)
            let access = attribute("access", property.access.rawValue)
            lines.append("    <property\(attribute("name", property.name))\(type)\(access)/>")
        }
        return lines + ["  </interface>"]
    }

    private static func element(_ kind: String, _ name: String, _ content: [String]) -> [String] {
        let start = "    <\(kind)\(attribute("name", name))"
        return content.isEmpty ? [start + "/>"] : [start + ">"] + content + ["    </\(kind)>"]
    }

    private static func line(_ argument: DBusArgument, direction: String?) -> String {
        let name = argument.name.isEmpty ? "" : attribute("name", argument.name)
        let direction = direction.map { attribute("direction", $0) } ?? ""
        return "      <arg\(name)\(attribute("type", argument.signature))\(direction)/>"
    }

    private static func attribute(_ name: String, _ value: String) -> String {
        var escaped = ""
        for character in value.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return " \(name)=\"\(escaped)\""
    }
}
