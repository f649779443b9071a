// What a program says about itself to the desktop: the freedesktop Desktop Entry Specification 1.5, as
// far as popups need it.

/// A program as its desktop file describes it.
struct DesktopEntry: Hashable, Sendable {
    /// Without `.desktop`: `org.gimp.GIMP`.
    var id: String
    /// The desktop file.
    var path: String
    /// In the person's language where the file has it.
    var name: String
    /// The name of an icon of the theme, or the path of a picture.
    var icon: String?
    /// Whether the program is started by a call on the bus.
    var isDBusActivatable: Bool
}

extension DesktopEntry {
    /// Reads a desktop file's text.
    ///
    /// - Parameter locales: endings of localized keys, best first: `de_DE`, `de`.
    /// - Returns: nil for what is no application, has no name, or is `Hidden`, which means deleted.
    init?(id: String, path: String, text: String, locales: [String]) {
        let keys = Self.keys(text)
        func localized(_ key: String) -> String? {
            locales.lazy.compactMap { keys["\(key)[\($0)]"] }.first ?? keys[key]
        }
        guard keys["Type"] == "Application", keys["Hidden"] != "true", let name = localized("Name"),
            !name.isEmpty
        else { return nil }
        self.id = id
        self.path = path
        self.name = name
        icon = localized("Icon").flatMap { $0.isEmpty ? nil : $0 }
        isDBusActivatable = keys["DBusActivatable"] == "true"
    }

    /// The endings of localized keys for the locale of messages, best first.
    static func locales(_ environment: [String: String]) -> [String] {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        // lang_COUNTRY.ENCODING@MODIFIER
        let parts = (set ?? "").split(separator: "@", maxSplits: 1)
        let place = parts.first?.split(separator: ".").first ?? ""
        let language = place.split(separator: "_").first ?? ""
        if ["", "C", "POSIX"].contains(language) { return [] }
        let modifier = parts.count > 1 ? "@\(parts[1])" : ""
        let names = ["\(place)\(modifier)", "\(place)", "\(language)\(modifier)", "\(language)"]
        return names.enumerated().filter { !names[..<$0.offset].contains($0.element) }.map(\.element)
    }

    /// The keys of the group `Desktop Entry`.
    private static func keys(_ text: String) -> [String: String] {
        var keys: [String: String] = [:]
        var isInGroup = false
        for line in text.split(whereSeparator: \.isNewline).lazy.map(trimmed) where line.first != "#" {
            if line.first == "[" {
                if isInGroup { break }
                isInGroup = line == "[Desktop Entry]"
            } else if isInGroup, let sign = line.firstIndex(of: "=") {
                let key = String(trimmed(line[..<sign]))
                if keys[key] == nil { keys[key] = unescaped(trimmed(line[line.index(after: sign)...])) }
            }
        }
        return keys
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0.isWhitespace || $0 == "\u{FEFF}" }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    private static func unescaped(_ value: Substring) -> String {
        guard value.contains("\\") else { return String(value) }
        let meanings: [Character: Character] = ["s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"]
        var text = ""
        var rest = value
        while let character = rest.popFirst() {
            if character == "\\", let meaning = rest.first.flatMap({ meanings[$0] }) {
                rest.removeFirst()
                text.append(meaning)
            } else {
                text.append(character)
            }
        }
        return text
    }
}
