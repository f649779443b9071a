// Opening files, pages and programs: with tools that write down how they were called, in place of the
// person's.

import BelfryCore
import BelfryDesktop
import Glibc
import Testing

@testable import belfryd

@Suite("Opening what popups offer", .timeLimit(.minutes(1)))
struct XDGOpenerTests {
    private let tools = FakeTools()

    private func opener(path: String? = nil, _ more: [String: String] = [:]) throws -> XDGOpener {
        let environment = ["PATH": path ?? tools.folder, "REPORT": tools.report, "HOME": "/home/somebody"]
        return XDGOpener(launcher: try FakeTools.launcher(), environment: environment.merging(more) { $1 })
    }

    @Test("a page is opened by xdg-open, with the token of the click")
    func page() async throws {
        try tools.install("xdg-open")
        try await opener().open("https://example.org/a?b=c&d", token: "token-1")
        let call = try tools.call()
        #expect(call["tool"] == "xdg-open" && call["arguments"] == "https://example.org/a?b=c&d")
        #expect(call["XDG_ACTIVATION_TOKEN"] == "token-1" && call["DESKTOP_STARTUP_ID"] == "token-1")
        #expect(call["HOME"] == "/home/somebody")
    }

    @Test("a program is started by gtk-launch")
    func program() async throws {
        try tools.install("gtk-launch")
        try await opener().launch("org.example.Paint", token: nil)
        let call = try tools.call()
        #expect(call["tool"] == "gtk-launch" && call["arguments"] == "org.example.Paint")
    }

    @Test("the token of an earlier click and what makes the hub a service are not passed on")
    func environment() async throws {
        try tools.install("xdg-open")
        let inherited = [
            "XDG_ACTIVATION_TOKEN": "old", "DESKTOP_STARTUP_ID": "old", "NOTIFY_SOCKET": "/run/notify",
            "DISPLAY": ":7",
        ]
        for token in [nil, "", "a\0b"] as [String?] {
            try await opener(inherited).open("http://localhost/", token: token)
            let call = try tools.call()
            #expect(call["XDG_ACTIVATION_TOKEN"] == "" && call["DESKTOP_STARTUP_ID"] == "")
            #expect(call["NOTIFY_SOCKET"] == "" && call["DISPLAY"] == ":7")
        }
    }

    @Test("what is opened is not of the hub's session, has none of its descriptors, and is not waited for")
    func detached() async throws {
        // Inheritable, as NIO's are.
        let stray = open("/dev/null", O_RDONLY)
        defer { close(stray) }
        let high = fcntl(stray, F_DUPFD, 200)
        defer { close(high) }
        // Returns at once, though the tool waits for a word that it gets afterwards.
        try tools.install("xdg-open", waitsForWord: true)
        try await opener().open("http://localhost/", token: nil)
        tools.say("go")
        let call = try tools.call()
        #expect(call["session"].flatMap { Int32($0) } != getsid(0))
        #expect(call["open"]?.split(separator: " ").contains("200") == false)
        #expect(call["directory"] == "/")
        #expect(call["umask"] == "0022")
    }

    @Test("a file is opened when it is there, whatever its name")
    func file() async throws {
        try tools.install("xdg-open")
        let path = "\(tools.folder)/a b%é.png"
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        try await opener().open(FileURI.make(path), token: nil)
        #expect(try tools.call()["arguments"] == FileURI.make(path))
    }

    @Test("a file that is gone is an error that says so")
    func missingFile() async throws {
        try tools.install("xdg-open")
        let error = await #expect(throws: BelfryError.self) {
            try await opener().open("file:///nowhere/picture%201.png", token: nil)
        }
        #expect(error?.code == .notFound)
        #expect(error?.message == "Cannot open /nowhere/picture 1.png: No such file or directory.")
    }

    @Test(
        "nothing but files and pages is opened",
        arguments: [
            "", "picture.png", "/etc/passwd", "-h", "javascript:alert(1)", "mailto:a@example.org",
            "file://elsewhere/a.png", "file:a.png", "file:///tmp/%00", "file:///tmp/%zz", "https://a b",
            "https://a\n", "ssh://host",
        ]
    )
    func otherURIs(_ uri: String) async throws {
        try tools.install("xdg-open")
        let error = await #expect(throws: BelfryError.self) { try await opener().open(uri, token: nil) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.message == "Cannot open '\(uri)': it is not the URI of a file or a page.")
    }

    @Test("what is no desktop id is not launched", arguments: ["", "--help", "a/b", "a b", "a\0b", "a\nb"])
    func badIDs(_ id: String) async throws {
        try tools.install("gtk-launch")
        let error = await #expect(throws: BelfryError.self) { try await opener().launch(id, token: nil) }
        #expect(error?.code == .invalidRequest)
    }

    @Test("a missing tool is an error that names its package")
    func missingTool() async throws {
        let opener = try opener(path: "relative:\(tools.folder):/nowhere")
        let open = await #expect(throws: BelfryError.self) {
            try await opener.open("https://example.org/", token: nil)
        }
        #expect(
            open?.description == """
                Cannot open https://example.org/: there is no xdg-open on the PATH of the hub.
                  fix: Install it: sudo apt install xdg-utils
                """
        )
        let launch = await #expect(throws: BelfryError.self) {
            try await opener.launch("org.example.Paint", token: nil)
        }
        #expect(launch?.fix == "Install it: sudo apt install libgtk-3-bin")
    }

    @Test("a tool or a launcher that cannot be started is an error that says why")
    func cannotStart() async throws {
        try tools.install("xdg-open", interpreter: "/nowhere/sh")
        let tool = await #expect(throws: BelfryError.self) {
            try await opener().open("https://example.org/", token: nil)
        }
        let program = "\(tools.folder)/xdg-open"
        let reason = "belfry-launch: cannot start \(program): its interpreter: No such file or directory"
        #expect(tool?.message == "Cannot open https://example.org/: \(reason)")
        let broken = XDGOpener(launcher: "/nowhere/belfry-launch", environment: ["PATH": tools.folder])
        let launcher = await #expect(throws: BelfryError.self) {
            try await broken.open("https://example.org/", token: nil)
        }
        #expect(launcher?.message.contains("/nowhere/belfry-launch") == true)
    }
}

