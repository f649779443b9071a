// What Docs/Scheduling.md promises in its tables is what happens.

import BelfryCore
import Foundation
import Testing

@testable import BelfryService

@Suite("The guide to scheduling")
struct SchedulingGuideTests {
    /// The rows of the table whose first line is `header`, each cell without its backticks.
    private func rows(under header: String) throws -> [[String]] {
        let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let text = try String(contentsOfFile: "\(root)/Docs/Scheduling.md", encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == header }, "no table '\(header)'")
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false).map {
                $0.replacingOccurrences(of: "`", with: "").trimmingCharacters(in: .whitespaces)
            }
        }
    }

    @Test("its fields are those that are read, with their numbers and names")
    func fields() throws {
        let rows = try rows(under: "| field | numbers | names |")
        #expect(rows.map { $0[0] } == CronField.all.map(\.name))
        for (row, field) in zip(rows, CronField.all) {
            #expect(row[1].hasPrefix("\(field.lowest)…\(field.highest)"))
            let names = field.names.first.map { "\($0) … \(field.names[field.names.count - 1])" }
            #expect(row[2] == names ?? "")
        }
    }

    @Test("its names stand for its expressions, and there are no others")
    func names() throws {
        let rows = try rows(under: "| name | expression |")
        let names = rows.flatMap { row in row[0].components(separatedBy: ", ").map { ($0, row[1]) } }
        for (name, expression) in names {
            let named = try CronExpression(parsing: name).ticks(5, after: "2026-05-05T05:05:00Z")
            #expect(
                named == (try CronExpression(parsing: expression).ticks(5, after: "2026-05-05T05:05:00Z"))
            )
        }
        #expect(names.map(\.0).sorted() == CronExpression.names.keys.sorted())
    }

    @Test("its units are those that are read, and there are no others")
    func units() throws {
        let rows = try rows(under: "| unit | also |")
        let listed = rows.map { [$0[0]] + $0[1].components(separatedBy: ", ") }
        let known = EveryInterval.units.map { $0.names }
        #expect(Set(listed.map { Set($0.map { $0[...] }) }) == Set(known))
        for (row, unit) in zip(listed, EveryInterval.units.reversed()) {
            for name in row {
                #expect(try EveryInterval(parsing: "every 3 \(name)").seconds == 3 * unit.seconds)
            }
        }
    }

    @Test("its catch-ups are those that there are, and its bounds are kept")
    func catchUps() throws {
        let rows = try rows(under: "| catch-up | of the missed ticks |")
        #expect(rows.map { String($0[0].prefix { $0 != " " }) } == CatchUp.allCases.map(\.rawValue))
        #expect(rows[2][1].contains("up to 1,000 at once") && CatchUpPlan.bound == 1000)
        #expect(CatchUpPlan.grace == .seconds(60))
    }

    @Test("each promise names a suite that there is")
    func promises() throws {
        let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")
        for row in try rows(under: "| promise | test |") {
            #expect(FileManager.default.fileExists(atPath: "\(folder)/\(row[1]).swift"), "\(row[1])")
        }
    }

    @Test(
        "on the days when Berlin's clocks change its examples fire as it says",
        arguments: [
            ("30 2 * * *", "2026-03-28T23:00:00Z", ["01:00"]),
            ("30 2 * * *", "2026-10-24T22:00:00Z", ["00:30"]),
            ("0,20,40 2 * * *", "2026-03-28T23:00:00Z", ["01:00"]),
            ("0,20,40 2 * * *", "2026-10-24T22:00:00Z", ["00:00", "00:20", "00:40"]),
            ("0 */2 * * *", "2026-03-28T22:59:59Z", ["23:00", "01:00", "02:00", "04:00"]),
            ("0 */2 * * *", "2026-10-24T21:59:59Z", ["22:00", "00:00", "03:00"]),
            ("30 * * * *", "2026-03-29T00:00:00Z", ["00:30", "01:30", "02:30"]),
            ("30 * * * *", "2026-10-25T00:00:00Z", ["00:30", "01:30", "02:30"]),
        ]
    )
    func berlin(_ text: String, _ start: String, _ times: [String]) throws {
        let cron = try CronExpression(parsing: text)
        let ticks = try cron.ticks(times.count, after: start, in: "Europe/Berlin")
        #expect(ticks.map { $0.suffix(6).prefix(5) } == times.map { $0[...] })
        let listed = try rows(under: "| expression | on the day in March | on the day in October |")
        #expect(listed.contains { $0[0] == text })
    }
}
