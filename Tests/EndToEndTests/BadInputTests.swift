// What goes wrong for people: each a clear error that names the fix, and nothing is lost.

import BelfryAPI
import BelfryCore
import DesktopTesting
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@Suite("Bad input and faults")
struct BadInputTests {
    @Test("an unknown feature is answered with the closest name")
    func unknownFeature() async throws {
        let sandbox = try Sandbox()
        let ran = try await sandbox.belfry("run", "text-to-imag", "prompt=x")
        #expect(ran.status == 64)
        #expect(ran.errors.contains("There is no feature 'text-to-imag'; did you mean 'text-to-image'?"))
        #expect(ran.errors.contains("fix: See: belfry feature list"))
    }

    @Test("params that break the schema are refused with the parameter's name")
    func badParams() async throws {
        let sandbox = try Sandbox()
        let wide = try await sandbox.belfry("add", "text-to-image", "prompt=x", "width=999999")
        #expect(wide.status == 64)
        #expect(wide.errors.contains("'width'"), "\(wide.errors)")
        let none = try await sandbox.belfry("add", "text-to-image")
        #expect(none.status == 64)
        #expect(none.errors.contains("'prompt'"), "\(none.errors)")
        let missing = try await sandbox.belfry("add", "video", "operation=thumbnail", "input=no-such.mp4")
        #expect(missing.status == 64)
        #expect(missing.errors.contains("no-such.mp4"), "\(missing.errors)")
        #expect(try await sandbox.belfry("list", "--json").json["tasks"]?.array == [])
    }

    @Test("params over 1 MiB are refused with the size and what to do instead")
    func hugeParams() async throws {
        let sandbox = try Sandbox()
        let params = JSONValue.object(["prompt": .string(String(repeating: "x", count: 1 << 20))]).text
        let ran = try await sandbox.belfry("add", "text-to-image", "--params", "-", input: params)
        #expect(ran.status != 0)
        #expect(ran.errors.contains("at most 1048576 are accepted"), "\(ran.errors)")
        #expect(ran.errors.contains("fix: "))
    }

    @Test("a program that does not exist is refused before the task is accepted")
    func missingProgram() async throws {
        let sandbox = try Sandbox()
        let ran = try await sandbox.belfry("add", "--", "no-such-program-here")
        #expect(ran.status == 64)
        #expect(ran.errors.contains("no-such-program-here"))
        let file = try await sandbox.belfry("add", "--", "/etc/passwd")
        #expect(file.status == 64)
        #expect(file.errors.contains("'/etc/passwd' is not a program that can be run"), "\(file.errors)")
    }

