// The configuration file: what is printed is what Belfry does, and mistakes are named.

import BelfryCore
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

    @Test("every key that is printed is read: a changed value arrives")
    func keys() throws {
        let changes = [
            "log_level = \"info\"": "log_level = \"debug\"", "idle_minutes = 30": "idle_minutes = 0",
            "concurrency = 0": "concurrency = 999", "drain_seconds = 10": "drain_seconds = 11",
            "directories = []": "directories = [\"/opt/plugins\"]", "enabled = true": "enabled = false",
            "path = \"\"": "path = \"/var/log/events.jsonl\"", "rotate_mb = 64": "rotate_mb = 1",
            "rotate_days = 7": "rotate_days = 1", "keep = 8": "keep = 0",
            "compress = true": "compress = false",
            "sync = true": "sync = false", "# OPENAI_BASE_URL": "OPENAI_BASE_URL",
        ]
        let keys = Configuration.template.split(separator: "\n").filter { $0.contains(" = ") }
        #expect(keys.count == changes.count, "a key without its change here: \(keys)")
        for (old, new) in changes {
            let text = Configuration.template.replacing(old, with: new)
            #expect(text != Configuration.template, "\(old) is not printed")
            var read = Configuration()
            #expect(try read.apply(text, file: "config.toml").isEmpty)
            #expect(read != Configuration(), "\(new) changes nothing")
        }
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
}
