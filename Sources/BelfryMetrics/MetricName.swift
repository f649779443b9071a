// Names and labels as Prometheus wants them. swift-metrics allows any text; what Prometheus does not
// allow becomes an underscore.

enum MetricName {
    enum Unit { case none, seconds }

    /// The name on the page: with the ending that its kind and unit ask for.
    static func make(_ label: String, kind: Family.Kind, unit: Unit) -> String {
        var name = sanitized(label, allowingColon: true)
        if unit == .seconds, !name.hasSuffix("_seconds") { name += "_seconds" }
        if kind == .counter, !name.hasSuffix("_total") { name += "_total" }
        return name
    }

    /// The name of the family with a histogram's quantiles; a unit stays the last word.
    static func quantiles(of name: String) -> String {
        guard name.hasSuffix("_seconds") else { return name + "_quantiles" }
        return name.dropLast("_seconds".count) + "_quantiles_seconds"
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`; the names of labels have no colon.
    static func sanitized(_ text: String, allowingColon: Bool) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
            let isDigit = ("0"..."9").contains(scalar)
            if isDigit, name.isEmpty { name = "_" }
            let isAllowed = isLetter || isDigit || (scalar == ":" && allowingColon)
            name.unicodeScalars.append(isAllowed ? scalar : "_")
        }
        return name.isEmpty ? "_" : name
    }
}

/// The labels of one series, as they stand between the braces.
struct LabelSet: Hashable {
    let text: String

    /// Sorted by name, so that the order in which labels were given makes no difference. Of two with one
    /// name the last counts.
    init(_ dimensions: [(String, String)]) {
        var labels: [String: String] = [:]
        for (name, value) in dimensions {
            var name = MetricName.sanitized(name, allowingColon: false)
            // The format itself writes these two, and nobody else may.
            if name == "le" || name == "quantile" { name += "_" }
            labels[name] = value
        }
        text = labels.sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\(ExpositionPage.escaped($0.value, quotes: true))\"" }
            .joined(separator: ",")
    }

    /// With one more label.
    func adding(_ name: String, _ value: String) -> String {
        (text.isEmpty ? "" : text + ",") + "\(name)=\"\(value)\""
    }
}
