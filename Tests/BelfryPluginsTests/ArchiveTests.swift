// Archives as the real tar and zip make them, and as an attacker would. Python's tarfile and zipfile write the
// hostile ones, because the real programs refuse to.

import BelfryCore
import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage
import Testing

@testable import BelfryPlugins

@Suite("Plugins from archives and repositories")
struct ArchiveTests {
    private let root: TestDirectory
    private let fetch = PluginFetch(environment: [
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent",
    ])

    init() throws {
        root = try TestDirectory()
        let manifest: JSONValue = [
            "manifest_version": 1, "id": "mine", "version": "1.0.0", "kind": "feature",
            "runner": ["protocol": "exec/1", "command": "${plugin_dir}/main.sh"],
            "features": [["id": "mine"]],
        ]
        try root.write(manifest.text, to: "mine/plugin.json")
        try root.write("#!/bin/sh\n", to: "mine/main.sh", mode: 0o755)
        try root.write(String(repeating: "data ", count: 50_000), to: "mine/\(Self.longName)")
        symlink("main.sh", root.path + "/mine/alias")
    }

    private static let longName = String(repeating: "long/", count: 30) + "file.txt"

    private func run(_ program: String, _ arguments: [String], input: String = "") async throws {
        let result = try await Subprocess.run(
            .path(FilePath(program)),
            arguments: Arguments(arguments),
            workingDirectory: FilePath(root.path),
            input: .string(input),
            output: .discarded,
            error: .string(limit: 65_536)
        )
        #expect(result.terminationStatus == .exited(0), "\(program): \(result.standardError)")
    }

    @Test(
        "what tar and zip packed is there again: content, modes, links, long names",
        arguments: [
            ["/bin/tar", "-czf", "packed", "mine"], ["/bin/tar", "--format=pax", "-czf", "packed", "mine"],
            ["/bin/tar", "-cf", "packed", "-C", "mine", "."], ["/usr/bin/zip", "-qry", "packed.zip", "mine"],
        ]
    )
    func unpack(command: [String]) async throws {
        try await run(command[0], Array(command.dropFirst()))
        let archive = root.path + (command[0].hasSuffix("zip") ? "/packed.zip" : "/packed")
        let fetched = try await fetch.fetch(archive, into: root.path + "/out")
        let there = try PluginContents.read(fetched.directory, cache: nil)
        #expect(there == (try PluginContents.read(root.path + "/mine", cache: nil)))
        #expect(FileSystem.isExecutable(fetched.directory + "/main.sh"))
        #expect(fetched.origin == PluginOrigin(.archive, archive))
    }

    @Test(
        "an archive that reaches out of itself is not unpacked",
        arguments: [
            "add('../out.txt')", "add('/tmp/belfry-out.txt')", "add('a/../../out.txt')",
            "add('dev', type=tarfile.CHRTYPE)", "add('pipe', type=tarfile.FIFOTYPE)",
            "add('hard', type=tarfile.LNKTYPE, linkname='/etc/passwd')",
            "add('l', type=tarfile.SYMTYPE, linkname='/tmp'); add('l/out.txt')",
        ]
    )
    func hostileTar(entries: String) async throws {
        let script = """
            import tarfile, io
            archive = tarfile.open('bad.tar.gz', 'w:gz')
            def add(name, **fields):
                entry = tarfile.TarInfo(name)
                for key, value in fields.items(): setattr(entry, key, value)
                if 'type' not in fields: entry.size = 4
                archive.addfile(entry, io.BytesIO(b'evil'))
            \(entries)
            archive.close()
            """
        try await run("/usr/bin/python3", ["-"], input: script)
        let error = await #expect(throws: BelfryError.self) {
            _ = try await fetch.fetch(root.path + "/bad.tar.gz", into: root.path + "/deep/out")
        }
        #expect(error?.code == .invalidPlugin, "\(String(describing: error))")
        #expect(FileSystem.entry(root.path + "/deep/out.txt", following: false) == nil)
        #expect(FileSystem.entry("/tmp/belfry-out.txt", following: false) == nil)
    }

    @Test(
        "a zip that reaches out of itself, lies about its size or is damaged is not unpacked",
        arguments: [
            "a.writestr('../out.txt', b'x')", "a.writestr('/out.txt', b'x')", "lie = True", "cut = True",
        ]
    )
    func hostileZip(action: String) async throws {
        let script = """
            import zipfile
            lie = cut = False
            a = zipfile.ZipFile('bad.zip', 'w', zipfile.ZIP_DEFLATED)
            a.writestr('plugin.json', b'0' * 1000000)
            \(action)
            a.close()
            data = open('bad.zip', 'rb').read()
            if lie:
                at = data.index(b'PK\\x01\\x02') + 24
                data = data[:at] + (10).to_bytes(4, 'little') + data[at + 4:]
            if cut: data = data[:200] + data[300:]
            open('bad.zip', 'wb').write(data)
            """
        try await run("/usr/bin/python3", ["-"], input: script)
        let error = await #expect(throws: BelfryError.self) {
            _ = try await fetch.fetch(root.path + "/bad.zip", into: root.path + "/deep/out")
        }
        #expect(error?.code == .invalidPlugin)
        #expect(FileSystem.entry(root.path + "/deep/out.txt", following: false) == nil)
        #expect(FileSystem.entry("/out.txt", following: false) == nil)
    }

    @Test("a repository is cloned at its newest commit or at a tag, and the commit is recorded")
    func git() async throws {
        let identity = ["-C", "mine", "-c", "user.name=Me", "-c", "user.email=me@example.org"]
        try await run("/usr/bin/git", ["init", "-q", "mine"])
        try await run("/usr/bin/git", ["-C", "mine", "add", "."])
        try await run("/usr/bin/git", identity + ["commit", "-qm", "one"])
        try await run("/usr/bin/git", ["-C", "mine", "tag", "v1"])
        try root.write("new", to: "mine/new.txt")
        try await run("/usr/bin/git", ["-C", "mine", "add", "."])
        try await run("/usr/bin/git", identity + ["commit", "-qm", "two"])
        let address = "file://\(root.path)/mine"
        let newest = try await fetch.fetch(address, into: root.path + "/newest")
        let tagged = try await fetch.fetch(address + "#v1", into: root.path + "/tagged")
        #expect(newest.origin.commit?.count == 40)
        #expect(newest.origin.commit != tagged.origin.commit)
        #expect(FileSystem.entry(newest.directory + "/new.txt", following: false) != nil)
        #expect(FileSystem.entry(tagged.directory + "/new.txt", following: false) == nil)
        let error = await #expect(throws: BelfryError.self) {
            _ = try await fetch.fetch("file:///no/such/repository", into: root.path + "/none")
        }
        #expect(error?.message.contains("/no/such/repository") == true)
    }
}
