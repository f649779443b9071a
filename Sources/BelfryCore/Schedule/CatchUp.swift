// What becomes of the ticks of a schedule that nobody was there for: the hub was off, the machine slept.
// In Core, since stores keep it and the wire carries it.

/// Which missed ticks of a schedule become tasks.
///
/// A tick is missed when it is found later than a grace of 60 seconds; one within it always becomes a task.
/// A schedule's own defaults to ``once``.
public enum CatchUp: String, Hashable, Sendable, CaseIterable {
    /// No missed tick becomes a task.
    case skip
    /// The newest missed tick becomes a task, unless one that is on time does.
    case once
    /// Every missed tick becomes a task, up to a bound; the rest is counted as dropped.
    case all
}
