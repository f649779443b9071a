// The configuration file: what is printed is what Belfry does, and mistakes are named.

import BelfryCore
import BelfryDesktop
import BelfryService
import FoundationEssentials
import Testing

@testable import belfryd

@Suite("Configuration")
struct ConfigurationTests {
    @Test("the printed file has every key, with the value that holds without it")
    func template() throws {
        var read = Configuration()
        let warnings = try read.apply(Configuration.template, file: "config.toml")
        #expect(warnings.isEmpty)
        #expect(read == Configuration())
    }

    /// Another value for every key that is printed.
    private static let changes = [
        "hub.log_level": "\"debug\"", "hub.idle_minutes": "0", "worker.concurrency": "999",
        "worker.drain_seconds": "11", "worker.fairness": "\"user\"", "worker.disk_reserve_mb": "0",
        "resources.memory": "\"24G\"", "resources.gpu": "[\"0\", \"1\"]", "resources.license": "2",
        "retention.completed_days": "1", "retention.failed_days": "0.5", "retention.cancelled_days": "1",
        "retention.tasks": "1", "retention.results_mb": "1", "retention.event_days": "0",
        "plugins.directories": "[\"/opt/plugins\"]",
        "environment.OPENAI_BASE_URL": "\"http://localhost\"", "secrets.OPENAI_API_KEY": "\"x\"",
        "sinks.file.enabled": "false",
        "sinks.file.path": "\"/var/log/events.jsonl\"", "sinks.file.rotate_mb": "1",
        "sinks.file.rotate_days": "1",
        "sinks.file.keep": "0", "sinks.file.compress": "false", "sinks.file.sync": "false",
        "sinks.desktop.enabled": "false", "sinks.desktop.progress": "false",
        "sinks.desktop.progress_after_seconds": "4", "sinks.desktop.aggregate_above": "4",
        "sinks.desktop.summary_above": "4", "sinks.desktop.private": "true", "sinks.desktop.sounds": "false",
        "sinks.desktop.pictures": "false", "sinks.desktop.quiet_hours": "[\"22:00-07:00\"]",
        "sinks.desktop.text.progress_title": "\"x\"", "sinks.desktop.text.progress_body": "\"x\"",
        "sinks.desktop.text.completed_title": "\"x\"", "sinks.desktop.text.completed_body": "\"x\"",
        "sinks.desktop.text.failed_title": "\"x\"", "sinks.desktop.text.failed_body": "\"x\"",
        "sinks.desktop.text.cancelled_title": "\"x\"", "sinks.desktop.text.cancelled_body": "\"x\"",
    ]

    @Test("every key that is printed is read: a changed value arrives")
    func keys() throws {
        var section = ""
        var seen: Set<String> = []
        var lines = Configuration.template.split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init
        )
        for (index, line) in lines.enumerated() {
            if line.hasPrefix("[") { section = String(line.dropFirst().dropLast()) }
            guard let name = line.firstMatch(of: #/^(# )?(\w+) = /#)?.output.2 else { continue }
            let key = "\(section).\(name)"
            seen.insert(key)
            let value = try #require(Self.changes[key], "a key without its change here: \(key)")
            lines[index] = "\(name) = \(value)"
            var read = Configuration()
            #expect(try read.apply(lines.joined(separator: "\n"), file: "config.toml").isEmpty)
            #expect(read != Configuration(), "\(key) changes nothing")
            lines[index] = line
        }
        #expect(seen == Set(Self.changes.keys))
    }

