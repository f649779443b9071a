// Rows are painted on several threads, yet the caller's progress closure is not Sendable and may
// throw: so the calling thread paints too, and alone talks to the closure.

import Glibc
import Synchronization

/// A pass over the rows of a picture. Passes run one after the other; the bands of one in any order.
struct Stage: Sendable {
    /// The rows (or other units of work) to go over.
    var rows: Range<Int>
    /// Rows handed out at once.
    var band = 8
    /// Cost of one row, relative to the other stages.
    var weight = 1.0
    var paint: @Sendable (Range<Int>) -> Void
}

/// Runs stages in order, each on up to `threads` threads, telling `progress` 0...1.
///
/// - Throws: what `progress` throws; the other threads then stop after their band.
func runStages(_ stages: [Stage], threads: Int, progress: (Double) throws -> Void) throws {
    let total = stages.reduce(0) { $0 + Double($1.rows.count) * $1.weight }
    var done = 0.0
    for stage in stages {
        let cost = Double(stage.rows.count) * stage.weight
        let queue = BandQueue(stage)
        let helpers = Helpers(queue, count: min(threads, queue.bands) - 1)
        defer { helpers.join() }
        while let band = queue.take() {
            stage.paint(band)
            queue.finish()
            do {
                try progress(min(1, (done + cost * queue.share) / total))
            } catch {
                queue.close()
                throw error
            }
        }
        done += cost
    }
    try progress(1)
}

/// Hands out the bands of a stage.
private final class BandQueue: Sendable {
    let stage: Stage
    let bands: Int
    private let next = Atomic(0)
    private let finished = Atomic(0)

    init(_ stage: Stage) {
        self.stage = stage
        bands = (stage.rows.count + stage.band - 1) / stage.band
    }

    var share: Double { Double(finished.load(ordering: .relaxed)) / Double(max(bands, 1)) }

    func take() -> Range<Int>? {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < bands else { return nil }
        let start = stage.rows.lowerBound + index * stage.band
        return start..<min(start + stage.band, stage.rows.upperBound)
    }

    func finish() {
        finished.wrappingAdd(1, ordering: .relaxed)
    }

    func close() {
        next.store(bands, ordering: .relaxed)
    }
}

/// Threads that empty a queue beside the caller. A thread that cannot be had is done without.
private struct Helpers {
    private var threads: [pthread_t] = []

    init(_ queue: BandQueue, count: Int) {
        for _ in 0..<max(count, 0) {
            var thread = pthread_t()
            let box = Unmanaged.passRetained(queue)
            let failed = pthread_create(&thread, nil, { drain($0) }, box.toOpaque()) != 0
            guard !failed else {
                box.release()
                break
            }
            threads.append(thread)
        }
    }

    func join() {
        for thread in threads {
            pthread_join(thread, nil)
        }
    }
}

private func drain(_ box: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let box else { return nil }
    let queue = Unmanaged<BandQueue>.fromOpaque(box).takeRetainedValue()
    while let band = queue.take() {
        queue.stage.paint(band)
        queue.finish()
    }
    return nil
}
