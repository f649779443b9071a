// Text from prompts, programs and errors on a terminal: nothing in it may move the cursor, set the
// clipboard, or turn the line around.

/// What a terminal may be shown.
public enum Terminal {
    /// The text with everything made visible that a terminal would act on: control characters, DEL, C1,
    /// bidirectional overrides and isolates, line and paragraph separators.
    public static func visible(_ text: String) -> String {
        if text.unicodeScalars.allSatisfy({ !isHostile($0) }) { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            if isHostile(scalar) { shown += name(scalar) } else { shown.unicodeScalars.append(scalar) }
        }
        return shown
    }

    private static func isHostile(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }

    private static func name(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        case "\u{1B}": "\\e"
        default: "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
        }
    }
}
