// This machine's time zone by its name: what a cron expression means when nobody names a zone.

import Glibc

enum Zone {
    /// The zone's name in the IANA's database: that of `TZ`, else the one `/etc/localtime` is a link to, else
    /// that in `/etc/timezone`. Defaults to UTC.
    ///
    /// A `TZ` that is a rule, such as `EST5EDT4`, names no zone and is passed over.
    static func own(
        _ environment: [String: String],
        localtime: String = "/etc/localtime",
        timezone: String = "/etc/timezone"
    ) -> String {
        if let value = environment["TZ"]?.drop(while: { $0 == ":" }),
            let zone = name(in: String(value)), zone.contains("/") || zone == "UTC"
        {
            return zone
        }
        if let zone = target(of: localtime).flatMap(name(in:)) { return zone }
        let text = (try? FileBytes.read(timezone)).map { String(decoding: $0, as: UTF8.self) }
        return text?.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? "UTC"
    }

    /// `Europe/Berlin` of itself, and of `/usr/share/zoneinfo/posix/Europe/Berlin`; nil for other paths.
    private static func name(in text: String) -> String? {
        var parts = text.split(separator: "/")
        if text.hasPrefix("/") || text.hasPrefix(".") {
            guard let root = parts.firstIndex(of: "zoneinfo") else { return nil }
            parts = Array(parts[(root + 1)...])
        }
        if let first = parts.first, ["posix", "right"].contains(first) { parts.removeFirst() }
        return parts.isEmpty ? nil : parts.joined(separator: "/")
    }

    private static func target(of link: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(link, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
