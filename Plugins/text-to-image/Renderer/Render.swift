// The way from a request to bytes.

import FoundationEssentials

/// Renders a picture.
///
/// The same prompt, style, size and seed give the same bytes, on any number of threads.
///
/// - Parameters:
///   - request: what to paint.
///   - threads: threads to paint with, at least 1; nil takes one per active core.
///   - progress: told 0…1, never less than before, every few rows and 1 at the end. What it throws
///     ends the rendering. Called on the calling thread only.
/// - Throws: ``PictureError``, or what `progress` throws.
public func render(
    _ request: PictureRequest,
    threads: Int? = nil,
    progress: (Double) throws -> Void
) throws -> RenderedPicture {
    try check(request)
    let reading = Reading(request.prompt)
    let style = request.style ?? reading.style ?? .realistic
    let seed = request.seed ?? fnv1a(request.prompt)
    let frame = Frame(width: request.width, height: request.height)
    let plan = Plan(reading: reading, style: style, seed: seed, frame: frame)
    let sheet = Sheet(count: frame.width * frame.height * 3)
    try progress(0)
    let stages = paintingStages(plan, frame: frame, sheet: sheet)
    let cores = ProcessInfo.processInfo.activeProcessorCount
    try runStages(stages, threads: max(1, threads ?? cores), progress: progress)
    return RenderedPicture(
        width: frame.width,
        height: frame.height,
        pixels: sheet.array(),
        prompt: request.prompt,
        style: style,
        seed: seed,
        elements: plan.understood.map(\.rawValue),
        additions: plan.additions.map(\.rawValue)
    )
}

private func check(_ request: PictureRequest) throws {
    let sides = PictureRequest.sides
    guard sides.contains(request.width), sides.contains(request.height) else {
        throw PictureError(
            code: .sizeOutOfRange,
            description: "A picture of \(request.width)×\(request.height) pixels cannot be rendered: "
                + "each side must be \(sides.lowerBound) to \(sides.upperBound) pixels."
        )
    }
}

private func paintingStages(_ plan: Plan, frame: Frame, sheet: Sheet) -> [Stage] {
    let canvas = Canvas(frame)
    let composition = Composition(plan, frame: frame)
    let rows = 0..<frame.height
    var stages = [
        Stage(rows: rows, weight: 6) { for y in $0 { paint(composition.background, Row(canvas, y)) } },
        // A stage of its own: water reads what the first one painted, and nothing else may move meanwhile.
        Stage(rows: rows, weight: 2) { for y in $0 { paint(composition.water, Row(canvas, y)) } },
        Stage(rows: rows, weight: 1) { for y in $0 { paint(composition.foreground, Row(canvas, y)) } },
    ]
    stages += Bloom(canvas, strength: plan.isNeon ? 0.6 : 0.4, threshold: plan.isNeon ? 0.45 : 0.7).stages()
    let finish = Finish(plan.style, seed: plan.seed)
    stages.append(Stage(rows: rows, weight: 0.5) { for y in $0 { finish.tone.paint(y, of: canvas) } })
    let (styling, result) = finish.stages(canvas)
    stages += styling
    let encoder = Encoder(grain: finish.grain, seed: plan.seed)
    stages.append(
        Stage(rows: rows, weight: 0.5) { for y in $0 { encoder.write(y, of: result, into: sheet.bytes) } }
    )
    return stages
}

private func paint(_ layers: [any Layer], _ row: Row) {
    for layer in layers {
        layer.paint(row)
    }
}

/// The finished bytes.
///
/// Unchecked: each row is written by one thread of the last stage, and read when that is over.
final class Sheet: @unchecked Sendable {
    let bytes: UnsafeMutablePointer<UInt8>
    private let count: Int

    init(count: Int) {
        self.count = count
        bytes = .allocate(capacity: count)
        bytes.initialize(repeating: 0, count: count)
    }

    deinit {
        bytes.deallocate()
    }

    func array() -> [UInt8] {
        Array(UnsafeBufferPointer(start: bytes, count: count))
    }
}
