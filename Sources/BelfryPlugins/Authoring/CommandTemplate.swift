// A command line with holes, such as `convert {image} -resize {percent:integer=50}% {output.png}`, made into a
// plugin: the holes are its parameters.

import BelfryCore

/// A command line whose `{…}` are parameters.
///
/// `{name}` is text, `{name:integer}`, `{name:number}` and `{name:boolean}` are checked as that, and
/// `{name:file}` is a path to a file that is there; a name such as `image`, `video` or `input` is a file
/// by itself. `{name=value}` gives a default. `{output}` or `{output.png}` is the file that comes out;
/// without one, what the command prints does. Words are split as a shell splits them, but nothing is expanded, and
/// what only a shell would understand is refused.
public struct CommandTemplate: Sendable {
    enum Part: Sendable, Hashable {
        case text(String)
        case parameter(String)
        case output
    }

    struct Parameter: Sendable, Hashable {
        var name: String
        var schema: JSONObject
        var isRequired: Bool { schema["default"] == nil }
    }

    let source: String
    private(set) var words: [[Part]] = []
    private(set) var parameters: [Parameter] = []
    /// The name of the file that comes out; nil for what is printed.
    private(set) var output: String?

    /// - Throws: ``BelfryError`` `invalid_request` that quotes what is wrong.
    public init(_ source: String) throws {
        self.source = source
        try Self.refuseShell(source)
        for word in try ShellWords.split(source) { words.append(try parts(of: word)) }
        guard let program = words.first else { throw Self.error("There is no command in '\(source)'.") }
        guard program.count == 1, case .text = program[0] else {
            throw Self.error("The program itself cannot be a parameter: '\(source)'.")
        }
    }

    /// The program's name or path.
    var program: String {
        if case .text(let name) = words.first?.first { name } else { "" }
    }

    private static func error(_ message: String) -> BelfryError {
        BelfryError(
            .invalidRequest,
            message,
            fix: "Write it like: 'convert {image} -resize {percent:integer=50}% {output.png}'"
        )
    }

    // MARK: Holes

    private mutating func parts(of word: String) throws -> [Part] {
        var parts: [Part] = []
        var rest = word[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw Self.error("A '{' does not end in '\(word)'.")
            }
            if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
            parts.append(try hole(String(rest[rest.index(after: open)..<close])))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty || parts.isEmpty { parts.append(.text(String(rest))) }
        return parts
    }

    private mutating func hole(_ text: String) throws -> Part {
        if text == "output" || text.hasPrefix("output.") {
            guard output == nil || output == text, !text.contains("/") else {
                throw Self.error("'{\(text)}' is a second output; a command makes one file.")
            }
            output = text
            return .output
        }
        let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let head = halves[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(head[0])
        guard Self.isName(name) else {
            throw Self.error("'{\(text)}' is no parameter: a name is letters, digits and '_'.")
        }
        let kind = head.count > 1 ? String(head[1]) : Self.fileNames.contains(name) ? "file" : "text"
        let standard = halves.count > 1 ? String(halves[1]) : nil
        try note(Parameter(name: name, schema: Self.schema(kind, standard, in: text)), isRepeat: text == name)
        return .parameter(name)
    }

    private mutating func note(_ parameter: Parameter, isRepeat: Bool) throws {
        guard let known = parameters.first(where: { $0.name == parameter.name }) else {
            return parameters.append(parameter)
        }
        guard !isRepeat, known != parameter else { return }
        throw Self.error("'\(parameter.name)' is there twice, and not the same.")
    }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, (0x61...0x7A).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
        }
    }

    /// Names that stand for a file by themselves.
    private static let fileNames: Set<String> = [
        "audio", "file", "image", "input", "mask", "picture", "source", "target", "video",
    ]

    private static func schema(_ kind: String, _ standard: String?, in hole: String) throws -> JSONObject {
        var schema: JSONObject
        switch kind {
        case "text": schema = ["type": "string"]
        case "file": schema = ["type": "string", "format": "file"]
        case "integer", "number", "boolean": schema = ["type": .string(kind)]
        default:
            throw error("'{\(hole)}': '\(kind)' is no kind; there are text, file, integer, number, boolean.")
        }
        guard let standard else { return schema }
        let value = kind == "text" || kind == "file" ? .string(standard) : try? JSONValue(parsing: standard)
        guard let value, try JSONSchema(.object(schema)).check(value).isEmpty else {
            throw error("'{\(hole)}': the default '\(standard)' is no \(kind).")
        }
        schema["default"] = value
        return schema
    }
}

extension PluginScaffold {
    /// A feature that runs a command.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` for what is no plugin's id.
    public init(id: String, command: CommandTemplate) throws {
        try Self.check(id)
        var properties = JSONObject()
        for parameter in command.parameters { properties[parameter.name] = .object(parameter.schema) }
        let params: JSONValue = [
            "type": "object",
            "required": .array(command.parameters.filter(\.isRequired).map { .string($0.name) }),
            "additionalProperties": false, "properties": .object(properties),
        ]
        let executables = command.program.contains("/") ? [] : [command.program]
        let file = Self.manifest(
            id,
            title: "Runs \(command.program)",
            program: "main.sh",
            requires: executables,
            params: params,
            example: command.example.map { .object($0.params) }
        )
        self.init(
            id: id,
            files: [
                file, File(path: "main.sh", text: command.script, isExecutable: true), Self.readme(id),
            ] + (command.example?.files ?? [])
        )
        notes = [
            "There is no shell in it: pipes, *, $NAME and the like are not interpreted; for those: sh -c '…'"
        ]
        if command.example == nil {
            notes.append(
                "Put a file beside it and name it in \"examples\" in plugin.json, so that it can be tested."
            )
        }
    }
}

extension CommandTemplate {
    /// The command as a shell script. What it prints goes to the log, unless that is what comes out.
    var script: String {
        let line = words.map { $0.map(quoted).joined() }.joined(separator: " ")
        let comment = source.split(whereSeparator: \.isNewline).joined(separator: " ")
        return """
            #!/bin/sh
            # \(comment)
            set -eu
            \(line) \(output == nil ? "> output.txt" : ">&2")
            echo "::artifact \(output ?? "output.txt")"

            """
    }

    private func quoted(_ part: Part) -> String {
        switch part {
        case .text(let text):
            let isPlain = text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || "-_./,:=+@%".utf8.contains(byte)
            }
            return isPlain && !text.isEmpty ? text : "'\(text.replacing("'", with: "'\\''"))'"
        case .parameter(let name): return "\"$BELFRY_PARAM_\(name.uppercased())\""
        case .output: return "'\((output ?? "").replacing("'", with: "'\\''"))'"
        }
    }
}
