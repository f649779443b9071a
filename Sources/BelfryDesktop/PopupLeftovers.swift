// Which popups would stay on the screen for ever if this hub were killed: they say that work goes on. They
// are written down as they change, so that the next hub can take them away.

import Glibc

/// The progress popups on one server, in a file.
///
/// It is replaced as a whole and not synced: after a loss of power there is no server that had them either.
struct PopupLeftovers {
    /// What is remembered at most; there are few progress popups at a time.
    private static let limit: Int64 = 65_536

    /// What stands in the file.
    private struct Note: Hashable {
        var life: ServerLife
        var ids: Set<UInt32>
    }

    private let path: String?
    private var life: ServerLife?
    /// Nil: there is no file.
    private var note: Note?

    /// Reads what the last hub left.
    ///
    /// - Parameter path: nil: nothing is remembered beyond this hub.
    init(_ path: String?) {
        self.path = path
        guard let path, let file = RegularFile(path, limit: Self.limit) else { return }
        let lines = String(decoding: file.bytes(at: 0, count: Int(Self.limit)), as: UTF8.self)
            .split(separator: "\n")
        let names = lines.first?.split(separator: " ") ?? []
        guard names.count == 2 else { return }
        let life = ServerLife(bus: String(names[0]), owner: String(names[1]))
        note = Note(life: life, ids: Set(lines.dropFirst().compactMap { UInt32($0) }))
    }

    /// Goes on with the server that serves now; nil when none does, or none that keeps popups.
    ///
    /// - Returns: the popups that are on its screen from before.
    mutating func begin(_ life: ServerLife?) -> Set<UInt32> {
        self.life = life
        guard let note, note.life == life else { return [] }
        return note.ids
    }

    /// These are on the screen now.
    ///
    /// - Returns: false when it cannot be written down.
    mutating func keep(_ ids: Set<UInt32>) -> Bool {
        let new = ids.isEmpty ? nil : life.map { Note(life: $0, ids: ids) }
        guard new != note else { return true }
        note = new
        guard let path else { return true }
        guard let new else { return unlink(path) == 0 || errno == ENOENT }
        let lines = ["\(new.life.bus) \(new.life.owner)"] + new.ids.sorted().map(String.init)
        return replace(path, lines.map { $0 + "\n" }.joined())
    }

    private func replace(_ path: String, _ text: String) -> Bool {
        let new = path + ".new"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        let bytes = Array(text.utf8)
        let isWhole = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count
        let isClosed = close(descriptor) == 0
        return isWhole && isClosed && rename(new, path) == 0
    }
}
