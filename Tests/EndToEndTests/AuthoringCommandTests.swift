// belfry plugin new, validate, test and run, as an author types them.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import PythonTesting
import Testing

@Suite("An author's commands")
struct AuthoringCommandTests {
    @Test("make a plugin that is tried, added and run; no hub is started before it is added")
    func wholeWay() async throws {
        let sandbox = try Sandbox()
        let made = try await sandbox.belfry("plugin", "new", "greeter", "--lang", "python")
        #expect(made.status == 0 && made.output.contains("belfry plugin test greeter"), "\(made)")
        let valid = try await sandbox.belfry("plugin", "validate", "greeter")
        #expect(valid.output == "ok: greeter 0.1.0, exec/1: greeter\n")
        let tested = try await sandbox.belfry("plugin", "test", "greeter", "--junit", "report.xml")
        #expect(tested.status == 0, "\(tested)")
        #expect(tested.output.contains("ok      greeter: completes (Plain)"))
        let script =
            "import sys, xml.dom.minidom as m; print(len(m.parse('report.xml').getElementsByTagName('testcase')))"
        #expect(try await sandbox.run("/usr/bin/python3", ["-c", script]).output == "4\n")
        let ran = try await sandbox.belfry(
            "plugin",
            "run",
            "greeter",
            "name=Ada",
            "times=1",
            "--trace",
            "--output",
            "out"
        )
        #expect(ran.json["value"] == ["lines": 1])
        #expect(ran.errors.contains("→ {\"protocol\":\"exec/1\""))
        #expect(ran.errors.contains("← {\"type\": \"progress\", \"percent\": 100.0"))
        #expect(ran.errors.contains("100 %  greeting 1\n"))
        let file = sandbox.root + "/out/greeting.txt"
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "Hello, Ada!\n")
        #expect(sandbox.hubProcess == nil)
        try await sandbox.belfry("plugin", "add", "--yes", "greeter")
        #expect(try await sandbox.belfry("run", "--json", "greeter", "name=Bo").json["status"] == "completed")
    }

    @Test("tell every mistake, and end with 1")
    func mistakes() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            #"{"id": "A", "runner": {"protocol": "exec/2", "command": ""}}"#,
            to: "bad/plugin.json"
        )
        let ran = try await sandbox.belfry("plugin", "validate", "bad")
        #expect(ran.status == 1)
        for place in ["manifest_version", "id", "version", "runner/protocol", "runner/command"] {
            #expect(ran.output.contains("/\(place) "), "\(place): \(ran.output)")
        }
        #expect(ran.output.split(separator: "\n").count { $0.hasPrefix("  fix: ") } >= 5)
        #expect(try await sandbox.belfry("plugin", "test", "bad").status == 1)
    }

    @Test("fail when a case fails, with the reason")
    func failing() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("plugin", "new", "loud", "--lang", "sh")
        try sandbox.append("echo finished\n", to: sandbox.root + "/loud/main.sh")
        let ran = try await sandbox.belfry("plugin", "test", "loud")
        #expect(ran.status == 1)
        #expect(
            ran.output.contains("a line means nothing, the first is: finished\n        fix: Print to stderr")
        )
    }

    @Test("test and run an MCP server, frame by frame")
    func server() async throws {
        let sandbox = try Sandbox()
        let python = try await PythonTools.python(.mcp2)
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "tools", "version": "1.0.0", "kind": "feature",
            "cancel_grace_s": 30,
            "runner": [
                "protocol": "mcp", "command": .string(python),
                "args": [.string(PythonTools.server("tools.py"))],
            ],
            "features": [
                ["id": "tools/text", "examples": [["title": "Bell", "params": ["word": "bell"]]]],
                ["id": "tools/slow"],
            ],
        ]
        try sandbox.write(manifest.text, to: "tools/plugin.json")
        let tested = try await sandbox.belfry("plugin", "test", "tools", "--junit", "report.xml")
        #expect(tested.status == 0, "\(tested)")
        #expect(tested.output.contains("ok      tools: speaks MCP 2026-07-28, agreed by server/discover"))
        #expect(tested.output.contains("ok      tools/text: completes (Bell)"))
        let ran = try await sandbox.belfry(
            "plugin",
            "run",
            "tools",
            "--feature",
            "tools/slow",
            "n=2",
            "--trace"
        )
        #expect(ran.json["value"] == ["counted": 2], "\(ran)")
        #expect(ran.errors.contains("→ {\"jsonrpc\":\"2.0\""))
        #expect(ran.errors.contains("100 %  step 2/2\n"))
        let unnamed = try await sandbox.belfry("plugin", "run", "tools")
        #expect(
            unnamed.status == 1 && unnamed.errors.contains("--feature tools/text|tools/slow"),
            "\(unnamed)"
        )
        #expect(sandbox.hubProcess == nil)
    }

    @Test("test and run an observer: with samples, or with events of the log")
    func observer() async throws {
        let sandbox = try Sandbox()
        let script = """
            #!/bin/sh
            while read -r line; do
                case $line in *'"position":'*) ;; *) continue ;; esac
                p=${line#*'"position":'}; p=${p%%,*}
                echo "::ack $p"
            done

            """
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "ears", "version": "1.0.0", "kind": "observer", "events": ["failed"],
            "runner": ["protocol": "observer/1", "command": "${plugin_dir}/main.sh"],
        ]
        try sandbox.write(script, to: "ears/main.sh", mode: 0o755)
        try sandbox.write(manifest.text, to: "ears/plugin.json")
        let tested = try await sandbox.belfry("plugin", "test", "ears", "--timeout", "20")
        for name in ["answers task.failed", "goes on after a gap", "says only lines of the protocol"] {
            #expect(tested.output.contains("ok      ears: \(name)"), "\(tested)")
        }
        let sample = try await sandbox.belfry("plugin", "run", "ears", "--trace")
        #expect(sample.output == "1  task.failed  ack\n", "\(sample)")
        #expect(sample.errors.contains("→ {\"schema\":1,\"position\":1,"))
        #expect(sample.errors.contains("← ::ack 1\n"))
        #expect(sandbox.hubProcess == nil)
        try await sandbox.belfry("run", "--", "true")
        let events = try String(contentsOfFile: sandbox.places.eventLog, encoding: .utf8)
        let ran = try await sandbox.belfry("plugin", "run", "ears", input: events)
        #expect(ran.output == "1  task.added  ack\n2  task.started  ack\n3  task.completed  ack\n", "\(ran)")
        let refused = try await sandbox.belfry("plugin", "run", "ears", "a=b")
        #expect(refused.status == 1 && refused.errors.contains("An observer has no features"))
    }

    @Test("show what a plugin says without letting it act on the terminal")
    func controlCharacters() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("plugin", "new", "loud", "--lang", "sh")
        try sandbox.append(
            #"""
            printf '\033]0;owned\007\n'
            printf 'log \033[2J' >&2
            printf '::progress 100 \033[31mred\n'

            """#,
            to: sandbox.root + "/loud/main.sh"
        )
        let hostile: (Character) -> Bool = { $0 == "\u{1B}" || $0 == "\u{7}" }
        let tested = try await sandbox.belfry("plugin", "test", "loud")
        #expect(tested.output.contains("the first is: \\e]0;owned\\u{7}"), "\(tested)")
        #expect(!(tested.output + tested.errors).contains(where: hostile))
        let ran = try await sandbox.belfry("plugin", "run", "loud", "name=Ada", "--trace")
        for line in ["← \\e]0;owned\\u{7}\n", "log \\e[2J", "100 %  \\e[31mred\n"] {
            #expect(ran.errors.contains(line), "\(ran.errors)")
        }
        #expect(!(ran.output + ran.errors).contains(where: hostile))
    }

    @Test("leave no directory behind, unless there are files in it that somebody may want")
    func leftovers() async throws {
        let sandbox = try Sandbox()
        let temporary = sandbox.root + "/tmp"
        try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
        func run(_ words: String...) async throws -> Ran {
            try await sandbox.run(
                Sandbox.programs + "/belfry",
                ["plugin"] + words,
                adding: ["TMPDIR": temporary]
            )
        }
        func left() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: temporary) }
        _ = try await run("new", "greeter")
        _ = try await run("test", "greeter")
        _ = try await run("run", "greeter")
        _ = try await run("run", "greeter", "name=Ada", "times=900")
        #expect(try left() == [])
        let waiting = """
            #!/bin/sh
            touch "$BELFRY_OUTPUT_DIR/half"
            kill -TERM $(ps -o ppid= -p "$PPID")
            sleep 60
            """
        try sandbox.write(waiting, to: "greeter/main.sh", mode: 0o755)
        #expect(try await run("test", "greeter").status == 128 + 15)
        #expect(try await run("run", "greeter", "name=Ada").status == 128 + 15)
        #expect(try left() == [])
        try sandbox.write("#!/bin/sh\ntouch half; exit 3\n", to: "greeter/main.sh", mode: 0o755)
        let failed = try await run("run", "greeter", "name=Ada")
        let directory = try #require(try left().first)
        #expect(failed.status == 1 && failed.errors.contains("what it made is in \(temporary)/\(directory)"))
        try FileManager.default.removeItem(atPath: "\(temporary)/\(directory)")
        // What its author forgot to declare is what they look for.
        try sandbox.write("#!/bin/sh\ntouch undeclared\n", to: "greeter/main.sh", mode: 0o755)
        let forgot = try await run("run", "greeter", "name=Ada")
        #expect(forgot.errors.contains("what it made is in \(temporary)/\(try left().first ?? "nothing")\n"))
        try sandbox.write(
            "#!/bin/sh\ntouch whole; echo ::artifact whole\n",
            to: "greeter/main.sh",
            mode: 0o755
        )
        let ran = try await run("run", "greeter", "name=Ada")
        let path = try #require(ran.json["artifacts"]?.array?.first?["uri"]?.string.flatMap(FileURI.path))
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test("warn of an observer that is not configured yet; that is no mistake of its author's")
    func notConfigured() async throws {
        let sandbox = try Sandbox()
        let directory = Sandbox.checkout + "/Plugins/ntfy"
        let valid = try await sandbox.belfry("plugin", "validate", directory)
        #expect(
            valid.status == 0 && valid.output.hasPrefix("warning: it is not configured\n  fix: Set topic"),
            "\(valid)"
        )
        #expect(valid.output.contains("ok: ntfy 1.0.0, observer/1\n"))
        let tested = try await sandbox.belfry("plugin", "test", directory)
        #expect(tested.status == 0 && tested.output.hasPrefix("skipped ntfy: "), "\(tested)")
        #expect(tested.output.hasSuffix("0 passed, 0 failed, 1 skipped\n"))
    }

    @Test("refuse what cannot be, with the next step")
    func refusals() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("plugin", "new", "greeter")
        let cases: [([String], String)] = [
            (["new", "greeter"], "already there"),
            (["new", "Greeter"], "cannot be a plugin's id"),
            (["new", "other", "--lang", "cobol"], "--lang is one of: sh, python"),
            (["new", "other", "--lang", "swift"], "Name a checkout of Belfry: --belfry DIR"),
            (["new", "other", "--belfry", "."], "--belfry goes with --lang swift"),
            (["new", "other", "--from-command", "x {a:colour}"], "'colour' is no kind"),
            (
                ["new", "other", "--from-command", "cat {file} | wc"],
                "means something to a shell, and there is none"
            ),
            (["new", "other", "--lang", "sh", "--from-command", "x"], "exclude each other"),
            (["validate", "nowhere"], "There is no directory nowhere"),
            (["run", "greeter"], "name"),
            (["run", "greeter", "name"], "is no key=value"),
            (["run", "greeter", "name=A", "times=900"], "times"),
            (["run", "greeter", "name=A", "--feature", "x"], "Name one of: greeter"),
        ]
        for (words, message) in cases {
            let ran = try await sandbox.run(Sandbox.programs + "/belfry", ["plugin"] + words)
            #expect(ran.status != 0, "\(words)")
            #expect(ran.errors.contains(message), "\(words): \(ran.errors)")
        }
    }
}
