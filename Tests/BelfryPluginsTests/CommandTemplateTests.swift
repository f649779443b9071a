import BelfryCore
import Testing

@testable import BelfryPlugins

@Suite("A command with holes")
struct CommandTemplateTests {
    private static let lines: [(String, String)] = [
        (
            "convert {image} -resize 50% {output.png}",
            #"convert "$BELFRY_PARAM_IMAGE" -resize 50% 'output.png' >&2"#
        ),
        ("tac {file}", #"tac "$BELFRY_PARAM_FILE" > output.txt"#),
        (
            "say '{text}' --volume={volume:integer=3}",
            #"say "$BELFRY_PARAM_TEXT" --volume="$BELFRY_PARAM_VOLUME" > output.txt"#
        ),
        (#"echo "it's" a\ b '$HOME' ''"#, #"echo 'it'\''s' 'a b' '$HOME' '' > output.txt"#),
        ("cp {file} {output}", #"cp "$BELFRY_PARAM_FILE" 'output' >&2"#),
    ]

    @Test("becomes a script that quotes what it is given", arguments: lines)
    func scripts(_ command: String, _ line: String) throws {
        let script = try CommandTemplate(command).script.split(separator: "\n")
        #expect(script[3] == line)
    }

    @Test(
        "says in the script which file comes out",
        arguments: [("tac {file}", "output.txt"), ("x {output.mp4}", "output.mp4")]
    )
    func artifact(_ command: String, _ file: String) throws {
        #expect(try CommandTemplate(command).script.hasSuffix("echo \"::artifact \(file)\"\n"))
    }

    private static let kinds: [(String, JSONValue)] = [
        ("x {image}", ["type": "string", "format": "file"]),
        ("x {words}", ["type": "string"]),
        ("x {words:file}", ["type": "string", "format": "file"]),
        ("x {image:text}", ["type": "string"]),
        ("x {n:integer=50}", ["type": "integer", "default": 50]),
        ("x {n:number=0.5}", ["type": "number", "default": 0.5]),
        ("x {loud:boolean=true}", ["type": "boolean", "default": true]),
        ("x {words=a=b}", ["type": "string", "default": "a=b"]),
        ("x {words=}", ["type": "string", "default": ""]),
    ]

    @Test("tells what each parameter must be", arguments: kinds)
    func schemas(_ command: String, _ schema: JSONValue) throws {
        #expect(try CommandTemplate(command).parameters.map { .object($0.schema) } == [schema])
    }

    @Test("takes a parameter that is there twice once")
    func twice() throws {
        #expect(try CommandTemplate("x {n:integer=1} {n}").parameters.count == 1)
    }

    @Test(
        "is refused where a shell would be needed, with how to have one",
        arguments: [
            ("tac {file} | head", "'|'"), ("tac {file} > out", "'>'"), ("tac < {file}", "'<'"),
            ("ls *.txt", "'*'"),
            ("ls $HOME", "'$'"), (#"ls "$HOME""#, "'$'"), ("a && b", "'&'"), ("a; b", "';'"),
            ("a `b`", "'`'"),
        ]
    )
    func shell(_ command: String, _ sign: String) {
        let error = #expect(throws: BelfryError.self) { try CommandTemplate(command) }
        #expect(error?.message.hasPrefix(sign) == true, "\(error?.message ?? "")")
        #expect(error?.fix?.contains("sh -c") == true)
    }

    @Test(
        "takes such signs as they are where they are quoted, and in defaults",
        arguments: [
            ("x 'a|b' '*' '$HOME' \"a>b\" {file}", ["x", "a|b", "*", "$HOME", "a>b"]),
            (#"x \$HOME \* {file}"#, ["x", "$HOME", "*"]), ("x {file=a*b}", ["x"]),
        ]
    )
    func quoted(_ command: String, _ words: [String]) throws {
        let template = try CommandTemplate(command)
        #expect(template.words.dropLast() == words.map { [.text($0)] }[...])
    }

    @Test(
        "is refused with what is wrong",
        arguments: [
            ("", "There is no command"), ("{tool} a", "program itself"), ("to{o}l", "program itself"),
            ("x 'a", "quote without its end"), ("x {a", "'{' does not end"), ("x {}", "is no parameter"),
            ("x {A}", "is no parameter"), ("x {a:colour}", "is no kind"),
            ("x {n:integer=ten}", "is no integer"),
            ("x {n} {n:integer}", "not the same"), ("x {output.png} {output.jpg}", "second output"),
            ("x {output.a/b}", "second output"),
        ]
    )
    func refused(_ command: String, _ message: String) {
        let error = #expect(throws: BelfryError.self) { try CommandTemplate(command) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(error?.fix?.isEmpty == false)
    }
}
