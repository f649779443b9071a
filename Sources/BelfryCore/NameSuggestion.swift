// "Did you mean …": finds the name that somebody probably meant.

/// Finds the closest of several names.
public enum NameSuggestion {
    /// The name in `candidates` that `name` is likely a slip of: one that it begins, or one at most
    /// two slips (a third of its length for short names) away.
    public static func closest(to name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased())
        guard !wanted.isEmpty else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates.sorted() {
            let letters = Array(candidate.lowercased())
            let isPrefix = wanted.count >= 3 && letters.starts(with: wanted)
            let distance = isPrefix ? 1 : distance(wanted, letters)
            let limit = max(1, min(2, letters.count / 3))
            if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours from `left` to `right`
    /// (Damerau-Levenshtein, optimal string alignment).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        if abs(left.count - right.count) > 2 { return .max }
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
                var cost = min(replaced, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
