// Follows one task to its end, with a progress bar where there is a terminal.

import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

struct TaskFollower {
    let session: Session
    let isQuiet: Bool

    /// Returns when the task is final. Survives a restart of the hub.
    func follow(_ task: BackgroundTask, after cursor: EventCursor?) throws {
        var bar = ProgressBar(task: task, isQuiet: isQuiet)
        defer { bar.clear() }
        var stream = EventStream(session: session)
        stream.taskID = task.id
        stream.withProgress = true
        stream.cursor = cursor
        try stream.read { line in
            switch line {
            case .event(let record):
                let event = try record.event()
                bar.show(event)
                return event.task?.status.isFinal == true && event.kind != .removed ? .stop : .goOn
            case .progress(let update):
                bar.show(update)
                return .goOn
            case .gap: return .goOn
            }
        }
    }
}

/// One line on a terminal's stderr that is drawn over and over; plain lines elsewhere.
struct ProgressBar {
    private let isTerminal: Bool
    private let isQuiet: Bool
    private let name: String
    private var lastTenth = -1
    private var isDrawn = false

    init(task: BackgroundTask, isQuiet: Bool) {
        isTerminal = isatty(2) != 0
        self.isQuiet = isQuiet
        name = "#\(task.number) \(task.featureID)"
    }

    mutating func show(_ event: TaskEvent) {
        guard !isQuiet else { return }
        switch event.kind {
        case .started:
            draw(percent: 0, message: event.task.map { $0.attempt > 1 ? "attempt \($0.attempt)" : "" })
        case .retrying:
            clear()
            Output.note(
                "\(name)  failed, trying again: \(Terminal.visible(event.draft.error?.message ?? ""))"
            )
        case .interrupted:
            clear()
            Output.note("\(name)  interrupted; it starts again when the hub is back")
        case .snoozed:
            clear()
            let why = event.draft.error.map { ": " + Terminal.visible($0.message) } ?? ""
            Output.note("\(name)  waits for a while\(why)")
        default: break
        }
    }

    mutating func show(_ update: ProgressUpdate) {
        guard !isQuiet else { return }
        draw(percent: update.percent, message: update.message)
    }

    private mutating func draw(percent: Double?, message: String?) {
        let words = message.map { "  " + Terminal.visible($0) } ?? ""
        guard isTerminal else {
            let tenth = Int((percent ?? 0) / 10)
            guard tenth > lastTenth else { return }
            lastTenth = tenth
            return Output.note("\(name)  \(percent.map(Format.percent) ?? "…")\(words)")
        }
        let width = 24
        let filled = Int((percent ?? 0) / 100 * Double(width))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        write("\r\u{1B}[K\(name)  \(bar)  \(percent.map(Format.percent) ?? "")\(words.prefix(60))")
        isDrawn = true
    }

    mutating func clear() {
        if isDrawn { write("\r\u{1B}[K") }
        isDrawn = false
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(2, bytes, bytes.count)
    }
}