    @Test("a second hub refuses and names the first's process")
    func secondHub() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let pid = try #require(sandbox.hubProcess)
        let ran = try await sandbox.run(Sandbox.programs + "/belfryd", [])
        #expect(ran.status != 0)
        #expect(ran.errors.contains("process \(pid)"), "\(ran.errors)")
        #expect(sandbox.hubProcess == pid)
        #expect(try await sandbox.belfry("run", "--", "true").status == 0)
    }

    @Test("a command that reads without a hub keeps no hub from starting")
    func answeringAtStart() async throws {
        let sandbox = try Sandbox()
        try sandbox.places.prepareRuntime()
        // The lock as `belfryd answer` has it.
        let descriptor = open(sandbox.places.runtime + "/hub.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #expect(flock(descriptor, LOCK_EX) == 0)
        try sandbox.write("1\nanswering\n", to: sandbox.places.runtime + "/hub.lock", mode: 0o600)
        let hasEnded = Mutex(false)
        async let hub = {
            let ran = try await sandbox.run(Sandbox.programs + "/belfryd", ["--stdout", "json"])
            hasEnded.withLock { $0 = true }
            return ran
        }()
        // It waits for the lock as long as it has the file open; one that does not wait has ended by now.
        try await eventually("the hub to wait for the lock") {
            let waits = Self.hasOpen(sandbox.places.runtime + "/hub.lock")
            return waits || hasEnded.withLock { $0 } ? true : nil
        }
        for _ in 0..<20 { try await sandbox.belfry("--version") }
        #expect(!hasEnded.withLock { $0 }, "the hub did not wait")
        close(descriptor)
        while !hasEnded.withLock({ $0 }), try await sandbox.belfry("status").status != 0 {}
        #expect(try await sandbox.belfry("run", "--", "true").status == 0)
        try await sandbox.belfry("stop")
        let ended = try await hub
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(ended.lines.count == 3)
    }

    /// Whether a process other than this one has the file open.
    private static func hasOpen(_ path: String) -> Bool {
        let files = FileManager.default
        let processes = (try? files.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.lazy.compactMap { pid_t($0) }.filter { $0 != getpid() }.contains { process in
            let directory = "/proc/\(process)/fd"
            let descriptors = (try? files.contentsOfDirectory(atPath: directory)) ?? []
            return descriptors.contains {
                (try? files.destinationOfSymbolicLink(atPath: "\(directory)/\($0)")) == path
            }
        }
    }

    @Test("a socket file left by a dead hub is no obstacle")
    func staleSocket() async throws {
        let sandbox = try Sandbox()
        try await sandbox.belfry("run", "--", "true")
        let pid = try #require(sandbox.hubProcess)
        kill(pid, SIGKILL)
        #expect(FileManager.default.fileExists(atPath: sandbox.places.socket))
        let ran = try await sandbox.belfry("run", "--", "echo", "back")
        #expect(ran.status == 0, "\(ran.errors)")
        #expect(ran.output == "back\n")
    }

    @Test("a socket path that is too long is said so, with a shorter way")
    func longSocketPath() async throws {
        let long = "/tmp/" + String(repeating: "x", count: 120)
        let sandbox = try Sandbox(["BELFRY_RUNTIME_DIR": long])
        let ran = try await sandbox.belfry("add", "--", "true")
        #expect(ran.status != 0)
        #expect(ran.errors.contains("too long") || ran.errors.contains("may have 107"), "\(ran.errors)")
        #expect(ran.errors.contains("BELFRY_RUNTIME_DIR"))
    }

    @Test("without XDG_RUNTIME_DIR the fallback is used")
    func noRuntimeDirectory() async throws {
        let sandbox = try Sandbox(["BELFRY_RUNTIME_DIR": nil, "XDG_RUNTIME_DIR": nil])
        let expected =
            access("/run/user/\(getuid())", F_OK) == 0
            ? "/run/user/\(getuid())/belfry" : "/tmp/belfry-\(getuid())"
        #expect(sandbox.places.runtime == expected)
    }

    @Test("a runtime directory that is somebody else's link is not followed")
    func hostileRuntimeDirectory() async throws {
        let sandbox = try Sandbox()
        try FileManager.default.createDirectory(
            atPath: sandbox.root + "/trap",
            withIntermediateDirectories: true
        )
        symlink(sandbox.root + "/trap", sandbox.places.runtime)
        let ran = try await sandbox.belfry("add", "--", "true")
        #expect(ran.status != 0)
        #expect(ran.errors.contains("is not a directory of yours"), "\(ran.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: sandbox.root + "/trap").isEmpty)
    }

    @Test("a state directory that cannot be written is named at start")
    func readOnlyState() async throws {
        // A file where the directory should be: also root cannot write below it.
        let sandbox = try Sandbox()
        try sandbox.write("", to: "state")
        let ran = try await sandbox.belfry("add", "--", "true")
        #expect(ran.status != 0)
        #expect(ran.errors.contains(sandbox.places.state), "\(ran.errors)")
        #expect(ran.errors.contains("fix: "))
    }

    @Test(
        "a state directory on a read-only disk is named at start, with the exit status for permissions",
        .enabled(if: getuid() == 0, "mounting a small disk needs root")
    )
    func readOnlyDisk() async throws {
        let sandbox = try Sandbox()
        let disk = try SmallDisk(at: sandbox.places.state, kilobytes: 1024)
        defer { disk.unmount() }
        try disk.makeReadOnly()
        for command in [["add", "--", "true"], ["list"]] {
            let ran = try await sandbox.run(Sandbox.programs + "/belfry", command)
            #expect(ran.status == 77, "\(ran.errors)")
            #expect(ran.errors.contains("\(sandbox.places.state): Read-only file system"), "\(ran.errors)")
            #expect(ran.errors.contains("fix: "))
        }
    }

    @Test("a configuration that does not parse is named with line and column; unknown keys only warn")
    func badConfiguration() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[worker]\nconcurrency = \"two\n", to: "config.toml")
        let broken = try await sandbox.belfry("add", "--", "true")
        #expect(broken.status != 0)
        #expect(broken.errors.contains("config.toml:2:"), "\(broken.errors)")
        #expect(broken.errors.split(separator: "\n").map { $0.prefix(7) } == ["belfry:", "  fix: "])
        #expect(broken.status == 69)
        try sandbox.write("[worker]\nconcurency = 1\n", to: "config.toml")
        let warned = try await sandbox.belfry("run", "--", "true")
        #expect(warned.status == 0, "\(warned.errors)")
        let warnings = try await sandbox.belfry("status", "--json").json["warnings"]?.array
        #expect(warnings?.first?.string?.contains("did you mean 'worker.concurrency'?") == true)
    }

    @Test("a configuration that is there and cannot be read is an error, not one without settings")
    func unreadableConfiguration() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("[plugins]\ndirectories = [\"/a\", 1]\n", to: "config.toml")
        let odd = try await sandbox.belfry("add", "--", "true")
        #expect(odd.errors.contains("'plugins.directories' must be a list of strings"), "\(odd.errors)")
        try Data([0xFF, 0xFE]).write(to: URL(filePath: sandbox.places.configFile))
        #expect(try await sandbox.belfry("add", "--", "true").status == 69)
        try FileManager.default.removeItem(atPath: sandbox.places.configFile)
        mkdir(sandbox.places.configFile, 0o700)
        let ran = try await sandbox.belfry("add", "--", "true")
        #expect(ran.status == 69)
        #expect(ran.errors.contains(sandbox.places.configFile), "\(ran.errors)")
        #expect(ran.errors.contains("fix: "))
    }

    @Test("words of other tools are answered with ours", arguments: ["kill", "ls", "follow", "clean"])
    func synonyms(_ word: String) async throws {
        let sandbox = try Sandbox()
        let ran = try await sandbox.belfry(word)
        #expect(ran.status == 64)
        #expect(ran.errors.contains("use: belfry "))
    }

    @Test(
        "a full disk is an error with a name; the hub lives and works when there is space again",
        .enabled(if: getuid() == 0, "mounting a small disk needs root")
    )
    func diskFull() async throws {
        let sandbox = try Sandbox()
        let disk = try SmallDisk(at: sandbox.root + "/state", kilobytes: 4096)
        defer { disk.unmount() }
        // The whole disk is smaller than what is kept free by itself.
        try sandbox.write("[worker]\ndisk_reserve_mb = 0\n", to: "config.toml")
        #expect(try await sandbox.belfry("run", "--", "true").status == 0)
        try disk.fill()
        var refused: Ran?
        // The store has some pages in hand: it takes a few submissions until it must grow.
        for _ in 0..<400 where refused == nil {
            let ran = try await sandbox.belfry(
                "add",
                "text-to-image",
                "prompt=" + String(repeating: "x", count: 3900)
            )
            if ran.status != 0 { refused = ran }
        }
        let error = try #require(refused)
        #expect(error.errors.contains("full") || error.errors.contains("space"), "\(error.errors)")
        let pid = sandbox.hubProcess
        #expect(pid != nil)
        disk.empty()
        let after = try await sandbox.belfry("run", "--", "echo", "on we go")
        #expect(after.output == "on we go\n", "\(after.errors)")
        #expect(sandbox.hubProcess == pid)
    }
}

/// A file system of a few kilobytes, to be full.
struct SmallDisk {
    let path: String
    private var filler: String { path + "/filler" }

    init(at path: String, kilobytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(kilobytes)k,mode=700") == 0 else {
            throw BelfryError(.internalError, "cannot mount: \(String(cString: strerror(errno)))")
        }
    }

    func fill() throws {
        let descriptor = open(filler, O_WRONLY | O_CREAT, 0o600)
        defer { close(descriptor) }
        for size in [65536, 4096, 512] {
            let block = [UInt8](repeating: 1, count: size)
            while write(descriptor, block, size) > 0 {}
        }
    }

    func empty() { unlink(filler) }

    func makeReadOnly() throws {
        let flags = UInt(MS_REMOUNT) | UInt(MS_RDONLY)
        guard mount("none", path, "tmpfs", flags, nil) == 0 else {
            throw BelfryError(.internalError, "cannot make \(path) read-only: errno \(errno)")
        }
    }

    func unmount() { umount2(path, Int32(MNT_DETACH)) }
}
