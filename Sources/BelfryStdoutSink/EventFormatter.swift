// One line for people for each event. `belfry tail`, `belfryd --stdout` and tests share it.

public import BelfryCore
import Glibc

/// Writes events as lines for people.
public struct EventFormatter: Sendable {
    public var isColored: Bool
    /// Times in UTC instead of the machine's zone.
    public var isUTC: Bool

    public init(isColored: Bool = false, isUTC: Bool = false) {
        self.isColored = isColored
        self.isUTC = isUTC
    }

    private enum Color: String {
        case amber = "33"
        case indigo = "34"
        case green = "32"
        case red = "31"
        case gray = "90"
    }

    // MARK: Lines

    public func line(_ event: TaskEvent) -> String {
        let (symbol, word, color) = Self.style(event.kind)
        let state = painted("\(symbol) \(padded(word, 11))", color)
        let subject = event.task.map(name) ?? event.batch.map { "batch \($0.id.rawValue.suffix(6))" } ?? ""
        let rest = [duration(event), detail(event)].filter { !$0.isEmpty }.joined(separator: "  ")
        return trimmed("\(clock(event.time))  \(padded(Terminal.visible(subject), 20))  \(state)  \(rest)")
    }

    public func line(_ update: ProgressUpdate) -> String {
        let percent = update.percent.map { "\(Int($0)) %" } ?? ""
        let state = painted("· \(padded("progress", 11))", .indigo)
        let rest = [percent, Terminal.visible(update.message ?? "")].filter { !$0.isEmpty }.joined(
            separator: "  "
        )
        return trimmed(
            "\(clock(update.time))  \(padded(Terminal.visible(name(update.task)), 20))  \(state)  \(rest)"
        )
    }

    public func line(_ gap: EventGap) -> String {
        switch gap.reason {
        case .pruned: "—  events \(gap.from) to \(gap.to) are no longer kept  —"
        case .newEpoch: "—  another log begins here: the store was reset or restored  —"
        }
    }

    private static func style(_ kind: TaskEvent.Kind) -> (String, String, Color) {
        switch kind {
        case .added: ("○", "added", .amber)
        case .started: ("▶", "started", .indigo)
        case .retrying: ("↻", "retrying", .amber)
        case .interrupted: ("↻", "interrupted", .amber)
        case .cancelRequested: ("◼", "cancelling", .gray)
        case .completed: ("✓", "completed", .green)
        case .failed: ("✗", "failed", .red)
        case .cancelled: ("◼", "cancelled", .gray)
        case .retried: ("○", "retried", .amber)
        case .snoozed: ("○", "snoozed", .amber)
        case .edited: ("○", "edited", .gray)
        case .stashed: ("○", "stashed", .gray)
        case .released: ("○", "released", .amber)
        case .removed: ("−", "removed", .gray)
        case .batchAdded: ("○", "added", .amber)
        case .batchFinished: ("✓", "finished", .green)
        }
    }

    private func name(_ task: TaskSummary) -> String { "#\(task.number) \(task.featureID)" }

    /// What there is to say beyond the kind.
    private func detail(_ event: TaskEvent) -> String {
        if let batch = event.batch { return describe(batch) }
        let title = Terminal.visible(event.task?.title ?? "")
        switch event.kind {
        case .completed:
            let file = event.draft.result?.artifacts.first.map {
                Terminal.visible(FileURI.path($0.uri) ?? $0.uri)
            }
            return file.map { title.isEmpty ? $0 : "\(title) → \($0)" } ?? title
        case .failed:
            let fix = event.draft.error?.fix.map { "  (\(Terminal.visible($0)))" } ?? ""
            return Terminal.visible(event.draft.error?.message ?? title) + fix
        case .retrying:
            let wait =
                event.draft.notBefore.map { "in \(Self.seconds(max(.zero, $0.since(event.time)))), " } ?? ""
            let of = event.task.map { "after attempt \($0.attempt) of \($0.maxAttempts): " } ?? ""
            return wait + of + Terminal.visible(event.draft.error?.message ?? "")
        case .snoozed:
            let wait =
                event.draft.notBefore.map { Self.seconds(max(.zero, $0.since(event.time))) } ?? "a while"
            let why = event.draft.error.map { ": " + Terminal.visible($0.message) } ?? ""
            return "for \(wait)\(why)  \(title)"
        case .started:
            return (event.task.map { $0.attempt > 1 ? "attempt \($0.attempt)  " : "" } ?? "") + title
        default: return title
        }
    }

    private func describe(_ batch: TaskBatch) -> String {
        let title = batch.title.isEmpty ? "" : "  " + Terminal.visible(batch.title)
        var counts = ["\(batch.total) tasks"]
        if batch.failed > 0 { counts.append("\(batch.failed) failed") }
        if batch.cancelled > 0 { counts.append("\(batch.cancelled) cancelled") }
        return counts.joined(separator: ", ") + title
    }

    private func duration(_ event: TaskEvent) -> String { event.draft.duration.map(Self.seconds) ?? "" }

    // MARK: Pieces

    static func seconds(_ duration: Duration) -> String {
        let tenths = (duration.wholeMilliseconds + 50) / 100
        if tenths < 600 { return "\(tenths / 10).\(tenths % 10) s" }
        let whole = tenths / 10
        return whole < 3600 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole / 60 % 60) min"
    }

    private func clock(_ time: Timestamp) -> String {
        if isUTC { return String(time.description.prefix(19).suffix(8)) }
        var seconds = time_t(time.milliseconds / 1000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return [parts.tm_hour, parts.tm_min, parts.tm_sec].map { ($0 < 10 ? "0" : "") + String($0) }.joined(
            separator: ":"
        )
    }

    private func painted(_ text: String, _ color: Color) -> String {
        isColored ? "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m" : text
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func trimmed(_ text: String) -> String {
        var text = text
        while text.last == " " { text.removeLast() }
        return text
    }
}
