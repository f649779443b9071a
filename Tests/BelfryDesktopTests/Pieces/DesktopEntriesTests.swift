// Programs by their desktop id, in data directories of the test's own.

import Glibc
import Testing

@testable import BelfryDesktop

@Suite("Desktop entries")
struct DesktopEntriesTests {
    private let folder = TemporaryFolder()

    private func entries(_ more: [String: String] = [:]) -> DesktopEntries {
        let places = [
            "XDG_DATA_HOME": "\(folder.path)/home", "XDG_DATA_DIRS": "\(folder.path)/one:\(folder.path)/two",
        ]
        return DesktopEntries(environment: places.merging(more) { $1 })
    }

    @discardableResult
    private func install(_ name: String, in data: String = "one", _ keys: String = "Name=Paint") -> String {
        folder.write(
            "[Desktop Entry]\nType=Application\n\(keys)\n".utf8,
            to: "\(data)/applications/\(name).desktop"
        )
    }

    @Test("a program's keys are read, from its own group only")
    func keys() throws {
        let path = install(
            "org.example.Paint",
            """
            # A comment
            Name = Paint\\sand\\\\more
            Icon=paint
            DBusActivatable=true

            [Desktop Action new]
            Name=New picture
            Icon=new
            """
        )
        let entry = try #require(entries().entry("org.example.Paint"))
        let expected = DesktopEntry(
            id: "org.example.Paint",
            path: path,
            name: "Paint and\\more",
            icon: "paint",
            isDBusActivatable: true
        )
        #expect(entry == expected)
        #expect(entries().entry("org.example.Paint.desktop") == expected)
    }

    @Test("what is not said is not there")
    func defaults() throws {
        install("plain", "Name=Plain\nIcon=")
        let entry = try #require(entries().entry("plain"))
        #expect(entry.icon == nil && !entry.isDBusActivatable)
    }

    @Test(
        "the name is in the language of messages",
        arguments: [
            (["LANG": "de_AT.UTF-8"], "Malen (AT)"), (["LANG": "de_DE.UTF-8"], "Malen"),
            (["LANG": "sr_RS@latin"], "Slikanje"), (["LANG": "sr_RS.UTF-8"], "Сликање"),
            (["LANG": "fr_FR.UTF-8"], "Paint"), (["LANG": "C.UTF-8"], "Paint"), ([:], "Paint"),
            (["LANG": "fr_FR", "LC_MESSAGES": "de_DE"], "Malen"),
            (["LC_MESSAGES": "de_DE", "LC_ALL": "C", "LANG": "de_DE"], "Paint"),
            (["LC_ALL": "", "LANG": "de"], "Malen"),
        ]
    )
    func languages(_ environment: [String: String], _ name: String) {
        let names = "Name[de]=Malen\nName[de_AT]=Malen (AT)\nName[sr]=Сликање\nName[sr@latin]=Slikanje"
        install("paint", "\(names)\nName=Paint")
        #expect(entries(environment).entry("paint")?.name == name)
    }

    @Test("the person's own files come first, and a hidden one hides the others")
    func order() {
        install("a", in: "two", "Name=Two")
        #expect(entries().entry("a")?.name == "Two")
        install("a", in: "one", "Name=One")
        #expect(entries().entry("a")?.name == "One")
        install("a", in: "home", "Name=Home\nHidden=true")
        #expect(entries().entry("a") == nil)
    }

    @Test("dashes may be folders")
    func folders() throws {
        let path = install("kde/games/chess-3d")
        #expect(entries().entry("kde-games-chess-3d")?.path == path)
        #expect(entries().entry("kde-games-chess") == nil)
        let flat = install("kde-games-chess-3d")
        #expect(entries().entry("kde-games-chess-3d")?.path == flat)
    }

    @Test(
        "an id that could lead elsewhere is none",
        arguments: [
            "", ".desktop", "../secret", "a/b", "/etc/passwd", "..", "a..b", "a\0b", "a-..-secret", ".hidden",
            "a\nb", String(repeating: "a", count: 256),
        ]
    )
    func badIDs(_ id: String) {
        install("secret")
        folder.write("[Desktop Entry]\nType=Application\nName=No\n".utf8, to: "one/secret.desktop")
        #expect(!DesktopEntries.isValid(id) || id == ".desktop")
        #expect(entries().entry(id) == nil)
    }

    @Test("an id with very many dashes takes few looks")
    func manyDashes() {
        for depth in 1...20 {
            install((0..<depth).map { _ in "a" }.joined(separator: "/"))
        }
        let id = (0..<100).map { _ in "a" }.joined(separator: "-")
        #expect(entries().entry(id) == nil)
    }

    @Test(
        "a file that describes no program is none",
        arguments: [
            "", "[Desktop Entry]\nType=Link\nName=A page\nURL=https://example.org\n",
            "[Desktop Entry]\nName=No type\n", "[Desktop Entry]\nType=Application\n",
            "Type=Application\nName=A\n",
            "[Other]\nType=Application\nName=A\n",
        ]
    )
    func others(_ text: String) {
        folder.write(text.utf8, to: "one/applications/a.desktop")
        #expect(entries().entry("a") == nil)
    }

    @Test("17. broken UTF-8 is repaired, and line ends of another system are line ends")
    func repaired() {
        let bytes =
            Array("\u{FEFF}[Desktop Entry]\r\nType=Application\r\nName=Pa".utf8) + [0xFF]
            + Array("nt\r\n".utf8)
        folder.write(bytes, to: "one/applications/a.desktop")
        #expect(entries().entry("a")?.name == "Pa\u{FFFD}nt")
    }

    @Test("a pipe, a folder and a huge file are passed over")
    func notRegular() {
        install("other")
        mkfifo(folder.place("one/applications/pipe.desktop"), 0o600)
        mkdir(folder.place("one/applications/folder.desktop"), 0o700)
        let head = Array("[Desktop Entry]\nType=Application\nName=Huge\n".utf8)
        folder.write(head + [UInt8](repeating: 0x23, count: 1 << 20), to: "one/applications/huge.desktop")
        for id in ["pipe", "folder", "huge"] { #expect(entries().entry(id) == nil) }
        #expect(entries().entry("other") != nil)
    }

    @Test("what was read is kept until the file is another, and what was missing is found later")
    func changes() {
        let entries = entries()
        #expect(entries.entry("a") == nil)
        let path = install("a", "Name=First")
        #expect(entries.entry("a")?.name == "First")
        // Unreadable by now, but unchanged: so it was not read again. (Root reads everything.)
        chmod(path, 0)
        #expect(entries.entry("a")?.name == "First")
        chmod(path, 0o600)
        install("a", "Name=Another")
        #expect(entries.entry("a")?.name == "Another")
        remove(path)
        #expect(entries.entry("a") == nil)
    }

    @Test("more programs than are remembered are all found")
    func bound() {
        let entries = entries()
        let ids = (0..<DesktopEntries.bound + 10).map { "p\($0)" }
        for id in ids { install(id, "Name=\(id)") }
        for id in ids + ids { #expect(entries.entry(id)?.name == id) }
    }

    @Test("without variables the system's directories are looked in, and relative ones never")
    func places() {
        #expect(DesktopEntries(environment: [:]).entry("surely-not-installed") == nil)
        install("a")
        let relative = ["HOME": "", "XDG_DATA_HOME": "one", "XDG_DATA_DIRS": "one:./one"]
        #expect(DesktopEntries(environment: relative).entry("a") == nil)
    }
}