    @Test("resources are amounts or devices, and retention counts in days, tasks and MiB; 0 is no bound")
    func queue() throws {
        var read = Configuration()
        let text = """
            [worker]
            fairness = "batch"
            disk_reserve_mb = 3
            [resources]
            memory = "24G"
            gpu = ["0", "GPU-b"]
            license = 2
            [retention]
            completed_days = 1.5
            failed_days = 0
            tasks = 10
            results_mb = 2
            event_days = 0
            """
        #expect(try read.apply(text, file: "config.toml").isEmpty)
        #expect(read.fairness == .batch)
        #expect(read.diskReserve == 3 << 20)
        #expect(
            read.resources == [
                "memory": .amount(24 << 30), "gpu": .devices(["0", "GPU-b"]), "license": .amount(2),
            ]
        )
        #expect(read.retention.age == [.completed: .seconds(129_600)])
        #expect(read.retention.count == 10)
        #expect(read.retention.resultsSize == 2 << 20)
        #expect(read.retention.eventAge == nil)
    }

    @Test("what is set for single plugins is read as it is; a date has no JSON and is refused")
    func pluginSettings() throws {
        var read = Configuration()
        let text = """
            [plugins]
            directories = ["/opt/plugins"]
            [plugins.webhook]
            urls = ["http://a", "http://b"]
            timeout_seconds = 2.5
            quiet = true
            headers = { X-Name = "x", Number = 7 }
            """
        #expect(try read.apply(text, file: "config.toml").isEmpty)
        #expect(
            read.pluginSettings == [
                "webhook": [
                    "headers": ["Number": 7, "X-Name": "x"], "quiet": true, "timeout_seconds": 2.5,
                    "urls": ["http://a", "http://b"],
                ]
            ]
        )
        #expect(read.pluginDirectories == ["/opt/plugins"])
        let refusal = #expect(throws: BelfryError.self) {
            try read.apply("[plugins.webhook]\nsince = 2026-11-24\n", file: "config.toml")
        }
        #expect(refusal?.message.contains("'plugins.webhook.since'") == true)
        #expect(throws: BelfryError.self) { try read.apply("[plugins]\nwebhook = 3\n", file: "config.toml") }
    }

    @Test("rules for popups are read, with their conditions and their words")
    func rules() throws {
        var read = Configuration()
        let text = """
            [[sinks.desktop.rules]]
            feature = "video*"
            outcome = "completed"
            max_seconds = 10
            urgency = "none"

            [[sinks.desktop.rules]]
            user = "ada"
            urgency = "critical"
            title = "{feature} for {user}"
            colour = "red"
            """
        let warnings = try read.apply(text, file: "config.toml")
        #expect(warnings == ["config.toml: unknown key 'sinks.desktop.rules[2].colour'"])
        let rules = read.desktop.rules
        #expect(rules.count == 2)
        #expect(rules[0].occasion == .completed)
        #expect(rules[0].maxDuration == .seconds(10))
        #expect(rules[0].loudness == PopupRule.Loudness.none)
        #expect(rules[1].loudness == .shown(.critical))
        #expect(rules[1].title?.text == "{feature} for {user}")
    }

    @Test("every example in Docs/Desktop.md is read, without a warning")
    func examples() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let guide = try String(contentsOfFile: root + "/Docs/Desktop.md", encoding: .utf8)
        let blocks = guide.split(separator: "```toml\n").dropFirst().map { $0.prefix { $0 != "`" } }
        #expect(!blocks.isEmpty)
        for block in blocks {
            var read = Configuration()
            #expect(try read.apply(String(block), file: "config.toml").isEmpty)
            #expect(read != Configuration())
        }
    }

    @Test("Docs/Desktop.md lists every key of popups with its default, and no other")
    func desktopReference() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let guide = try String(contentsOfFile: root + "/Docs/Desktop.md", encoding: .utf8)
        let listed = guide.matches(of: #/\n\| `(\w+)` \| `([^`]+)` \|/#).map {
            "\($0.output.1) = \($0.output.2)"
        }
        var section = ""
        var printed: [String] = []
        for line in Configuration.template.split(separator: "\n") {
            if line.hasPrefix("[") { section = String(line) }
            guard section.hasPrefix("[sinks.desktop"), line.wholeMatch(of: #/\w+ = .*/#) != nil else {
                continue
            }
            printed.append(String(line))
        }
        #expect(listed == printed)
    }

    @Test("an unknown key is a warning with the closest known one")
    func unknown() throws {
        var read = Configuration()
        let warnings = try read.apply("[worker]\nconcurency = 2\n", file: "config.toml")
        #expect(
            warnings == ["config.toml: unknown key 'worker.concurency'; did you mean 'worker.concurrency'?"]
        )
        #expect(read == Configuration())
    }

    @Test(
        "what cannot be read is an error with its place and its fix",
        arguments: [
            ("[worker\n", "config.toml:1:"), ("[worker]\nconcurrency = \"many\"\n", "'worker.concurrency'"),
            ("[worker]\nconcurrency = -1\n", "from 0 to 1024"), ("[hub]\nlog_level = \"loud\"\n", "debug"),
            ("[sinks.file]\npath = \"here\"\n", "absolute"), ("[environment]\nA = 1\n", "'environment.A'"),
            ("[worker]\nfairness = \"kind\"\n", "none, user or batch"),
            ("[worker]\ndisk_reserve_mb = -1\n", "'worker.disk_reserve_mb'"),
            ("resources = 3\n", "'resources' must be a table"),
            ("[resources]\nGPU = 1\n", "'resources.GPU' is no name of a resource"),
            ("[resources]\nslots = 4\n", "is set by worker.concurrency"),
            ("[resources]\ngpu = []\n", "at least one device"),
            ("[resources]\ngpu = [\"0,1\"]\n", "without commas"),
            ("[resources]\ngpu = [\"0\", \"0\"]\n", "each device once"),
            ("[resources]\nmemory = \"lots\"\n", "an amount such as 2"),
            ("[resources]\nmemory = -1\n", "'resources.memory'"),
            ("[resources]\nmemory = true\n", "'resources.memory' must be"),
            ("[retention]\ntasks = \"few\"\n", "'retention.tasks'"),
            ("[retention]\nfailed_days = -1\n", "'retention.failed_days'"),
            ("[sinks.desktop]\nquiet_hours = [\"late\"]\n", "quiet_hours"),
            ("[sinks.desktop.text]\nfailed_body = \"{eror}\"\n", "{error}"),
            ("[[sinks.desktop.rules]]\nurgency = \"loud\"\n", "rules[1].urgency"),
            ("[[sinks.desktop.rules]]\noutcome = \"done\"\n", "completed"),
            ("[sinks.desktop]\nrules = 3\n", "a list of tables"),
            (
                "[[sinks.desktop.rules]]\nmin_seconds = 20\nmax_seconds = 10\n",
                "'sinks.desktop.rules[1].min_seconds' must not be more than max_seconds"
            ),
        ]
    )
    func mistakes(text: String, words: String) throws {
        let error = #expect(throws: BelfryError.self) {
            var read = Configuration()
            _ = try read.apply(text, file: "config.toml")
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(words) == true, "\(String(describing: error))")
        #expect(error?.fix != nil)
    }

    @Test(
        "what is wrong in a text is told with the file and the whole key, and ends as a sentence does",
        arguments: [
            (
                "[sinks.desktop]\nquiet_hours = [\"late\"]\n",
                "config.toml: 'sinks.desktop.quiet_hours': 'late' is no time of the day: it has no times."
            ),
            (
                "[sinks.desktop]\nquiet_hours = [\"mn 22:00-07:00\"]\n",
                "config.toml: 'sinks.desktop.quiet_hours': 'mn 22:00-07:00' is no time of the day: 'mn' is not a day; did you mean 'mon'?"
            ),
            (
                "[sinks.desktop.text]\nfailed_body = \"{eror}\"\n",
                "config.toml: 'sinks.desktop.text.failed_body': there is no {eror}; did you mean {error}?"
            ),
            (
                "[[sinks.desktop.rules]]\n[[sinks.desktop.rules]]\ntitle = \"{titel}\"\n",
                "config.toml: 'sinks.desktop.rules[2].title': there is no {titel}; did you mean {title}?"
            ),
            (
                "[[sinks.desktop.rules]]\nbody = \"{\"\n",
                "config.toml: 'sinks.desktop.rules[1].body': the { before '' is not closed."
            ),
        ]
    )
    func mistakesInTexts(text: String, message: String) throws {
        let error = #expect(throws: BelfryError.self) {
            var read = Configuration()
            _ = try read.apply(text, file: "config.toml")
        }
        #expect(error?.message == message)
        #expect(error?.fix != nil)
    }
}
