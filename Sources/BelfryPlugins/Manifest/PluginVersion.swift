// Versions and ranges of them: what a plugin is and which Belfry it wants.

/// A version such as `1.2.3` or `1.2.3-beta.1` (Semantic Versioning 2.0.0); missing parts count as 0.
public struct PluginVersion: Sendable, Hashable, CustomStringConvertible {
    public let major: Int
    public let minor: Int
    public let patch: Int
    /// What follows `-`, such as `beta.1`; empty for a release.
    public let prerelease: [String]
    public let description: String

    /// - Returns: nil unless `text` is one to three numbers with an optional `-…` and `+…`.
    public init?(_ text: String) {
        let withoutBuild = text.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        let halves = withoutBuild[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = halves[0].split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.compactMap(Self.number)
        guard text.utf8.count <= 64, (1...3).contains(parts.count), numbers.count == parts.count else {
            return nil
        }
        let suffix =
            halves.count == 2 ? halves[1].split(separator: ".", omittingEmptySubsequences: false) : []
        let build =
            withoutBuild.count == 2
            ? withoutBuild[1].split(separator: ".", omittingEmptySubsequences: false) : []
        guard (suffix + build).allSatisfy(Self.isIdentifier) else { return nil }
        major = numbers[0]
        minor = numbers.count > 1 ? numbers[1] : 0
        patch = numbers.count > 2 ? numbers[2] : 0
        prerelease = suffix.map(String.init)
        description = text
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private static func isIdentifier(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                    || byte == UInt8(ascii: "-")
            }
    }
}

extension PluginVersion: Comparable {
    /// By precedence: build metadata and the way of writing do not count.
    public static func == (left: PluginVersion, right: PluginVersion) -> Bool {
        left.numbers == right.numbers && left.prerelease == right.prerelease
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(numbers)
        hasher.combine(prerelease)
    }

    public static func < (left: PluginVersion, right: PluginVersion) -> Bool {
        if left.numbers != right.numbers { return left.numbers.lexicographicallyPrecedes(right.numbers) }
        if left.prerelease.isEmpty || right.prerelease.isEmpty {
            return !left.prerelease.isEmpty && right.prerelease.isEmpty
        }
        return left.prerelease.lexicographicallyPrecedes(right.prerelease, by: precedes)
    }

    private var numbers: [Int] { [major, minor, patch] }

    /// Numbers before words, numbers by value.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        switch (Int(left), Int(right)) {
        case (let left?, let right?): left < right
        case (_?, nil): true
        case (nil, _?): false
        case (nil, nil): left < right
        }
    }
}

/// Which versions are acceptable: comparisons that must all hold, such as `>=1.0 <2`.
public struct VersionRange: Sendable, Hashable, CustomStringConvertible {
    private enum Comparison: String, CaseIterable {
        // Longer signs first: `>=` begins with `>`.
        case atLeast = ">="
        case atMost = "<="
        case above = ">"
        case below = "<"
        case exactly = "="
    }

    private struct Bound: Hashable {
        let comparison: Comparison
        let version: PluginVersion
    }

    private let bounds: [Bound]
    public let description: String

    /// - Returns: nil unless `text` is one or more of `>=`, `>`, `<=`, `<`, `=` with a version, separated
    ///   by spaces or commas.
    public init?(_ text: String) {
        var bounds: [Bound] = []
        for part in text.split(whereSeparator: { $0 == " " || $0 == "," }) {
            guard let comparison = Comparison.allCases.first(where: { part.hasPrefix($0.rawValue) }),
                let version = PluginVersion(String(part.dropFirst(comparison.rawValue.count)))
            else { return nil }
            bounds.append(Bound(comparison: comparison, version: version))
        }
        guard !bounds.isEmpty else { return nil }
        self.bounds = bounds
        description = text
    }

    public func contains(_ version: PluginVersion) -> Bool {
        bounds.allSatisfy { bound in
            switch bound.comparison {
            case .atLeast: version >= bound.version
            case .atMost: version <= bound.version
            case .above: version > bound.version
            case .below: version < bound.version
            case .exactly: version == bound.version
            }
        }
    }
}
