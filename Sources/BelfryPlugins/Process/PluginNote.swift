// What a plugin that stays leaves behind for people: it serves many tasks or none, so no task's log has it.

/// One entry of a plugin's own log.
public enum PluginNote: Sendable, Hashable {
    /// A line of its stderr.
    case said(String)
    /// What became of it, such as `started`: a sentence without its subject.
    case happened(String)

    /// The longest line of stderr that is kept, in bytes.
    static let longest = 8192

    static func quarantined(_ id: String) -> PluginNote {
        .happened("crashed too often and is set aside; mend it, then: belfry plugin enable \(id)")
    }
}
