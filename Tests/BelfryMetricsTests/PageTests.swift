// The page that Prometheus reads: its exact text, and what Prometheus' own checker says of it.

import CoreMetrics
import Testing

@testable import BelfryMetrics

@Suite("The page of metrics")
struct PageTests {
    @Test("counters, gauges and histograms are written family by family, in the order of their names")
    func text() throws {
        var configuration = MetricsRegistry.Configuration()
        configuration.help["jobs_total"] = "Jobs done."
        configuration.help["wait_seconds"] = "Waits."
        configuration.bounds["wait_seconds"] = [0.1, 5]
        let registry = MetricsRegistry(configuration)
        let wait = Timer(label: "wait", factory: registry)
        wait.recordNanoseconds(100_000_000)
        wait.recordNanoseconds(200_000_000)
        wait.recordNanoseconds(7_000_000_000)
        Counter(label: "jobs", dimensions: [("kind", "b")], factory: registry).increment()
        Meter(label: "depth", factory: registry).set(-2.5)
        Counter(label: "jobs", dimensions: [("kind", "a")], factory: registry).increment(by: 41)
        #expect(
            registry.page() == """
                # TYPE depth gauge
                depth -2.5
                # HELP jobs_total Jobs done.
                # TYPE jobs_total counter
                jobs_total{kind="a"} 41
                jobs_total{kind="b"} 1
                # HELP wait_seconds Waits.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{le="0.1"} 1
                wait_seconds_bucket{le="5"} 2
                wait_seconds_bucket{le="+Inf"} 3
                wait_seconds_sum 7.3
                wait_seconds_count 3
                # HELP wait_quantiles_seconds Waits. Quantiles since the start.
                # TYPE wait_quantiles_seconds summary
                wait_quantiles_seconds{quantile="0.5"} 0.19968
                wait_quantiles_seconds{quantile="0.9"} 6.979584
                wait_quantiles_seconds{quantile="0.99"} 6.979584
                wait_quantiles_seconds{quantile="1"} 7
                wait_quantiles_seconds_sum 7.3
                wait_quantiles_seconds_count 3

                """
        )
    }

    @Test("what would break a line is escaped, in labels and in help")
    func escapes() {
        var configuration = MetricsRegistry.Configuration()
        configuration.help["odd"] = "a \\ and \"two\"\nlines"
        let registry = MetricsRegistry(configuration)
        Meter(label: "odd", dimensions: [("name", "a\\b \"c\"\nd é")], factory: registry).set(1)
        #expect(
            registry.page() == #"""
                # HELP odd a \\ and "two"\nlines
                # TYPE odd gauge
                odd{name="a\\b \"c\"\nd é"} 1

                """#
        )
    }

    @Test(
        "names become what Prometheus allows, with unit and kind at their ends",
        arguments: [
            ("http.requests", "http_requests_total"), ("9 lives", "_9_lives_total"), ("", "__total"),
            ("ns:größe_total", "ns:gr__e_total"),
        ]
    )
    func names(_ label: String, _ name: String) {
        let registry = MetricsRegistry()
        Counter(label: label, factory: registry).increment()
        #expect(registry.page() == "# TYPE \(name) counter\n\(name) 1\n")
    }

    @Test("labels do not collide with the ones that the format writes itself")
    func reservedLabels() {
        var configuration = MetricsRegistry.Configuration()
        configuration.bounds["size"] = [1]
        let registry = MetricsRegistry(configuration)
        Recorder(
            label: "size",
            dimensions: [("le", "x"), ("quantile", "y"), ("a-b", "z")],
            factory: registry
        )
        .record(1)
        #expect(registry.page().contains(#"size_bucket{a_b="z",le_="x",quantile_="y",le="1"} 1"#))
    }

    @Test("numbers that are none, endless, huge and tiny are written as Prometheus reads them")
    func numbers() {
        let cases: [(Double, String)] = [
            (.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (0, "0"), (-0.25, "-0.25"),
            (86_400, "86400"), (1e300, "1e+300"), (0.0000005, "5e-07"),
        ]
        for (value, text) in cases { #expect(ExpositionPage.number(value) == text) }
    }

    @Test("a metric asked for as two kinds is one family on the page, and a comment tells of it")
    func conflict() {
        let registry = MetricsRegistry()
        Counter(label: "x_total", factory: registry).increment()
        Meter(label: "x_total", factory: registry).set(7)
        #expect(
            registry.page() == """
                # x_total was asked for as a gauge too and is a counter.
                # TYPE x_total counter
                x_total 1

                """
        )
    }

    @Test("promtool has nothing to say against a page with every kind of metric and odd labels")
    func promtool() async throws {
        var configuration = MetricsRegistry.Configuration()
        for name in ["done_total", "odd", "size", "wait_seconds"] {
            configuration.help[name] = "A \\ \n help"
        }
        let registry = MetricsRegistry(configuration)
        let odd = [("b", "\\ \"\n"), ("a", "é 中 🙂"), ("le", "\t")]
        Counter(label: "done", dimensions: odd, factory: registry).increment()
        FloatingPointCounter(label: "done", dimensions: [("b", "other")], factory: registry)
            .increment(by: 0.5)
        Meter(label: "odd", dimensions: odd, factory: registry).set(Double.nan)
        Recorder(label: "size", dimensions: odd, factory: registry).record(1e12)
        // Nothing recorded: its quantiles are not numbers.
        _ = Timer(label: "wait", dimensions: odd, factory: registry)
        let verdict = try await Promtool.check(registry.page())
        #expect(verdict == Promtool.Verdict(status: 0, words: ""))
        // The same checker does object to what is wrong.
        #expect(try await Promtool.check("x 1\n").words.contains("no help text"))
        #expect(try await Promtool.check(registry.page() + registry.page()).status != 0)
    }
}
