// Docs/Metrics.md is held against the code: what it lists is what there is.

import BelfryCore
import BelfryMetrics
import FoundationEssentials
import Testing

@testable import BelfryService

@Suite("Docs/Metrics.md")
struct MetricsDocsTests {
    private let text: String

    init() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        text = try String(contentsOfFile: "\(root)/Docs/Metrics.md", encoding: .utf8)
    }

    /// The rows of the table whose first column is called `name`, each cell without its backticks.
    private func rows(of name: String) throws -> [[String]] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("| \(name) |") }, "no table '\(name)'")
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false).map { cell in
                let words = cell.filter { $0 != "`" }.drop { $0 == " " }
                return String(words.reversed().drop { $0 == " " }.reversed())
            }
        }
    }

    private func list(_ cell: String) -> [String] {
        cell.isEmpty ? [] : cell.split(separator: ", ").map(String.init)
    }

    @Test("lists every metric with its type, unit, labels and meaning, and no other")
    func metrics() throws {
        let rows = try rows(of: "metric")
        #expect(rows.map { $0[0] } == MetricDefinition.all.map(\.name))
        for (row, metric) in zip(rows, MetricDefinition.all) {
            #expect(row[1] == metric.kind.rawValue, "\(metric.name)")
            #expect((row[2] == "seconds") == metric.name.contains("_seconds"), "\(metric.name)")
            #expect(list(row[3]) == metric.labels, "\(metric.name)")
            #expect(row[4] == metric.help, "\(metric.name)")
        }
    }

    @Test("lists the values of labels whose values are known")
    func labels() throws {
        let rows = try rows(of: "label")
        #expect(rows.map { $0[0] } == ["type", "outcome", "status", "condition"])
        #expect(list(rows[0][1]) == TaskEvent.Kind.allCases.map(\.rawValue))
        #expect(list(rows[1][1]) == ServiceMetrics.AttemptEnd.allCases.map(\.rawValue))
        #expect(list(rows[2][1]) == TaskStatus.allCases.map(\.rawValue))
        #expect(list(rows[3][1]) == SinkStatus.Condition.allCases.map(\.rawValue))
        #expect(text.contains("the first \(ServiceMetrics.featureLimit) have series"))
    }

    @Test("lists the bounds of every histogram")
    func bounds() throws {
        var listed: [String: [Double]] = [:]
        for row in try rows(of: "histogram") {
            for name in list(row[0]) { listed[name] = list(row[1]).compactMap(Double.init) }
        }
        var expected: [String: [Double]] = [:]
        for metric in MetricDefinition.all where metric.kind == .histogram {
            expected[metric.name] = metric.bounds ?? MetricsRegistry.Bounds.seconds
        }
        #expect(listed == expected)
    }

    @Test("what the code makes is what the list says: names, types and labels")
    func page() async throws {
        let registry = MetricsRegistry()
        let instruments = Instruments(metrics: ServiceMetrics(factory: registry))
        try await Harness.run(
            features: [ClosureFeature("echo")],
            sinks: [RecordingSink("file")],
            instruments: instruments
        ) { hub in
            let task = try await hub.add("echo")
            try await hub.event(.completed, of: task.id)
            let parts = HubGauges.Parts(
                store: hub.store,
                bus: hub.bus,
                worker: hub.worker,
                sinks: hub.sinks,
                clocks: hub.clocks
            )
            await HubGauges(parts, factory: registry).refresh()
        }
        let page = registry.page().split(separator: "\n")
        let types = page.filter { $0.hasPrefix("# TYPE ") && !$0.hasSuffix(" summary") }.map(String.init)
        #expect(
            types.sorted() == MetricDefinition.all.map { "# TYPE \($0.name) \($0.kind.rawValue)" }.sorted()
        )
        for metric in MetricDefinition.all {
            let name = metric.kind == .histogram ? metric.name + "_count" : metric.name
            let line = try #require(page.first { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") })
            let labels = line.contains("{") ? line.split(separator: "{")[1].split(separator: "}")[0] : ""
            let names = labels.split(separator: ",").map { String($0.split(separator: "=")[0]) }
            #expect(names == metric.labels.sorted(), "\(metric.name)")
        }
    }
}
