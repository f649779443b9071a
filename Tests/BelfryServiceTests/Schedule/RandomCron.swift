// Expressions made at random, the same in every run.

import BelfryTesting

extension SeededRandom {
    /// Five fields of every form that croniter and Belfry both have.
    mutating func cron() -> String {
        let months = ["jan", "Feb", "MAR", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        let weekdays = ["sun", "Mon", "TUE", "wed", "thu", "fri", "sat"]
        return [
            field(0...59, star: 0.2), field(0...23, star: 0.3), day(),
            field(1...12, star: 0.6, names: months), field(0...7, star: 0.5, names: weekdays, last: 6),
        ].joined(separator: " ")
    }

    /// Late days stand alone: croniter 1.3 passes over 1 March when it looks for `1,31` in February.
    private mutating func day() -> String {
        let late = ["29", "30", "31", "29-31"].randomElement(using: &self) ?? "29"
        if Int.random(in: 0..<10, using: &self) == 0 { return late }
        return field(1...28, star: 0.5, last: 28)
    }

    private mutating func field(
        _ range: ClosedRange<Int>,
        star: Double,
        names: [String] = [],
        last: Int? = nil
    ) -> String {
        if Double.random(in: 0..<1, using: &self) < star { return "*" }
        let count = [1, 1, 1, 2, 3].randomElement(using: &self) ?? 1
        return (0..<count).map { _ in item(range, names, last) }.joined(separator: ",")
    }

    /// - Parameter last: where open steps are made to end, when that is not the field's own end.
    private mutating func item(_ range: ClosedRange<Int>, _ names: [String], _ last: Int?) -> String {
        // croniter 7 reads `5-5` as the whole field.
        let low = Int.random(in: range.lowerBound..<range.upperBound, using: &self)
        let high = Int.random(in: low + 1...range.upperBound, using: &self)
        let step = Int.random(in: 1...range.count / 2, using: &self)
        switch Int.random(in: 0..<6, using: &self) {
        case 0, 1: return name(low, range, names)
        case 2: return "\(name(low, range, names))-\(name(high, range, names))"
        case 3: return "\(low)-\(high)/\(step)"
        case 4: return last.map { "\(min(low, $0 - 1))-\($0)/\(step)" } ?? "\(low)/\(step)"
        default: return last.map { "\(range.lowerBound)-\($0)/\(step)" } ?? "*/\(step)"
        }
    }

    private mutating func name(_ number: Int, _ range: ClosedRange<Int>, _ names: [String]) -> String {
        let index = number - range.lowerBound
        return names.indices.contains(index) && Bool.random(using: &self) ? names[index] : "\(number)"
    }
}
