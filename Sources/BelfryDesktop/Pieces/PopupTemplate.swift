// The texts of popups belong to the person who sees them. A template names what may stand in them, and
// what is not there leaves no trace: no empty line, no " · " with nothing beside it.

import BelfryCore

/// A text with `{placeholders}`; `{{` is a brace.
///
/// What a value leaves empty goes with it:
/// - of a line whose parts stand between ` · `, each part whose placeholders are all empty;
/// - a line with placeholders in which nothing is left.
public struct PopupTemplate: Sendable, Hashable {
    /// What may stand in braces.
    public enum Name: String, CaseIterable, Sendable {
        /// The feature's id, and the task's title, number and id.
        case feature, title, number, id
        /// Who submitted the task, by which application, and its labels.
        case user, origin, labels
        /// How far the attempt is, by number, and what it says.
        case attempt, percent, left, message
        /// How it ended: how long it took, the result, or the error and its fix.
        case duration, result, error, fix
        /// What a summary counts; of a batch or a summary all tasks, those that ended, and those that failed.
        case count, total, done, failed
    }

    private enum Piece: Hashable {
        case literal(String)
        case value(Name)
    }

    /// What stands between two separators.
    private typealias Part = [Piece]

    /// As it was written.
    public let text: String
    private let lines: [[Part]]

    /// - Parameter place: where the text stands, as an error begins.
    /// - Throws: ``BelfryError`` `invalid_configuration` for a name that does not exist and an open brace.
    public init(_ text: String, place: String) throws {
        self.text = text
        lines = Self.lines(try Self.pieces(text, place))
    }

    /// The text with a value for each placeholder; an empty one where there is none.
    public func filled(_ value: (Name) -> String) -> String {
        var filled = lines.compactMap { Self.line($0, value) }
        while filled.first?.isEmpty == true { filled.removeFirst() }
        while filled.last?.isEmpty == true { filled.removeLast() }
        return filled.joined(separator: "\n")
    }

    // MARK: Filling

    private static let separator = " · "

    /// Nil when nothing is left of it.
    private static func line(_ parts: [Part], _ value: (Name) -> String) -> String? {
        var shown: [String] = []
        var hasNames = false
        for part in parts {
            let (text, isEmpty, partHasNames) = fill(part, value)
            hasNames = hasNames || partHasNames
            if !(parts.count > 1 && isEmpty) { shown.append(text) }
        }
        let line = trimmedEnd(shown.joined(separator: separator))
        return hasNames && line.allSatisfy(\.isWhitespace) ? nil : line
    }

    /// A part's text, whether it has nothing to say, and whether it has placeholders.
    private static func fill(_ part: Part, _ value: (Name) -> String) -> (String, Bool, Bool) {
        var text = ""
        var values: [String] = []
        for piece in part {
            switch piece {
            case .literal(let literal): text += literal
            case .value(let name):
                values.append(value(name))
                text += values[values.count - 1]
            }
        }
        let isBlank = text.allSatisfy(\.isWhitespace)
        let lacksValues = !values.isEmpty && values.allSatisfy { $0.allSatisfy(\.isWhitespace) }
        return (text, isBlank || lacksValues, !values.isEmpty)
    }

    private static func trimmedEnd(_ line: String) -> String {
        var line = line
        while line.last?.isWhitespace == true { line.removeLast() }
        return line
    }

    // MARK: Reading

    private static func pieces(_ text: String, _ place: String) throws(BelfryError) -> [Piece] {
        var pieces: [Piece] = []
        var literal = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            if character == "{" || character == "}", rest.first == character {
                rest.removeFirst()
                literal.append(character)
            } else if character == "{" {
                pieces += [.literal(literal), .value(try name(&rest, place))]
                literal = ""
            } else {
                literal.append(character)
            }
        }
        return pieces + [.literal(literal)]
    }

    /// Takes a name and its closing brace off `rest`.
    private static func name(_ rest: inout Substring, _ place: String) throws(BelfryError) -> Name {
        let end = rest.firstIndex { $0 == "}" || $0 == "{" || $0.isNewline }
        guard let end, rest[end] == "}" else {
            throw mistake(place, "the { before '\(rest.prefix(20))' is not closed.")
        }
        let word = String(rest[..<end].filter { !$0.isWhitespace })
        rest = rest[rest.index(after: end)...]
        if let name = Name(rawValue: word) { return name }
        let meant = NameSuggestion.closest(to: word, among: Name.allCases.map(\.rawValue))
        throw mistake(place, "there is no {\(word)}" + (meant.map { "; did you mean {\($0)}?" } ?? "."))
    }

    private static func mistake(_ place: String, _ what: String) -> BelfryError {
        let known = Name.allCases.map { "{\($0.rawValue)}" }.joined(separator: ", ")
        return BelfryError(
            .invalidConfiguration,
            "\(place): \(what)",
            fix: "There are \(known); {{ stands for a brace."
        )
    }

    /// Cuts at newlines and separators, of the template's own text only.
    private static func lines(_ pieces: [Piece]) -> [[Part]] {
        var lines: [[Part]] = [[[]]]
        for piece in pieces {
            guard case .literal(let text) = piece else {
                lines[lines.count - 1][lines[lines.count - 1].count - 1].append(piece)
                continue
            }
            for (row, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
                .enumerated()
            {
                if row > 0 { lines.append([[]]) }
                for (column, part) in line.split(separator: separator, omittingEmptySubsequences: false)
                    .enumerated()
                {
                    if column > 0 { lines[lines.count - 1].append([]) }
                    if !part.isEmpty {
                        lines[lines.count - 1][lines[lines.count - 1].count - 1].append(
                            .literal(String(part))
                        )
                    }
                }
            }
        }
        return lines
    }
}
