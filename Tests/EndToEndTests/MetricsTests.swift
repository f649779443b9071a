// The page of metrics as Prometheus gets it: from a real hub, over its socket, by the guide's own script.

import BelfryAPI
import BelfryCore
import FoundationEssentials
import Testing

@Suite("Metrics", .timeLimit(.minutes(1)))
struct MetricsTests {
    @Test("a hub's page is what its tasks did, and promtool has nothing to say against it")
    func page() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        try await sandbox.belfry("run", "--", "false")
        let outcomes = "belfry_attempts_finished_total{feature=\"shell\",outcome="
        var text: String
        // The hub counts an end right after its commit; whoever waited for the event may be faster.
        repeat {
            let page = try await sandbox.run(
                "/usr/bin/curl",
                ["-sS", "-i", "--unix-socket", sandbox.places.socket, "http://hub/metrics"]
            )
            text = page.output.replacing("\r\n", with: "\n")
        } while !text.contains("\n\(outcomes)\"failed\"} 1\n")
        #expect(text.contains("\nContent-Type: text/plain; version=0.0.4; charset=utf-8\n"))
        #expect(text.contains("\n\(outcomes)\"completed\"} 1\n"))
        #expect(text.contains("\nbelfry_tasks{status=\"completed\"} 1\n"))
        #expect(text.contains("\nbelfry_attempt_duration_seconds_count{feature=\"shell\"} 2\n"))
        #expect(text.contains("\nbelfry_sink_lag_events{sink=\"file\"} "))
        let body = try #require(text.split(separator: "\n\n", maxSplits: 1).last)
        let verdict = try await sandbox.run("/usr/bin/promtool", ["check", "metrics"], input: String(body))
        #expect(verdict.status == 0, "\(verdict.output)\(verdict.errors)")
        #expect(verdict.output + verdict.errors == "")
    }

    @Test("the script of Metrics.md writes a file that promtool accepts, and takes it away without a hub")
    func script() async throws {
        let sandbox = try Sandbox()
        let guide = try String(contentsOfFile: "\(Sandbox.checkout)/Docs/Metrics.md", encoding: .utf8)
        let start = try #require(guide.ranges(of: "<!-- file: belfry-metrics -->\n```sh\n").first)
        let rest = guide[start.upperBound...]
        let end = try #require(rest.ranges(of: "\n```\n").first)
        try sandbox.write(rest[..<end.lowerBound] + "\n", to: "belfry-metrics", mode: 0o755)
        try sandbox.write("", to: "textfiles/.keep")
        let run = {
            try await sandbox.run(
                "/bin/sh",
                ["belfry-metrics", sandbox.root + "/textfiles", sandbox.places.socket]
            )
        }
        try await sandbox.belfry("run", "--", "true")
        #expect(try await run().status == 0)
        let file = sandbox.root + "/textfiles/belfry.prom"
        let page = try String(contentsOfFile: file, encoding: .utf8)
        #expect(page.contains("belfry_build_info{version=\"\(BelfryVersion.current)\"} 1\n"))
        let verdict = try await sandbox.run("/usr/bin/promtool", ["check", "metrics"], input: page)
        #expect(verdict.status == 0, "\(verdict.output)\(verdict.errors)")
        try await sandbox.belfry("stop")
        #expect(try await run().status == 1)
        let left = try FileManager.default.contentsOfDirectory(atPath: sandbox.root + "/textfiles")
        #expect(left == [".keep"])
    }
}
