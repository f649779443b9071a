// Every file of the official tests is passed, or Docs/ParamsSchema.md says why not.

import BelfryCore
import Foundation
import Testing

@testable import BelfryPlugins

@Suite("The official tests of JSON Schema", .timeLimit(.minutes(2)))
struct OfficialSuiteTests {
    /// What a file of the suite comes to.
    private struct Score {
        var passed = 0
        var all = 0
        /// Values that were judged otherwise than the suite wants, by a schema that was taken.
        var wrong = 0
    }

    private func score(_ groups: [OfficialSuite.Group]) -> Score {
        var score = Score()
        for group in groups {
            score.all += group.tests.count
            guard let schema = try? JSONSchema(group.schema) else { continue }
            let passed = group.tests.count { schema.check($0.value).isEmpty == $0.isValid }
            score.passed += passed
            score.wrong += group.tests.count - passed
        }
        return score
    }

    /// The rows of the table of files: name, how much is passed, and why not the rest.
    private func rows() throws -> [[String]] {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try String(contentsOfFile: "\(root)/Docs/ParamsSchema.md", encoding: .utf8)
        let lines = text.components(separatedBy: "\n")
        let start = try #require(lines.firstIndex { $0.hasPrefix("| file |") })
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map {
                $0.replacingOccurrences(of: "`", with: "").trimmingCharacters(in: .whitespaces)
            }
        }
    }

    @Test(
        "each file is passed as far as Docs/ParamsSchema.md says; the rest is refused, or judged wrong as it tells"
    )
    func files() throws {
        let suite = try OfficialSuite()
        let rows = try rows()
        #expect(rows.map { $0[0] } == suite.files.keys.sorted())
        for row in rows {
            let score = score(try #require(suite.files[row[0]]))
            #expect(row[1] == "\(score.passed) of \(score.all)", "\(row[0])")
            #expect(row[2].isEmpty == (score.passed == score.all), "\(row[0]) wants a reason, or none")
            // Whatever else is not passed is refused, so that nobody believes in a check that is not made.
            let told = row[2].firstRange(of: #/^\d+ (is|are) judged otherwise/#).flatMap { _ in
                Int(row[2].prefix { $0.isNumber })
            }
            #expect(score.wrong == told ?? 0, "\(row[0])")
        }
    }
}
