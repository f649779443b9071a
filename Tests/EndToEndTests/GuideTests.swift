// The guide's examples are run as they stand in it.

import BelfryCore
import FoundationEssentials
import Glibc
import Testing

@Suite("Guides")
struct GuideTests {
    /// A fenced block after a marker comment: `<!-- file: PATH -->`, `<!-- run -->`, `<!-- run, fails -->`.
    private struct Block {
        var marker: String
        var text: String
    }

    private func blocks(_ guide: String) throws -> [Block] {
        let text = try String(contentsOfFile: "\(Sandbox.checkout)/Docs/\(guide)", encoding: .utf8)
        var blocks: [Block] = []
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        while let line = lines.popFirst() {
            guard line.hasPrefix("<!-- "), line.hasSuffix(" -->") else { continue }
            var body: [Substring] = []
            _ = lines.popFirst()
            while let line = lines.popFirst(), line != "```" { body.append(line) }
            let marker = String(line.dropFirst(5).dropLast(4))
            blocks.append(Block(marker: marker, text: body.joined(separator: "\n") + "\n"))
        }
        return blocks
    }

    @Test("the plugin of WritingAPlugin.md is written, added and run by what the guide says")
    func writingAPlugin() async throws {
        let sandbox = try Sandbox()
        let files = FileManager.default
        let blocks = try blocks("WritingAPlugin.md")
        #expect(blocks.map(\.marker).filter { $0.hasPrefix("run") }.count >= 2)
        var output = ""
        for block in blocks {
            if block.marker.hasPrefix("file: ") {
                let path = "\(sandbox.root)/\(block.marker.dropFirst(6))"
                try files.createDirectory(
                    atPath: String(path[..<path.lastIndex(of: "/")!]),
                    withIntermediateDirectories: true
                )
                try block.text.write(toFile: path, atomically: true, encoding: .utf8)
            } else {
                let ran = try await sandbox.run(
                    "/bin/sh",
                    ["-ec", block.text],
                    adding: ["PATH": Sandbox.programs + ":/usr/bin:/bin"]
                )
                #expect((ran.status != 0) == block.marker.contains("fails"), "\(block.text)\n\(ran.errors)")
                output += ran.output + ran.errors
            }
        }
        let path = try #require(output.split(separator: "\n").first { $0.hasSuffix("/poster.txt") })
        let poster = try String(contentsOfFile: String(path), encoding: .utf8)
        #expect(poster == String(repeating: "* * * Save the bells * * *\n", count: 3))
        #expect(output.contains("printed 3 copies"))
        #expect(output.contains("copies"), "the refused parameter is named: \(output)")
    }
}
