// Regular expressions for `pattern`. An engine of our own, because the expression comes from a
// plugin and the text from anybody: this one visits each character once for each instruction, so no
// pair of them can stop the hub, which a backtracking engine cannot promise.

/// A compiled regular expression: the part of ECMA-262 without back references and look-around.
struct Pattern: Sendable {
    enum Instruction: Sendable {
        case scalar(ScalarSet)
        case split(Int, Int)
        case jump(Int)
        case start
        case end
        case wordBoundary(Bool)
        case match
    }

    let source: String
    private let program: [Instruction]

    /// - Throws: ``PatternError`` that says what is wrong and where.
    init(_ source: String) throws(PatternError) {
        var parser = PatternParser(source)
        let syntax = try parser.parse()
        var assembler = PatternAssembler()
        try assembler.emit(syntax)
        program = assembler.program + [.match]
        self.source = source
    }

    /// Instructions looked at for one text: some tenths of a second.
    static let maxSteps = 5_000_000

    /// Whether the expression matches anywhere in `text`; nil when finding out would take too long.
    func matches(_ text: String) -> Bool? {
        let scalars = Array(text.unicodeScalars)
        var current = ThreadList(capacity: program.count)
        var next = ThreadList(capacity: program.count)
        var steps = 0
        for position in 0...scalars.count {
            steps += current.threads.count + 1
            guard steps <= Self.maxSteps else { return nil }
            if follow(0, at: position, of: scalars, into: &current) { return true }
            guard position < scalars.count else { return false }
            for thread in current.threads {
                guard case .scalar(let set) = program[thread], set.contains(scalars[position]) else {
                    continue
                }
                if follow(thread + 1, at: position + 1, of: scalars, into: &next) { return true }
            }
            (current, next) = (next, current)
            next.removeAll()
        }
        return false
    }

    /// Adds what can be reached from `start` without reading; true when that is the end.
    private func follow(
        _ start: Int,
        at position: Int,
        of scalars: [Unicode.Scalar],
        into list: inout ThreadList
    ) -> Bool {
        var open = [start]
        while let index = open.popLast() {
            guard list.insert(index) else { continue }
            switch program[index] {
            case .match: return true
            case .scalar: break
            case .jump(let target): open.append(target)
            case .split(let first, let second): open += [second, first]
            case .start: if position == 0 { open.append(index + 1) }
            case .end: if position == scalars.count { open.append(index + 1) }
            case .wordBoundary(let wanted):
                if isBoundary(position, scalars) == wanted { open.append(index + 1) }
            }
        }
        return false
    }

    private func isBoundary(_ position: Int, _ scalars: [Unicode.Scalar]) -> Bool {
        let before = position > 0 && ScalarSet.isWord(scalars[position - 1])
        let after = position < scalars.count && ScalarSet.isWord(scalars[position])
        return before != after
    }
}

/// The instructions that wait for the next character, each once.
private struct ThreadList {
    private(set) var threads: [Int] = []
    private var isMember: [Bool]

    init(capacity: Int) { isMember = Array(repeating: false, count: capacity) }

    mutating func insert(_ thread: Int) -> Bool {
        if isMember[thread] { return false }
        isMember[thread] = true
        threads.append(thread)
        return true
    }

    mutating func removeAll() {
        for thread in threads { isMember[thread] = false }
        threads.removeAll(keepingCapacity: true)
    }
}

/// Why a regular expression cannot be used.
struct PatternError: Error, Hashable {
    /// Continues "the pattern …".
    let reason: String
}

/// Turns syntax into instructions.
private struct PatternAssembler {
    static let maxSize = 10_000

    var program: [Pattern.Instruction] = []

    mutating func emit(_ syntax: PatternSyntax) throws(PatternError) {
        guard program.count <= Self.maxSize else {
            throw PatternError(reason: "is too large when its counts are written out")
        }
        switch syntax {
        case .empty: break
        case .scalar(let set): program.append(.scalar(set))
        case .start: program.append(.start)
        case .end: program.append(.end)
        case .wordBoundary(let wanted): program.append(.wordBoundary(wanted))
        case .sequence(let parts): for part in parts { try emit(part) }
        case .alternatives(let branches): try emitAlternatives(branches)
        case .repetition(let part, let least, let most): try emitRepetition(part, least, most)
        }
    }

    private mutating func emitAlternatives(_ branches: [PatternSyntax]) throws(PatternError) {
        var exits: [Int] = []
        for (offset, branch) in branches.enumerated() {
            guard offset < branches.count - 1 else {
                try emit(branch)
                break
            }
            let split = program.count
            program.append(.split(split + 1, 0))
            try emit(branch)
            exits.append(program.count)
            program.append(.jump(0))
            program[split] = .split(split + 1, program.count)
        }
        for exit in exits { program[exit] = .jump(program.count) }
    }

    private mutating func emitRepetition(
        _ part: PatternSyntax,
        _ least: Int,
        _ most: Int?
    ) throws(PatternError) {
        for _ in 0..<least { try emit(part) }
        guard let most else {
            let split = program.count
            program.append(.split(split + 1, 0))
            try emit(part)
            program.append(.jump(split))
            program[split] = .split(split + 1, program.count)
            return
        }
        var splits: [Int] = []
        for _ in least..<max(least, most) {
            splits.append(program.count)
            program.append(.split(program.count + 1, 0))
            try emit(part)
        }
        for split in splits { program[split] = .split(split + 1, program.count) }
    }
}
