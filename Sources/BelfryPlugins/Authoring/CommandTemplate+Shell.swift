// What a command has that only a shell would understand. There is none: the words go to the program as they are, so a
// pipe would be one more argument, and whoever wrote it would find out from a strange result.

import BelfryCore

extension CommandTemplate {
    /// - Throws: ``BelfryError`` `invalid_request` that names the sign.
    static func refuseShell(_ source: String) throws {
        guard let sign = shellSign(in: source) else { return }
        throw BelfryError(
            .invalidRequest,
            "'\(sign)' in '\(source)' means something to a shell, and there is none.",
            fix: "Quote it to hand it on as it is; or give the line to a shell, and the parameters after it: "
                + "sh -c 'tac \"$1\" | head > \"$2\"' sh {file} {output.txt}"
        )
    }

    /// The first sign that a shell would not take as it is, outside of the holes.
    private static func shellSign(in source: String) -> Character? {
        var sign: Character?
        var isHole = false
        ShellWords.read(source) { character, part in
            guard case .text(let quote) = part, sign == nil else { return }
            if isHole {
                isHole = character != "}"
            } else if character == "{" {
                isHole = true
            } else if (quote == nil ? "|&;<>*$`" : quote == "\"" ? "$`" : "").contains(character) {
                sign = character
            }
        }
        return sign
    }
}
