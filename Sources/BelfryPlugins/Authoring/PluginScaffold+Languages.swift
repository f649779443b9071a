// What `belfry plugin new` writes for each language. The programs are short enough to be read whole.

import BelfryCore

extension PluginScaffold {
    private static let params: JSONValue = [
        "type": "object", "required": ["name"],
        "properties": [
            "name": ["type": "string", "minLength": 1, "description": "Who is greeted"],
            "times": ["type": "integer", "minimum": 1, "maximum": 100, "default": 3],
        ],
    ]
    private static let example: JSONValue = ["name": "Ada", "times": 2]

    static func shell(_ id: String) -> [File] {
        let program = """
            #!/bin/sh
            # Parameters are in BELFRY_PARAM_…; files go where we stand, the output directory.
            # stdout speaks to Belfry, line by line; stderr is the task's log.
            set -eu
            i=0
            while [ "$i" -lt "$BELFRY_PARAM_TIMES" ]; do
                i=$((i + 1))
                echo "Hello, $BELFRY_PARAM_NAME!" >> greeting.txt
                echo "::progress $((100 * i / BELFRY_PARAM_TIMES)) greeting $i"
            done
            echo "wrote $i lines" >&2
            echo "::artifact greeting.txt"

            """
        return [
            manifest(id, title: "Greets somebody", program: "main.sh", params: params, example: example),
            File(path: "main.sh", text: program, isExecutable: true), readme(id),
        ]
    }

    static func python(_ id: String) -> [File] {
        let program = """
            #!/usr/bin/env python3
            \"""Greets somebody. stdout speaks to Belfry, line by line; stderr is the task's log.\"""

            import json
            import sys


            def say(**line):
                print(json.dumps(line), flush=True)


            def main():
                request = json.load(sys.stdin)
                params = request["params"]
                with open(request["outputDir"] + "/greeting.txt", "w", encoding="utf-8") as file:
                    for i in range(params["times"]):
                        print(f"Hello, {params['name']}!", file=file)
                        say(type="progress", percent=100 * (i + 1) / params["times"], message=f"greeting {i + 1}")
                print("wrote", params["times"], "lines", file=sys.stderr)
                say(type="result", value={"lines": params["times"]}, artifacts=[{"path": "greeting.txt"}])


            try:
                main()
            except OSError as error:
                say(type="error", code="io_error", message=str(error), retryable=True)
                sys.exit(1)

            """
        return [
            manifest(
                id,
                title: "Greets somebody",
                program: "main.py",
                requires: ["python3"],
                params: params,
                example: example
            ),
            File(path: "main.py", text: program, isExecutable: true), readme(id),
        ]
    }

    /// - Parameter first: a command that comes before the others. Defaults to none.
    static func readme(_ id: String, first: String? = nil) -> File {
        let first = first.map { $0 + "\n" } ?? ""
        let text = """
            # \(id)

            ```sh
            \(first)belfry plugin test .          # tries its examples, and whether it can be cancelled
            belfry plugin run . --trace   # one attempt, with everything that is said
            belfry plugin add --link .    # use it from here while you write it
            belfry feature show \(id)
            ```

            """
        return File(path: "README.md", text: text)
    }
}
