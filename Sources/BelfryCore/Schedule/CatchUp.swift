// What becomes of ticks that were missed.

public enum CatchUp: String, Sendable, CaseIterable {
    case skip, once, all
}
