// An observer's process as a sink: what it is handed, what its answers mean, and how it fails. The programs are
// real, and so is belfry-launch; only time is the test's.

import BelfryCore
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import BelfryPlugins

@Suite("An observer", .timeLimit(.minutes(1)))
struct ObserverSinkTests {
    private let directory: TestDirectory

    init() throws {
        signal(SIGPIPE, SIG_IGN)
        directory = try TestDirectory()
    }

    /// Answers each event as `answer` says, which finds its position in `$p`.
    private func loop(_ answer: String) -> String {
        """
        while read -r line; do
            p=${line#*'"position":'}; p=${p%%,*}
            echo "$p" >> heard
            \(answer)
        done
        """
    }

    /// Runs a shell script as an observer while `body` delivers to it.
    private func observe(
        _ script: String,
        manifest more: JSONObject = [:],
        settings: JSONObject = [:],
        environment: [String: String] = [:],
        clocks: Clocks = Clocks(),
        _ body: @escaping @Sendable (ObserverPluginSink) async throws -> Void
    ) async throws {
        try directory.write("#!/bin/sh\n" + script, to: "probe/main.sh", mode: 0o755)
        var manifest: JSONObject = [
            "manifest_version": 1, "id": "probe", "version": "1.0.0", "kind": "observer",
            "runner": [
                "protocol": "observer/1", "command": "${plugin_dir}/main.sh", "pass_env": ["SECRET"],
            ],
        ]
        for (key, value) in more { manifest[key] = value }
        try directory.write(JSONValue.object(manifest).text, to: "probe/plugin.json")
        let configured = try PluginManifest.load(directory: directory.path + "/probe").configured(
            by: settings,
            in: "config.toml"
        )
        let plugin = try InstalledPlugin(
            binding: configured.manifest,
            directory: directory.path + "/probe",
            searchPath: "/usr/bin:/bin",
            settings: configured.settings
        )
        let sink = ObserverPluginSink(
            plugin: plugin,
            launcher: Attempts.launcher,
            environment: environment.merging(["PATH": "/usr/bin:/bin"]) { own, _ in own },
            directory: directory.path,
            clocks: clocks
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await sink.serve() }
            do { try await body(sink) } catch {
                group.cancelAll()
                throw error
            }
            await sink.close()
            group.cancelAll()
        }
    }

    private func batch(_ positions: ClosedRange<Int64>) -> SinkBatch {
        SinkBatch(
            events: positions.map { position in
                let line: JSONValue = ["schema": 1, "position": .int(position), "type": "task.added"]
                return EventRecord(
                    cursor: EventCursor(epoch: "e", position: position),
                    kind: .added,
                    taskID: nil,
                    json: line.encoded
                )
            }
        )
    }

    private func lines(_ name: String) throws -> [String] {
        try String(contentsOfFile: "\(directory.path)/\(name)", encoding: .utf8).split(separator: "\n").map(
            String.init
        )
    }

    // MARK: Answers

    @Test("gets its events as lines, in order, from one process, and each ack is told")
    func acks() async throws {
        let reached = Mutex<[Int64]>([])
        try await observe("echo $$ >> pids\n" + loop("echo \"{\\\"ack\\\":$p}\""), manifest: ["window": 3]) {
            try await $0.deliver(batch(1...3)) { position in reached.withLock { $0.append(position) } }
            try await $0.deliver(batch(4...4))
        }
        #expect(try lines("heard") == ["1", "2", "3", "4"])
        #expect(try lines("pids").count == 1)
        #expect(reached.withLock { $0.last } == 3)
    }

    @Test("one ack covers many, and a shell may say it shortly")
    func oneAck() async throws {
        let reached = Mutex<[Int64]>([])
        try await observe(loop("[ $p = 5 ] && echo ::ack 5"), manifest: ["window": 5]) {
            try await $0.deliver(batch(1...5)) { position in reached.withLock { $0.append(position) } }
        }
        #expect(reached.withLock { $0 } == [5])
    }

    @Test("refuses an event: it is rejected with the reason, and what came before it is done")
    func reject() async throws {
        let reached = Mutex<[Int64]>([])
        let script = loop("[ $p = 2 ] && echo '{\"reject\":2,\"reason\":\"too odd\"}'")
        try await observe(script, manifest: ["window": 2]) { sink in
            do {
                try await sink.deliver(batch(1...2)) { position in reached.withLock { $0.append(position) } }
                Issue.record("delivered")
            } catch SinkError.rejected(let position, let reason) {
                #expect(position == 2 && reason == "too odd")
            }
        }
        #expect(reached.withLock { $0 } == [1])
    }

    @Test("asks for an event again: when, and why", arguments: ["::retry 1 7.5 it rains", ""])
    func retry(words: String) async throws {
        let line = words.isEmpty ? "{\"retry\":1,\"reason\":\"it rains\",\"after_s\":7.5}" : words
        try await observe(loop("echo '\(line)'")) { sink in
            do {
                try await sink.deliver(batch(1...1))
                Issue.record("delivered")
            } catch SinkError.unavailable(let reason, let after) {
                #expect(reason == "it rains" && after == .milliseconds(7500))
            }
        }
    }

    @Test("with more in its hands than it refused, it begins anew, so that no answer counts for another copy")
    func beginsAnew() async throws {
        let script =
            "echo $$ >> pids\n"
            + loop("[ -e again ] && echo ::ack $p || { [ $p = 2 ] && touch again && echo ::retry 2 0 wait; }")
        try await observe(script, manifest: ["window": 3]) { sink in
            await #expect(throws: SinkError.self) { try await sink.deliver(batch(1...3)) }
            try await sink.deliver(batch(2...3))
        }
        #expect(try lines("heard").suffix(2) == ["2", "3"])
        #expect(try Set(lines("pids")).count == 2)
    }

    @Test("an answer to what it was not given moves nothing")
    func strayAck() async throws {
        let reached = Mutex<[Int64]>([])
        try await observe(loop("echo ::ack 99; echo nonsense; echo ::ack $p")) {
            try await $0.deliver(batch(3...3)) { position in reached.withLock { $0.append(position) } }
        }
        #expect(reached.withLock { $0 } == [3])
    }

    @Test("a gap is a line that wants no answer")
    func gap() async throws {
        try await observe("read -r line; echo \"$line\" > gap\n" + loop("echo ::ack $p")) { sink in
            var batch = batch(5...5)
            batch.gap = EventGap(epoch: "e", from: 1, to: 4, reason: .pruned)
            try await sink.deliver(batch)
        }
        #expect(try JSONValue(parsing: lines("gap")[0])["to"] == 4)
        #expect(try lines("heard") == ["5"])
    }

    // MARK: Failing

    /// What became of handing events over, in words.
    private func outcome(_ sink: ObserverPluginSink, _ positions: ClosedRange<Int64>) async -> String {
        do { try await sink.deliver(batch(positions)) } catch {
            return switch error {
            case SinkError.unavailable(let reason, let after): "again in \(after?.seconds ?? 0) s: \(reason)"
            case SinkError.poisonous(let position, let reason): "poison \(position): \(reason)"
            case SinkError.broken(let reason, let acquitted): "broken, without \(acquitted ?? 0): \(reason)"
            default: "\(error)"
            }
        }
        return "delivered"
    }

    @Test("crashes: the reason says how and with which event; it waits, and starts again")
    func crashes() async throws {
        let lease = ManualLease()
        let script = loop("[ $p = 4 ] && echo ::ack 4 || { echo 'no such model' >&2; exit 3; }")
        try await observe(script, clocks: Clocks(lease: lease)) { sink in
            let reason = "it ended with status 3 while it had event 3: no such model"
            // Before its time nothing is started.
            for _ in 0..<2 {
                #expect(await outcome(sink, 3...3) == "again in 1.0 s: \(reason)")
                #expect(sink.condition == .backoff(reason))
            }
            lease.advance(by: .seconds(1))
            try await sink.deliver(batch(4...4))
        }
        #expect(try lines("heard") == ["3", "4"])
    }

    @Test("crashes whatever it is given: what was taken for poison is acquitted, and it is itself set aside")
    func quarantine() async throws {
        let lease = ManualLease()
        let manifest: JSONObject = ["restart": ["max": 2, "window_s": 60]]
        try await observe(loop("exit 3"), manifest: manifest, clocks: Clocks(lease: lease)) { sink in
            _ = await outcome(sink, 3...3)
            lease.advance(by: .seconds(1))
            let poison = "poison 3: it crashed each time: it ended with status 3 while it had event 3"
            #expect(await outcome(sink, 3...3) == poison)
            lease.advance(by: .seconds(1))
            _ = await outcome(sink, 4...4)
            lease.advance(by: .seconds(1))
            let reason =
                "it ended with status 3 while it had event 4. "
                + "It is not started again until: belfry plugin enable probe"
            for _ in 0..<2 {
                #expect(await outcome(sink, 4...4) == "broken, without 3: \(reason)")
                #expect(sink.condition == .quarantined(reason))
                lease.advance(by: .seconds(3600))
            }
        }
        #expect(try lines("heard") == ["3", "3", "4", "4"])
    }

    @Test("crashes with several in its hands: one at a time tells which of them it was")
    func whichOfMany() async throws {
        let lease = ManualLease()
        // The first run answers nothing.
        let script =
            "echo run >> runs\n" + loop("[ $p = 3 ] && exit 1; [ $(wc -l < runs) = 1 ] || echo ::ack $p")
        try await observe(script, manifest: ["window": 5], clocks: Clocks(lease: lease)) { sink in
            #expect(await outcome(sink, 1...5).hasPrefix("again in 1.0 s"))
            lease.advance(by: .seconds(1))
            #expect(await outcome(sink, 1...5).hasPrefix("again in 2.0 s"))
            lease.advance(by: .seconds(2))
            #expect(await outcome(sink, 3...5).hasPrefix("poison 3"))
        }
        #expect(try lines("heard") == ["1", "2", "3", "1", "2", "3", "3"])
    }

    @Test("crashes seldom: it is started again each time")
    func crashesSeldom() async throws {
        let lease = ManualLease()
        let clocks = Clocks(lease: lease)
        try await observe(loop("exit 1"), manifest: ["restart": ["max": 2, "window_s": 60]], clocks: clocks) {
            for _ in 0..<3 {
                _ = try? await $0.deliver(batch(1...1))
                lease.advance(by: .seconds(61))
            }
        }
        #expect(try lines("heard") == ["1", "1", "1"])
    }

    @Test("answers nothing: it is taken for hung and its whole tree is killed")
    func hangs() async throws {
        let pulse = Pulse()
        let script = """
            trap '' TERM
            setsid sleep 1000 & echo $! > child
            echo Loading…; echo ::status here
            sleep 1000
            """
        try await observe(
            script,
            manifest: ["cancel_grace_s": 0.1],
            clocks: pulse.clocks(answerTimeout: .seconds(60))
        ) { sink in
            async let delivery: Void = sink.deliver(batch(1...1))
            while sink.remark != "here" { await Task.yield() }
            pulse.beat(2)
            do {
                try await delivery
                Issue.record("delivered")
            } catch SinkError.unavailable(let reason, _) {
                #expect(reason.hasPrefix("it answered nothing for 60 s"), "\(reason)")
                #expect(reason.contains("Loading…"), "\(reason)")
                #expect(sink.condition == .backoff(reason))
            }
        }
        let child = try #require(pid_t(lines("child")[0]))
        #expect(kill(child, 0) == -1)
    }

    @Test("a word about itself is a sign of life and is shown")
    func status() async throws {
        let pulse = Pulse()
        let script = loop("echo '::status warming up'; touch warm; read -r go < go; echo ::ack $p")
        mkfifo(directory.path + "/go", 0o600)
        try await observe(script, clocks: pulse.clocks(answerTimeout: .seconds(60))) { [directory] sink in
            async let delivery: Void = sink.deliver(batch(1...1))
            while sink.remark != "warming up" { await Task.yield() }
            #expect(sink.condition == .busy)
            try "go\n".write(toFile: directory.path + "/go", atomically: false, encoding: .utf8)
            try await delivery
            #expect(sink.condition == .ready)
        }
    }

    @Test("a program that cannot be started is a crash with its reason")
    func cannotStart() async throws {
        try await observe("exit 0") { sink in
            do { try await sink.deliver(batch(1...1)) } catch SinkError.unavailable(let reason, _) {
                #expect(reason.hasPrefix("it ended with status 0 while it had event 1"), "\(reason)")
            }
        }
    }

    // MARK: Surroundings

    @Test("sees what the user set for it and the variables that it asks for, and no others")
    func surroundings() async throws {
        let script = "env > seen\n" + loop("echo ::ack $p")
        try await observe(
            script,
            settings: ["url": "http://here", "retries": 3, "events": ["failed"]],
            environment: ["SECRET": "s3", "OTHER": "no", "LANG": "C"]
        ) { sink in try await sink.deliver(batch(1...1)) }
        let seen = Set(try lines("seen"))
        #expect(seen.isSuperset(of: ["SECRET=s3", "LANG=C", "BELFRY_SETTING_URL=http://here"]))
        #expect(seen.contains("BELFRY_SETTING_RETRIES=3"))
        #expect(seen.contains("BELFRY_SETTINGS={\"url\":\"http://here\",\"retries\":3}"))
        #expect(!seen.contains { $0.hasPrefix("OTHER=") })
    }

    @Test("the end of its input is its end; the sink waits for it")
    func endOfInput() async throws {
        try await observe(loop("echo ::ack $p") + "\necho over > over") { sink in
            try await sink.deliver(batch(1...1))
        }
        #expect(try lines("over") == ["over"])
    }
}

/// A lease clock whose hands the test turns.
private final class ManualLease: LeaseClock {
    let bootID = "boot"
    private let time = Mutex(Duration.zero)
    var now: Duration { time.withLock { $0 } }
    func advance(by step: Duration) { time.withLock { $0 += step } }
}

/// Ends the waits for answers when the test says so; other waits are real.
private final class Pulse: Sendable {
    private let beats: AsyncStream<Void>
    private let next: AsyncStream<Void>.Continuation

    init() { (beats, next) = AsyncStream.makeStream() }

    func beat(_ count: Int) { for _ in 0..<count { next.yield() } }

    func clocks(answerTimeout: Duration) -> Clocks {
        var clocks = Clocks()
        clocks.sleep = { [beats] time in
            guard time == answerTimeout else { return try await ContinuousClock().sleep(for: time) }
            for await _ in beats { return }
            throw CancellationError()
        }
        return clocks
    }
}
