// What makes a program of features: the author names them, and `main` does the rest.

public import BelfryCore
import BelfryMCP
import Glibc

/// A plugin as a program.
///
/// ```swift
/// @main enum Main: Plugin {
///     static let id = "shout"
///     static let version = "1.0.0"
///     static let features: [any Feature] = [Shout()]
/// }
/// ```
///
/// The program serves MCP on stdin and stdout, so that it is a plugin of Belfry and a server for any other host of
/// MCP. With `--exec` it does the one task of exec/1 and ends, and with `--manifest` it prints its plugin.json.
public protocol Plugin {
    /// Lower-case letters, digits, `-`, `_` and `.`; at most 64 bytes.
    static var id: String { get }
    /// Three numbers, such as `1.0.0`.
    static var version: String { get }
    /// For people. Defaults to the id.
    static var name: String { get }
    /// A sentence for people. Defaults to none.
    static var summary: String { get }
    static var features: [any Feature] { get }
    /// What else plugin.json is to say, such as `["requires": ["executables": ["ffmpeg"]]]`; laid over what
    /// `--manifest` makes of the features; what it says of a feature goes to the one with its id, such as
    /// `["features": [["id": "shout", "examples": […]]]]`. Defaults to nothing.
    static var manifest: JSONObject { get }
}

extension Plugin {
    public static var name: String { id }
    public static var summary: String { "" }
    public static var manifest: JSONObject { [:] }

    public static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        let wire: PluginWire = words.contains("--exec") ? .exec : .mcp
        switch words.filter({ $0 != "--exec" }) {
        case []: break
        case ["--manifest"]:
            print(
                PluginManifestText(of: Self.self, wire: wire, program: CommandLine.arguments[0]).json
                    .prettyText
            )
            exit(0)
        default:
            note(usage)
            exit(words == ["--help"] ? 0 : 64)
        }
        if isatty(STDIN_FILENO) != 0 { note(usage) }
        switch wire {
        case .mcp: await MCPProgram.serve(features, name: id, version: version)
        case .exec: await ExecProgram.serve(features)
        }
    }

    private static var usage: String {
        """
        \(name) \(version), a plugin of Belfry. It speaks MCP on stdin and stdout; it is not for typing.

          --exec        serve exec/1: one task, as JSON on stdin
          --manifest    print plugin.json; with --exec, one for exec/1

        To add it:  \(CommandLine.arguments[0]) --manifest > plugin.json && belfry plugin add --link .
        """
    }

    private static func note(_ text: String) {
        LineOutput.writeAll(Array((text + "\n").utf8), to: STDERR_FILENO)
    }
}

/// How a plugin's program and the hub speak to each other.
enum PluginWire: String {
    case mcp
    case exec = "exec/1"
}