/// A folder for tools that report through a named pipe how they were called.
private final class FakeTools: Sendable {
    let folder: String
    var report: String { folder + "/report" }
    private var words: String { folder + "/words" }
    /// Open for reading and writing, so that neither end ever lacks the other.
    private let pipe: Int32
    private let wordPipe: Int32

    init() {
        var template = Array("/tmp/belfry-opener-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil)
        folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        precondition(mkfifo(folder + "/report", 0o600) == 0 && mkfifo(folder + "/words", 0o600) == 0)
        pipe = open(folder + "/report", O_RDWR | O_CLOEXEC)
        wordPipe = open(folder + "/words", O_RDWR | O_CLOEXEC)
    }

    deinit {
        close(pipe)
        close(wordPipe)
        for name in ["report", "words", "xdg-open", "gtk-launch", "a b%é.png"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// The built launcher: named, above the test program, or in the checkout's debug build.
    static func launcher() throws -> String {
        var folders = [getenv("BELFRY_BIN_DIR").map { String(cString: $0) } ?? ""]
        for start in [CommandLine.arguments[0], #filePath] {
            var folder = start[...]
            while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
                folder = folder[..<slash]
                folders += [String(folder), "\(folder)/.build/debug"]
            }
        }
        let paths = folders.map { $0 + "/belfry-launch" }
        return try #require(
            paths.first { path in
                var info = stat()
                return access(path, X_OK) == 0 && stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
            }
        )
    }

    /// Makes a tool, of shell builtins only, as its `PATH` leads nowhere else.
    func install(_ name: String, interpreter: String = "/bin/sh", waitsForWord: Bool = false) throws {
        let script = """
            #!\(interpreter)
            \(waitsForWord ? "read -r word <\(words)" : ":")
            read -r pid name state parent group session rest </proc/$$/stat
            open=
            for entry in /proc/$$/fd/*; do open="$open ${entry##*/}"; done
            printf '%s\\n' "tool=${0##*/}" "arguments=$*" "session=$session" "open=$open" "directory=$PWD" "umask=$(umask)" \\
                "XDG_ACTIVATION_TOKEN=$XDG_ACTIVATION_TOKEN" "DESKTOP_STARTUP_ID=$DESKTOP_STARTUP_ID" \\
                "NOTIFY_SOCKET=$NOTIFY_SOCKET" "DISPLAY=$DISPLAY" "HOME=$HOME" end= >"$REPORT"

            """
        // Written by another process: a descriptor of ours could be in a child that another test is just
        // starting, and a program that is open for writing cannot be started.
        let command = "printf %s \"$1\" >\"$2\" && chmod 700 \"$2\""
        let arguments = ["/bin/sh", "-c", command, "sh", script, "\(folder)/\(name)"]
        let words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid = pid_t()
        var status: Int32 = -1
        try #require(posix_spawn(&pid, "/bin/sh", nil, nil, words, environ) == 0)
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        try #require(status == 0)
    }

    func say(_ word: String) { _ = (word + "\n").withCString { write(wordPipe, $0, word.utf8.count + 1) } }

    /// What the next tool that runs reports.
    func call() throws -> [String: String] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !bytes.suffix(5).elementsEqual("end=\n".utf8) {
            var watched = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
            try #require(poll(&watched, 1, 30_000) > 0, "no tool reported")
            bytes += buffer[..<max(0, read(pipe, &buffer, buffer.count))]
        }
        var call: [String: String] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            call[String(parts[0])] = String(parts[1])
        }
        return call
    }
}
