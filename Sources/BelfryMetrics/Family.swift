// A family is what has one name on the page: its series differ by their labels.

/// One line, or the lines of one histogram.
protocol Series: AnyObject, Sendable {}

/// A series with one value.
protocol ValueSeries: Series {
    /// The value as the page has it.
    var value: String { get }
}

struct Family {
    enum Kind: String {
        case counter, gauge, histogram
    }

    let name: String
    let kind: Kind
    var series: [LabelSet: any Series] = [:]

    func write(to page: inout ExpositionPage, help: String?) {
        let sorted = series.sorted { $0.key.text < $1.key.text }
        if kind == .histogram {
            return writeDistributions(
                sorted.compactMap { entry in
                    (entry.value as? DistributionSeries).map { (entry.key, $0.snapshot()) }
                },
                to: &page,
                help: help
            )
        }
        page.begin(name, type: kind.rawValue, help: help)
        for case (let labels, let series as any ValueSeries) in sorted {
            page.sample(name, labels.text, series.value)
        }
    }

    private func writeDistributions(
        _ series: [(labels: LabelSet, snapshot: DistributionSeries.Snapshot)],
        to page: inout ExpositionPage,
        help: String?
    ) {
        page.begin(name, type: "histogram", help: help)
        for (labels, snapshot) in series {
            for (bound, count) in snapshot.buckets {
                page.sample("\(name)_bucket", labels.adding("le", ExpositionPage.number(bound)), "\(count)")
            }
            writeTotals(name, labels, snapshot, to: &page)
        }
        let quantiles = MetricName.quantiles(of: name)
        page.begin(quantiles, type: "summary", help: help.map { "\($0) Quantiles since the start." })
        for (labels, snapshot) in series {
            for (quantile, value) in snapshot.quantiles {
                let label = labels.adding("quantile", ExpositionPage.number(quantile))
                page.sample(quantiles, label, ExpositionPage.number(value))
            }
            writeTotals(quantiles, labels, snapshot, to: &page)
        }
    }

    private func writeTotals(
        _ name: String,
        _ labels: LabelSet,
        _ snapshot: DistributionSeries.Snapshot,
        to page: inout ExpositionPage
    ) {
        page.sample("\(name)_sum", labels.text, ExpositionPage.number(snapshot.sum))
        page.sample("\(name)_count", labels.text, "\(snapshot.count)")
    }
}
